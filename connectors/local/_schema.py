"""The tables of a vault, and how an older vault becomes a newer one.

`application_id` says that a file is a vault, `user_version` how many of the migrations it has had.
A migration is a tuple of SQL steps, applied in one transaction together with its number: a vault
is at one version or the next, never between. Migrations are only ever added; one that has been
released is not changed. An older release refuses a vault that is ahead of it.

Plain in the file: ids, types, times, states, scopes, labels. Sealed: what ends in `_ct`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from connectors.local._database import number, transaction
from connectors.local._errors import VaultForeignError, VaultSchemaError

Migrations: TypeAlias = tuple[tuple[str, ...], ...]

APPLICATION_ID: Final = int.from_bytes(b"B44V", "big")

MIGRATIONS: Final[Migrations] = (
    (
        # Every key that anything here is sealed with. `check_ct` is a constant sealed with it, so
        # that a wrong key is found out before any value is read or written.
        """
        CREATE TABLE sealing_keys (
            id TEXT PRIMARY KEY NOT NULL,
            check_ct TEXT NOT NULL,
            created_at REAL NOT NULL
        )
        """,
        # One row an account, for good: a connection that is made again keeps its id, and one that
        # is disconnected stays behind without its secrets. `user` is '' where there is none.
        """
        CREATE TABLE connections (
            id TEXT PRIMARY KEY NOT NULL,
            app_id TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('app', 'workspace', 'app_user')),
            name TEXT NOT NULL,
            user TEXT NOT NULL,
            integration_type TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('active', 'disconnected')),
            generation INTEGER NOT NULL CHECK (generation > 0),
            scopes TEXT NOT NULL,
            account_label TEXT,
            access_ct TEXT,
            config_ct TEXT,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            UNIQUE (app_id, kind, name, user),
            CHECK ((state = 'disconnected') = (access_ct IS NULL)),
            CHECK ((state = 'disconnected') = (config_ct IS NULL))
        )
        """,
        """
        CREATE TABLE settings (
            name TEXT PRIMARY KEY NOT NULL,
            value_ct TEXT NOT NULL,
            created_at REAL NOT NULL
        )
        """,
    ),
    (
        # A CHECK can't be altered: the table is built anew, beside the old one.
        """
        CREATE TABLE new_connections (
            id TEXT PRIMARY KEY NOT NULL,
            app_id TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('app', 'workspace', 'app_user')),
            name TEXT NOT NULL,
            user TEXT NOT NULL,
            integration_type TEXT NOT NULL,
            source TEXT NOT NULL CHECK (source IN ('manual', 'oauth')),
            state TEXT NOT NULL CHECK (state IN ('active', 'refresh_failed', 'disconnected')),
            reason TEXT CHECK (reason IN ('invalid_grant', 'refresh_outcome_lost',
                'refresh_token_expired', 'consent_required', 'unknown')),
            generation INTEGER NOT NULL CHECK (generation > 0),
            scopes TEXT NOT NULL,
            asked TEXT NOT NULL,
            account_label TEXT,
            -- Connections with the same one share a chain of refresh tokens.
            lock_key TEXT,
            -- The registration that a consent was given to, and where it came back to.
            client_id TEXT,
            redirect_uri TEXT,
            access_ct TEXT,
            refresh_ct TEXT,
            raw_ct TEXT,
            config_ct TEXT,
            obtained_at REAL,
            expires_at REAL,
            refresh_expires_at REAL,
            -- That this refresh token was sent, while it is not known what became of it.
            presented_digest TEXT,
            presented_at REAL,
            presented_outcome TEXT CHECK (presented_outcome IN ('unanswered', 'ambiguous')),
            presented_silences INTEGER NOT NULL CHECK (presented_silences >= 0),
            attempt_id TEXT,
            failures INTEGER NOT NULL CHECK (failures >= 0),
            next_attempt_at REAL,
            last_error TEXT,
            strikes INTEGER NOT NULL CHECK (strikes >= 0),
            first_strike_at REAL,
            forced_at REAL,
            verify INTEGER NOT NULL CHECK (verify IN (0, 1)),
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            UNIQUE (app_id, kind, name, user),
            CHECK ((state = 'active') = (access_ct IS NOT NULL)),
            CHECK ((state = 'disconnected') = (config_ct IS NULL)),
            CHECK ((state = 'refresh_failed') = (reason IS NOT NULL)),
            CHECK (state = 'active' OR (refresh_ct IS NULL AND raw_ct IS NULL)),
            CHECK (state = 'active' OR presented_digest IS NULL),
            CHECK ((presented_digest IS NULL) = (presented_at IS NULL)),
            CHECK ((presented_digest IS NULL) = (presented_outcome IS NULL)),
            CHECK (presented_digest IS NOT NULL OR presented_silences = 0),
            CHECK ((presented_digest IS NULL) = (attempt_id IS NULL)),
            CHECK ((strikes = 0) = (first_strike_at IS NULL)),
            CHECK ((client_id IS NULL) = (redirect_uri IS NULL)),
            CHECK (state = 'active' OR client_id IS NULL)
        )
        """,
        """
        INSERT INTO new_connections (
            id, app_id, kind, name, user, integration_type, source, state, generation, scopes,
            asked, account_label, access_ct, config_ct, presented_silences, failures, strikes,
            verify, created_at, updated_at
        )
        SELECT
            id, app_id, kind, name, user, integration_type, 'manual', state, generation, scopes,
            scopes, account_label, access_ct, config_ct, 0, 0, 0, 0,
            created_at, updated_at
        FROM connections
        """,
        "DROP TABLE connections",
        "ALTER TABLE new_connections RENAME TO connections",
        "CREATE INDEX chains ON connections (lock_key) WHERE lock_key IS NOT NULL",
        # The registration at the provider, one for each type. `id` is another one each time that a
        # type is configured after it was removed, `generation` each time that it is changed.
        """
        CREATE TABLE oauth_apps (
            integration_type TEXT PRIMARY KEY NOT NULL,
            id TEXT NOT NULL,
            generation INTEGER NOT NULL CHECK (generation > 0),
            client_id TEXT NOT NULL,
            redirect_uri TEXT,
            scopes TEXT NOT NULL,
            connectors TEXT NOT NULL,
            secret_ct TEXT NOT NULL,
            config_ct TEXT NOT NULL,
            problem TEXT,
            rejected_at REAL,
            retry_at REAL,
            failures INTEGER NOT NULL CHECK (failures >= 0),
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            CHECK ((problem IS NULL) = (rejected_at IS NULL)),
            CHECK ((problem IS NULL) = (retry_at IS NULL)),
            CHECK ((problem IS NULL) = (failures = 0))
        )
        """,
        # A consent that was asked for: known by the hash of its state, and used once.
        """
        CREATE TABLE consents (
            state_hash TEXT PRIMARY KEY NOT NULL,
            connection_id TEXT NOT NULL,
            app_id TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('app', 'workspace', 'app_user')),
            name TEXT NOT NULL,
            user TEXT NOT NULL,
            integration_type TEXT NOT NULL,
            redirect_uri TEXT NOT NULL,
            scopes TEXT NOT NULL,
            verifier_ct TEXT,
            config_ct TEXT,
            outcome TEXT NOT NULL
                CHECK (outcome IN ('pending', 'taken', 'active', 'denied', 'failed')),
            problem TEXT,
            created_at REAL NOT NULL,
            expires_at REAL NOT NULL,
            ended_at REAL,
            CHECK ((outcome = 'pending') = (verifier_ct IS NOT NULL)),
            CHECK ((outcome = 'pending') = (config_ct IS NOT NULL)),
            CHECK ((outcome IN ('pending', 'taken')) = (ended_at IS NULL))
        )
        """,
        "CREATE INDEX consents_by_connection ON consents (connection_id)",
        # Tokens that nobody uses any more, until the provider has heard that.
        """
        CREATE TABLE revocations (
            id TEXT PRIMARY KEY NOT NULL,
            app_id TEXT NOT NULL,
            connection_id TEXT NOT NULL,
            integration_type TEXT NOT NULL,
            client_id TEXT,
            access_ct TEXT NOT NULL,
            refresh_ct TEXT,
            config_ct TEXT NOT NULL,
            attempts INTEGER NOT NULL CHECK (attempts >= 0),
            next_attempt_at REAL NOT NULL,
            last_error TEXT,
            created_at REAL NOT NULL
        )
        """,
    ),
)


def check_schema(
    connection: sqlite3.Connection, path: Path, migrations: Migrations = MIGRATIONS
) -> None:
    """Refuse a database that is not a vault, or that is ahead of this release; writes nothing."""
    if number(connection, "application_id") != APPLICATION_ID:
        raise VaultForeignError(
            path, "it is the database of another program; choose another path for the vault"
        )
    version = number(connection, "user_version")
    if version > len(migrations):
        raise VaultSchemaError(
            path,
            f"a newer release made it (schema {version}, this one knows {len(migrations)}); "
            "update base44-connectors",
        )


def migrate(connection: sqlite3.Connection, migrations: Migrations = MIGRATIONS) -> None:
    """Bring a vault up to the last migration; of several processes each step is done by one."""
    while number(connection, "user_version") < len(migrations):
        with transaction(connection):
            _next_step(connection, migrations)


def _next_step(connection: sqlite3.Connection, migrations: Migrations) -> None:
    # Read again, now under the lock: another process may have been quicker.
    version = number(connection, "user_version")
    if version < len(migrations):
        for statement in migrations[version]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version + 1}")


@contextmanager
def writing(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """A transaction that writes, unless a newer release has changed the vault in the meantime."""
    with transaction(connection):
        check_schema(connection, path)
        yield

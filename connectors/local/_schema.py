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

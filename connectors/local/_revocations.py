"""Tokens that nobody uses any more, until their provider has been told.

They are written here by the transaction that takes them from their connection: a crash loses none.
While others of the same chain use them still, there is nothing to revoke.
"""

import math
import time
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, final

import attrs

from connectors.local import _rows
from connectors.local._crypto import Place
from connectors.local._database import clear_log
from connectors.local._fields import check_seconds, check_text
from connectors.local._generations import renewed
from connectors.local._oauth import Tokens
from connectors.local._oauth_records import Revocation
from connectors.local._packing import packed_config, unpacked_config
from connectors.local._records import StoredConnection
from connectors.local._renewing import renew_siblings
from connectors.local._schema import writing
from connectors.local._sealing import Database, register_key
from connectors.local._tables import Row, Table
from connectors.local._work import Work


def _place(row: Row, field: str) -> Place:
    names = ("id", "app_id", "connection_id", "integration_type", "client_id")
    return Place(("revocation", *(row[name] or "" for name in names)), 1, field)


TABLE: Final = Table(
    "revocations",
    noun="revocation",
    key="id",
    plain=(
        "id",
        "app_id",
        "connection_id",
        "integration_type",
        "client_id",
        "attempts",
        "next_attempt_at",
        "last_error",
        "created_at",
    ),
    sealed=("access_ct", "refresh_ct", "config_ct"),
    place=_place,
)


@final
class Revocations:
    """What a vault has to tell the providers; `vault.revocations`.

    Each method raises a `VaultError` when the file can't be used. Times are Unix seconds.
    """

    def __init__(self, work: Work) -> None:
        self._work = work

    async def add(self, connection: StoredConnection, tokens: Tokens) -> None:
        """Have tokens revoked that came for a connection that is gone.

        If others share its chain, the tokens are theirs: they get them, and nothing is revoked.
        """
        await self._work.run(partial(_add, connection=connection, tokens=tokens))

    async def due(self, now: float, longest_wait: float = math.inf) -> Mapping[str, str]:
        """The ids of what the providers may be told now, the longest due first.

        Who has to wait for longer than that was put off by a clock that was wrong, and waits no
        more.

        Each leads to the id of the connection that had the tokens. No secret is opened: what is
        wrong with one of them is of no concern to the others.
        """
        check_seconds("now", now)
        latest = now + longest_wait
        return await self._work.run(partial(_due, now=now, latest=latest))

    async def get(self, revocation_id: str) -> Revocation | None:
        """What there is to tell; None when somebody else was quicker and it is done.

        Raises:
            VaultDamagedError: It is not what was written.
        """
        return await self._work.run(partial(_get, revocation_id=revocation_id))

    async def is_overtaken(self, job: Revocation) -> bool:
        """Has the owner of the connection consented again since, so that it is in use?"""
        return await self._work.run(partial(_is_overtaken, job=job))

    async def done(self, revocation_id: str) -> bool:
        """Erase a revocation: the provider knows, or never will.

        Returns:
            False when somebody else was quicker.
        """
        return await self._work.run(partial(_done, revocation_id=revocation_id))

    async def postpone(self, revocation_id: str, at: float, last_error: str) -> bool:
        """Remember that the provider could not be told, and is not to be told again before a time.

        Returns:
            False when somebody else was quicker and it is done.
        """
        check_seconds("at", at)
        check_text("last_error", last_error)
        later = (at, last_error, revocation_id)
        return await self._work.run(partial(_postpone, later=later))


def add_revocation(database: Database, connection: StoredConnection, now: float) -> None:
    """Have the tokens of a connection revoked that is about to end; part of a transaction."""
    if _rows.siblings(database, connection):
        return
    register_key(database)
    columns = {
        "id": uuid.uuid4().hex,
        "app_id": connection.owner.app_id,
        "connection_id": connection.id,
        "integration_type": connection.integration_type,
        "client_id": connection.client and connection.client.client_id,
        "attempts": 0,
        # At once, whatever a clock says.
        "next_attempt_at": 0.0,
        "last_error": None,
        "created_at": now,
    }
    secrets = {
        "access_ct": connection.access_token,
        "refresh_ct": connection.refresh_token,
        "config_ct": packed_config(connection.connection_config),
    }
    TABLE.write(database, columns, secrets)


def _add(database: Database, connection: StoredConnection, tokens: Tokens) -> None:
    with writing(database.connection, database.path):
        register_key(database)
        if not renew_siblings(database, connection, tokens):
            now = time.time()
            add_revocation(database, renewed(connection, tokens, now), now)


def _due(database: Database, now: float, latest: float) -> Mapping[str, str]:
    found = database.connection.execute(
        "SELECT id, connection_id FROM revocations"
        " WHERE next_attempt_at <= ? OR next_attempt_at > ? ORDER BY next_attempt_at, created_at",
        (now, latest),
    )
    return dict(found.fetchall())


def _get(database: Database, revocation_id: str) -> Revocation | None:
    row = TABLE.row(database, revocation_id)
    return None if row is None else _opened(database, row)


def _is_overtaken(database: Database, job: Revocation) -> bool:
    found = database.connection.execute(
        "SELECT 1 FROM connections WHERE id = ? AND integration_type = ?"
        " AND state = 'active' AND source = 'oauth'",
        (job.connection_id, job.integration_type),
    )
    return found.fetchone() is not None


def _done(database: Database, revocation_id: str) -> bool:
    with writing(database.connection, database.path):
        erased = database.connection.execute(
            "DELETE FROM revocations WHERE id = ?", (revocation_id,)
        ).rowcount
    clear_log(database.connection)
    return erased > 0


def _postpone(database: Database, later: tuple[object, ...]) -> bool:
    with writing(database.connection, database.path):
        changed = database.connection.execute(
            "UPDATE revocations SET attempts = attempts + 1, next_attempt_at = ?, last_error = ?"
            " WHERE id = ?",
            later,
        ).rowcount
    return changed > 0


def _opened(database: Database, row: Row) -> Revocation:
    access_token = TABLE.unsealed(database, row, "access_ct")
    refresh_token = TABLE.found(database, row, "refresh_ct")
    config = unpacked_config(TABLE.unsealed(database, row, "config_ct"))
    same: dict[str, Any] = {
        field.name: row[field.name] for field in attrs.fields(Revocation) if field.name in row
    }
    with TABLE.reading(database, row):
        return Revocation(
            **same, access_token=access_token, refresh_token=refresh_token, config=config
        )

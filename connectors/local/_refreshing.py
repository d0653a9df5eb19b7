"""The steps of a refresh that touch its row, each durable when it returns.

Every step is a compare-and-swap: it names the connection as it was when it was read, and does
nothing once that has moved on. Of several processes that took the same step from there, one has
taken it. The lock that keeps them from sending at once is not here.

Connections with the same lock key share a chain of tokens: of the same client, in the same
workspace of the provider. They have the same tokens at all times, so what happens to one of them
happens to all.
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import Final, final

from connectors.local import _rows
from connectors.local._database import clear_log
from connectors.local._fields import check_seconds, check_text
from connectors.local._generations import failed
from connectors.local._oauth import Tokens
from connectors.local._records import (
    REASONS,
    Presented,
    Reason,
    StoredConnection,
)
from connectors.local._renewing import renew_chain
from connectors.local._sealing import Database, register_key
from connectors.local._spool import changing, discard, spool
from connectors.local._tables import Row
from connectors.local._work import Work

_POSTPONE: Final = """
    UPDATE connections SET
        failures = :failures, next_attempt_at = :next_attempt_at, last_error = :last_error,
        strikes = :strikes, first_strike_at = :first_strike_at
    WHERE id = :id
"""


@final
class Refreshes:
    """What a vault knows of the refresh of its connections; `vault.refreshes`.

    Each method raises a `VaultError` when the file can't be used. On cancellation a step that has
    begun is finished.
    """

    def __init__(self, work: Work) -> None:
        self._work = work

    async def present(self, connection: StoredConnection, presented: Presented) -> bool:
        """Remember that the refresh token is about to be sent; before that it must not be.

        Returns:
            False when the connection is not any more as it was given: then nothing is to be sent.
        """
        return await self._work.run(partial(_present, connection=connection, presented=presented))

    async def renew(self, connection: StoredConnection, tokens: Tokens) -> StoredConnection | None:
        """Keep the tokens that came back, in all connections of the chain.

        A refresh token, scopes or an end of the refresh token that did not come stay as they were.
        What was captured is added to the configuration.

        Returns:
            The connection in its new generation; None when it has another one already, or was
            disconnected: then nothing is changed.
        """
        return await self._work.run(partial(_renew, connection=connection, tokens=tokens))

    async def spool(self, connection: StoredConnection, tokens: Tokens) -> None:
        """Keep the tokens that came back in a file, because the vault can't be written.

        They are in the connection from now on, for all who read it; in the vault they are when it
        is next read or changed and can be written.
        """
        await self._work.run(partial(spool, connection=connection, tokens=tokens))

    async def postpone(
        self,
        connection: StoredConnection,
        *,
        marker: Presented | None,
        failures: int,
        next_attempt_at: float | None,
        last_error: str,
        strike_at: float | None = None,
    ) -> bool:
        """Remember that an attempt has failed, and when there may be another one.

        Args:
            connection: The connection, as it was before the attempt.
            marker: What is known of the refresh token now; None when it is as good as never sent.
            failures: How many attempts have failed in a row.
            next_attempt_at: In Unix seconds.
            last_error: What to tell; not secret.
            strike_at: The time, if the provider has refused in a way that nobody knows.

        Returns:
            False when somebody else has taken a step from there; then nothing is changed.
        """
        check_text("last_error", last_error)
        if next_attempt_at is not None:
            check_seconds("next_attempt_at", next_attempt_at)
        first = connection.first_strike_at
        values = {
            "id": connection.id,
            "failures": failures,
            "next_attempt_at": next_attempt_at,
            "last_error": last_error,
            "strikes": connection.strikes if strike_at is None else connection.strikes + 1,
            "first_strike_at": strike_at if first is None else first,
        }
        return await self._work.run(
            partial(_postpone, connection=connection, marker=marker, values=values)
        )

    async def fail(self, connection: StoredConnection, reason: Reason, last_error: str) -> bool:
        """Erase the tokens for good: only the owner's consent brings new ones.

        The configuration is kept for it. Connections that have the same token fail with it.

        Returns:
            False when the connection has another generation already; then nothing is changed.
        """
        check_text("last_error", last_error)
        if reason not in REASONS:
            raise ValueError(f"reason must be one of {', '.join(REASONS)}, not {reason!r}")
        return await self._work.run(
            partial(_fail, connection=connection, reason=reason, last_error=last_error)
        )

    async def force(self, connection: StoredConnection, at: float) -> bool:
        """Remember that somebody wanted other tokens, whatever the age of these.

        It holds for all that have the same token, and until there is another grant.

        Returns:
            False when somebody else was quicker; then nothing is changed.
        """
        check_seconds("at", at)
        return await self._work.run(partial(_force, connection=connection, at=at))

    async def ending(self) -> tuple[str, ...]:
        """The ids of the consented connections that have a token with an end.

        None of their rows is read: what is wrong with one of them is of no concern to the others.
        """
        return await self._work.run(_ending)


def _present(database: Database, connection: StoredConnection, presented: Presented) -> bool:
    with changing(database, connection.id):
        row = _unmoved(database, connection, "failures", "next_attempt_at")
        earlier = None if connection.presented is None else connection.presented.attempt_id
        if row is None or row["attempt_id"] != earlier:
            return False
        for connection_id in _holders(database, connection):
            _rows.mark(database, presented, "id = :id", {"id": connection_id})
    return True


def _renew(
    database: Database, connection: StoredConnection, tokens: Tokens
) -> StoredConnection | None:
    with changing(database, connection.id):
        row = _unmoved(database, connection)
        if row is None:
            return None
        return renew_chain(database, _rows.opened(database, row), tokens)


def _postpone(
    database: Database,
    connection: StoredConnection,
    marker: Presented | None,
    values: Mapping[str, object],
) -> bool:
    with changing(database, connection.id):
        row = _unmoved(database, connection, "failures", "next_attempt_at", "strikes")
        if row is None:
            return False
        database.connection.execute(_POSTPONE, values)
        _rows.mark(database, marker, "id = :id", {"id": row["id"]})
        # The same attempt stands in the rows of all that have the token.
        chain = {"lock_key": row["lock_key"], "attempt": row["attempt_id"]}
        _rows.mark(database, marker, "lock_key = :lock_key AND attempt_id = :attempt", chain)
    return True


def _fail(
    database: Database, connection: StoredConnection, reason: Reason, last_error: str
) -> bool:
    with changing(database, connection.id):
        row = _unmoved(database, connection)
        if row is None:
            return False
        register_key(database)
        opened = _rows.opened(database, row)
        for each in (opened, *_rows.siblings(database, opened)):
            _rows.write(database, failed(each, reason, last_error, time.time()))
    discard(database, connection.id)
    clear_log(database.connection)
    return True


def _force(database: Database, connection: StoredConnection, at: float) -> bool:
    with changing(database, connection.id):
        row = _unmoved(database, connection, "forced_at")
        if row is None:
            return False
        for connection_id in _holders(database, connection):
            database.connection.execute(
                "UPDATE connections SET forced_at = ? WHERE id = ?", (at, connection_id)
            )
    return True


def _ending(database: Database) -> tuple[str, ...]:
    found = database.connection.execute(
        "SELECT id FROM connections WHERE state = 'active' AND source = 'oauth'"
        " AND (expires_at IS NOT NULL OR refresh_expires_at IS NOT NULL) ORDER BY id"
    )
    return tuple(connection_id for (connection_id,) in found)


def _unmoved(database: Database, connection: StoredConnection, *fields: str) -> Row | None:
    """The row of a connection, if it has tokens and is as it was read, in these fields too."""
    row = _rows.TABLE.row(database, connection.id)
    if row is None or row["state"] != "active":
        return None
    same = (row[field] == getattr(connection, field) for field in ("generation", *fields))
    return row if all(same) else None


def _holders(database: Database, connection: StoredConnection) -> tuple[str, ...]:
    """The ids of all that have the token of a connection."""
    return (connection.id, *(sibling.id for sibling in _rows.siblings(database, connection)))

"""Changes the key of a vault: everything is sealed with the first key of the ring, row by row.

Each row is a transaction of its own, so nobody waits for long. Whatever a value is sealed with, it
says so itself: killed in the middle, this is run again and does what is left. The other keys are
forgotten in a transaction that has seen nothing that needs them.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from connectors.local import _consent_rows, _oauth_apps, _revocations, _rows, _settings
from connectors.local._database import clear_log
from connectors.local._errors import VaultBusyError
from connectors.local._schema import writing
from connectors.local._sealing import Database, register_key
from connectors.local._spool import is_empty, settle_all
from connectors.local._tables import Table
from connectors.local._work import Work

_TABLES: Final = (
    _rows.TABLE,
    _settings.TABLE,
    _oauth_apps.TABLE,
    _consent_rows.TABLE,
    _revocations.TABLE,
)
# What another process seals with an earlier key in the meantime is left for the next pass.
_PASSES: Final = 5


@attrs.frozen
class _Left:
    """A row that needs an earlier key."""

    table: Table
    key: str


async def reseal(work: Work, progress: Callable[[int, int], None]) -> None:
    """Seal every value with the first key; then no other key is needed.

    Raises:
        VaultBusyError: Another process goes on sealing with an earlier key.
    """
    for _ in range(_PASSES):
        await work.run(settle_all)
        left = await work.run(_left)
        for done, row in enumerate(left, 1):
            await work.run(partial(_reseal, left=row))
            progress(done, len(left))
        if await work.run(_forget_keys):
            return
    await work.run(_give_up)


def _left(database: Database) -> tuple[_Left, ...]:
    return tuple(_Left(table, key) for table in _TABLES for key in _keys_of(database, table))


def _keys_of(database: Database, table: Table) -> list[str]:
    beginning = database.ring.beginning
    other = " OR ".join(f"substr({field}, 1, :length) <> :beginning" for field in table.sealed)
    values = {"beginning": beginning, "length": len(beginning)}
    return [row[table.key] for row in table.rows(database, other, values)]


def _reseal(database: Database, left: _Left) -> None:
    table = left.table
    with writing(database.connection, database.path):
        row = table.row(database, left.key)
        if row is not None:
            register_key(database)
            secrets = {field: table.found(database, row, field) for field in table.sealed}
            table.write(database, {name: row[name] for name in table.plain}, secrets)


def _forget_keys(database: Database) -> bool:
    with writing(database.connection, database.path):
        if _left(database) or not is_empty(database):
            return False
        register_key(database)
        database.connection.execute(
            "DELETE FROM sealing_keys WHERE id <> ?", (database.ring.ids[0],)
        )
    clear_log(database.connection)
    return True


def _give_up(database: Database) -> None:
    raise VaultBusyError(
        database.path,
        "another process goes on sealing with an earlier key; end it, or give it the new key "
        "first, and try again",
    )

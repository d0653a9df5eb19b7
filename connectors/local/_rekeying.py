"""Changes the key of a vault: everything is sealed with the first key of the ring, row by row.

Each row is a transaction of its own, so nobody waits for long. Whatever a value is sealed with, it
says so itself: killed in the middle, this is run again and does what is left. The other keys are
forgotten in a transaction that has seen nothing that needs them.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from connectors.local import _rows, _settings
from connectors.local._database import clear_log
from connectors.local._errors import VaultBusyError
from connectors.local._schema import writing
from connectors.local._sealing import Database, SealedTable, register_key
from connectors.local._work import Work

_TABLES: Final = (_rows.TABLE, _settings.TABLE)
# What another process seals with an earlier key in the meantime is left for the next pass.
_PASSES: Final = 5


@attrs.frozen
class _Left:
    """A row that needs an earlier key."""

    table: SealedTable
    key: str


async def reseal(work: Work, progress: Callable[[int, int], None]) -> None:
    """Seal every value with the first key; then no other key is needed.

    Raises:
        VaultBusyError: Another process goes on sealing with an earlier key.
    """
    for _ in range(_PASSES):
        left = await work.run(_left)
        for done, row in enumerate(left, 1):
            await work.run(partial(_reseal, row=row))
            progress(done, len(left))
        if await work.run(_forget_keys):
            return
    await work.run(_give_up)


def _left(database: Database) -> tuple[_Left, ...]:
    return tuple(_Left(table, key) for table in _TABLES for key in _keys_of(database, table))


def _keys_of(database: Database, table: SealedTable) -> list[str]:
    beginning = database.ring.beginning
    other = " OR ".join(f"substr({field}, 1, :length) <> :beginning" for field in table.fields)
    found = database.connection.execute(
        f"SELECT {table.key} FROM {table.name} WHERE {other}",  # noqa: S608 - constants.
        {"beginning": beginning, "length": len(beginning)},
    )
    return [key for (key,) in found]


def _reseal(database: Database, row: _Left) -> None:
    table = row.table
    columns = (*table.columns, *table.fields)
    with writing(database.connection, database.path):
        found = database.connection.execute(
            f"SELECT {', '.join(columns)} FROM {table.name} WHERE {table.key} = ?",  # noqa: S608 - constants.
            (row.key,),
        ).fetchone()
        if found is None:
            return
        register_key(database)
        values = dict(zip(columns, found, strict=True))
        for field in table.fields:
            if values[field] is not None:
                _reseal_value(database, row, field, values)


def _reseal_value(database: Database, row: _Left, field: str, values: dict[str, object]) -> None:
    place = row.table.place(values, field)
    secret = database.unseal(values[field], place, f"row {row.key} of {row.table.name}")
    database.connection.execute(
        f"UPDATE {row.table.name} SET {field} = ? WHERE {row.table.key} = ?",  # noqa: S608 - constants.
        (database.ring.seal(secret, place), row.key),
    )


def _forget_keys(database: Database) -> bool:
    with writing(database.connection, database.path):
        if _left(database):
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

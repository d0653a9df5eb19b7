"""Secrets of the vault itself, by name: made when they are first asked for, then kept."""

import time
from typing import Final

from connectors.local._crypto import Place
from connectors.local._schema import writing
from connectors.local._sealing import Database, SealedTable, register_key
from transports import Secret


def find_setting(database: Database, name: str) -> Secret | None:
    """The setting, if it has been kept."""
    row = database.connection.execute(
        "SELECT value_ct FROM settings WHERE name = ?", (name,)
    ).fetchone()
    return None if row is None else _unsealed(database, name, row[0])


def keep_setting(database: Database, name: str, made: Secret) -> Secret:
    """Keep a setting; if another process was quicker, the one that it has kept."""
    with writing(database.connection, database.path):
        kept = find_setting(database, name)
        if kept is not None:
            return kept
        register_key(database)
        database.connection.execute(
            "INSERT INTO settings (name, value_ct, created_at) VALUES (?, ?, ?)",
            (name, database.ring.seal(made, _place(name)), time.time()),
        )
    return made


def _unsealed(database: Database, name: str, sealed: object) -> Secret:
    return database.unseal(sealed, _place(name), f"setting {name}")


def _place(name: str) -> Place:
    return Place(("setting", name), 1, "value_ct")


TABLE: Final = SealedTable(
    "settings",
    key="name",
    columns=("name",),
    fields=("value_ct",),
    place=lambda row, _: _place(row["name"]),
)

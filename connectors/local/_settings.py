"""Secrets of the vault itself, by name: made when they are first asked for, then kept."""

import time
from typing import Final

from connectors.local._crypto import Place
from connectors.local._schema import writing
from connectors.local._sealing import Database, register_key
from connectors.local._tables import Table
from transports import Secret

TABLE: Final = Table(
    "settings",
    noun="setting",
    key="name",
    plain=("name", "created_at"),
    sealed=("value_ct",),
    place=lambda row, field: Place(("setting", row["name"]), 1, field),
)


def find_setting(database: Database, name: str) -> Secret | None:
    """The setting, if it has been kept."""
    row = TABLE.row(database, name)
    return None if row is None else TABLE.unsealed(database, row, "value_ct")


def keep_setting(database: Database, name: str, made: Secret) -> Secret:
    """Keep a setting; if another process was quicker, the one that it has kept."""
    with writing(database.connection, database.path):
        kept = find_setting(database, name)
        if kept is not None:
            return kept
        register_key(database)
        TABLE.write(database, {"name": name, "created_at": time.time()}, {"value_ct": made})
    return made

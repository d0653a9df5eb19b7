"""The keys of an open vault: which ones it needs, sealing with them, and changing them.

The vault remembers the id of every key that something in it is sealed with, and a constant sealed
with that key. So an opening finds out whether it has all keys before it reads or writes a value. A
key is remembered in the transaction that first uses it, and forgotten by `reseal`.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from connectors.local._crypto import KeyRing, Place, SealError, UnknownKeyError
from connectors.local._errors import VaultDamagedError, VaultKeyError
from transports import Secret

_CHECK: Final = Secret("base44-connectors")


@attrs.frozen
class Database:
    """An open vault: its file, the connection to it, and the keys."""

    path: Path
    connection: sqlite3.Connection
    ring: KeyRing

    def unseal(self, sealed: object, place: Place, row: str) -> Secret:
        """Open a sealed value of a row.

        Raises:
            VaultKeyError: It was sealed with a key that this process does not have.
            VaultDamagedError: It was edited, or moved here from another place.
        """
        try:
            return self.ring.unseal(sealed, place)
        except UnknownKeyError as error:
            raise _missing_key(self, error.key_id) from None
        except SealError as error:
            raise VaultDamagedError(
                self.path, f"the {place.field} of {row} is damaged ({error}); restore a backup"
            ) from None


@attrs.frozen
class SealedTable:
    """A table in which values are sealed."""

    name: str
    key: str
    """The column of its primary key."""

    columns: tuple[str, ...]
    """What says where a value belongs."""

    fields: tuple[str, ...]
    """The columns whose values are sealed, unless they are NULL."""

    place: Callable[[Mapping[str, Any], str], Place]
    """From these columns of a row and a field to where its value belongs."""


def check_keys(database: Database) -> None:
    """Refuse a vault that needs a key that is not there; writes nothing."""
    rows = database.connection.execute("SELECT id, check_ct FROM sealing_keys").fetchall()
    if not rows:
        raise VaultDamagedError(database.path, "it has lost its keys' ids; restore a backup")
    for key_id, sealed in rows:
        if key_id not in database.ring.ids:
            raise _missing_key(database, key_id)
        database.unseal(sealed, _check_place(key_id), f"key {key_id}")


def register_key(database: Database) -> None:
    """Remember the key that seals here; part of every transaction that seals."""
    key_id = database.ring.ids[0]
    database.connection.execute(
        "INSERT OR IGNORE INTO sealing_keys (id, check_ct, created_at) VALUES (?, ?, ?)",
        (key_id, database.ring.seal(_CHECK, _check_place(key_id)), time.time()),
    )


def _check_place(key_id: str) -> Place:
    return Place(("key", key_id), 1, "check")


def _missing_key(database: Database, key_id: str) -> VaultKeyError:
    have = ", ".join(database.ring.ids)
    return VaultKeyError(
        database.path,
        f"it is sealed with the key {key_id}, and the keys at hand are {have} (these are ids, "
        "not keys); give the key that the vault was made with",
    )

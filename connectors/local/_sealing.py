"""The keys of an open vault: which ones it needs, sealing with them, and changing them.

The vault remembers the id of every key that something in it is sealed with, and a constant sealed
with that key. So an opening finds out whether it has all keys before it reads or writes a value. A
key is remembered from the opening on that may seal with it, and forgotten by `reseal`. Whoever has
the vault open and only the forgotten key seals nothing any more: nobody could open it.
"""

import sqlite3
import time
from pathlib import Path
from typing import Final

import attrs

from connectors.local._crypto import KeyRing, Place, SealError, UnknownKeyError
from connectors.local._database import transaction
from connectors.local._errors import VaultDamagedError, VaultKeyError
from transports import Secret

_CHECK: Final = Secret("base44-connectors")


@attrs.frozen
class Database:
    """An open vault: its file, the connection to it, and the keys."""

    path: Path
    connection: sqlite3.Connection
    ring: KeyRing
    is_established: bool = False
    """Was the key that seals here remembered when the vault was opened?"""

    def unseal(self, sealed: object, place: Place, row: str) -> Secret:
        """Open a sealed value of a row.

        Raises:
            VaultKeyError: It was sealed with a key that this process does not have.
            VaultDamagedError: It was edited, or moved here from another place.
        """
        try:
            return self.ring.unseal(sealed, place)
        except UnknownKeyError as error:
            raise missing_key(self, error.key_id) from None
        except SealError as error:
            raise VaultDamagedError(
                self.path, f"the {place.field} of {row} is damaged ({error}); restore a backup"
            ) from None


def check_keys(database: Database) -> None:
    """Refuse a vault that needs a key that is not there; writes nothing."""
    rows = database.connection.execute("SELECT id, check_ct FROM sealing_keys").fetchall()
    if not rows:
        raise VaultDamagedError(database.path, "it has lost its keys' ids; restore a backup")
    for key_id, sealed in rows:
        if key_id not in database.ring.ids:
            raise missing_key(database, key_id)
        database.unseal(sealed, _check_place(key_id), f"key {key_id}")


def establish_key(database: Database) -> Database:
    """Remember the key that seals here, before anything is sealed with it; part of an opening.

    Raises:
        VaultKeyError: The vault was given another key since its keys were looked at.
    """
    if not is_remembered(database, database.ring.ids[0]):
        with transaction(database.connection):
            check_keys(database)
            register_key(database)
    return attrs.evolve(database, is_established=True)


def register_key(database: Database) -> None:
    """Make sure that the vault remembers the key that seals here; part of what seals.

    Raises:
        VaultKeyError: It has been forgotten since the vault was opened.
    """
    if database.is_established:
        demand_key(database)
        return
    key_id = database.ring.ids[0]
    # Another process that opens the vault may have been quicker.
    database.connection.execute(
        "INSERT INTO sealing_keys (id, check_ct, created_at) VALUES (?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (key_id, database.ring.seal(_CHECK, _check_place(key_id)), time.time()),
    )


def demand_key(database: Database) -> None:
    """Make sure that the key that seals in an open vault has not been forgotten.

    Raises:
        VaultKeyError: It has been.
    """
    if not is_remembered(database, database.ring.ids[0]):
        raise VaultKeyError(
            database.path,
            "its key was changed while it was open, and this program has only the former one; give "
            "it the new one",
        )


def is_remembered(database: Database, key_id: str) -> bool:
    """Is anything in the vault sealed with this key, as far as it knows?"""
    found = database.connection.execute("SELECT 1 FROM sealing_keys WHERE id = ?", (key_id,))
    return found.fetchone() is not None


def _check_place(key_id: str) -> Place:
    return Place(("key", key_id), 1, "check")


def missing_key(database: Database, key_id: str) -> VaultKeyError:
    """The error for what is sealed with a key that is not in the ring."""
    have = ", ".join(database.ring.ids)
    return VaultKeyError(
        database.path,
        f"it is sealed with the key {key_id}, and the keys at hand are {have} (these are ids, "
        "not keys); give the key that the vault was made with",
    )

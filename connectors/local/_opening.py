"""Opens a vault: makes it when there is none, and looks at it closely before it touches it.

The order is the point. The file's kind and mode come first, then what it says it is, then the
keys: each has to be right before anything is written, and none is repaired. A new vault is built
complete and linked to its place, after its key: whenever a process is killed, the next one finds no
vault, or a whole one together with its key. So an empty file is no vault that was being made: it
is what a failed copy leaves, and it is refused.
"""

import time
from functools import partial
from pathlib import Path
from typing import Literal

from connectors.local._crypto import KeyRing
from connectors.local._database import connect
from connectors.local._drafts import remove_forgotten
from connectors.local._errors import VaultDamagedError
from connectors.local._files import check_private, exists, make_folder, publish
from connectors.local._keyfile import find_keys
from connectors.local._mounts import check_local
from connectors.local._places import key_file
from connectors.local._schema import APPLICATION_ID, check_schema, migrate
from connectors.local._sealing import Database, check_keys, establish_key, register_key


def open_vault(path: Path, given: KeyRing | None, timeout: float) -> Database:
    """Open the vault at an absolute path, and make it if nothing is there.

    Args:
        path: Its file.
        given: Its keys, when the program has them; otherwise they are looked for.
        timeout: Seconds to wait for locks of other processes.

    Raises:
        VaultError: Any but `VaultUsageError`; the file is as it was.
    """
    check_local(path)
    if not exists(path):
        _create(path, given)
    if check_private(path).st_size == 0:
        raise VaultDamagedError(path, "it is empty; restore a backup, or remove it to begin anew")
    ring = find_keys(path, given, create=False)
    _check(path, ring, timeout)
    connection = connect(path, mode="rw", timeout=timeout)
    try:
        migrate(connection)
        database = establish_key(Database(path, connection, ring))
    except BaseException:
        connection.close()
        raise
    _tidy(path)
    return database


def _create(path: Path, given: KeyRing | None) -> None:
    make_folder(path.parent)
    ring = find_keys(path, given, create=True)
    # Another process may be quicker: then its vault is the one, and it has the same key.
    publish(path, partial(_build, ring=ring))


def _tidy(path: Path) -> None:
    now = time.time()
    for file in (path, key_file(path)):
        remove_forgotten(file, now)


def _build(draft: Path, ring: KeyRing) -> None:
    connection = connect(draft, mode="rw", timeout=0)
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection)
        register_key(Database(draft, connection, ring))
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _check(path: Path, ring: KeyRing, timeout: float) -> None:
    connection = connect(path, mode=careful_mode(path), timeout=timeout)
    try:
        check_schema(connection, path)
        check_keys(Database(path, connection, ring))
    finally:
        connection.close()


def careful_mode(path: Path) -> Literal["ro", "rw"]:
    """How to open a database and leave its files as they are."""
    # What a dead process left in these files would be moved into the database by whoever closes it
    # last; only for a reader it stays where it is. Without them it is the other way round: a reader
    # would make them and leave them behind.
    left = (path.with_name(path.name + suffix) for suffix in ("-wal", "-journal"))
    return "ro" if any(map(exists, left)) else "rw"

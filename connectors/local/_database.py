"""SQLite as the vault uses it: how it is opened, what a transaction is, what its errors mean.

The file is in WAL mode from its birth, so readers never wait. A connection of this module never
makes a file: it opens what is there. Transactions are explicit (`isolation_level=None`), and one
that writes takes the write lock first: it may wait for it, and can't fail half way because of it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

from connectors.local._errors import (
    VaultBusyError,
    VaultDamagedError,
    VaultError,
    VaultForeignError,
    VaultPermissionError,
    VaultStorageError,
)

_PRAGMAS: Final = (
    # Nothing is acknowledged before it is on the disk: a rotated token exists only here.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # A schema that was tampered with can't call functions.
    "PRAGMA trusted_schema = OFF",
    # What is erased is overwritten, not merely unlinked.
    "PRAGMA secure_delete = ON",
    "PRAGMA cell_size_check = ON",
)

_DAMAGED: Final = "it is damaged or not a vault; restore a backup, or move it away"
_BUSY: Final = "another process kept it locked for too long; try again"
_MEANINGS: Final[dict[int, tuple[type[VaultError], str]]] = {
    # The module's own errors have no code: text that is no UTF-8.
    0: (VaultDamagedError, _DAMAGED),
    # No such table or column, in a file that says it has them.
    sqlite3.SQLITE_ERROR: (VaultDamagedError, _DAMAGED),
    sqlite3.SQLITE_CORRUPT: (VaultDamagedError, _DAMAGED),
    sqlite3.SQLITE_NOTADB: (VaultDamagedError, _DAMAGED),
    sqlite3.SQLITE_BUSY: (VaultBusyError, _BUSY),
    sqlite3.SQLITE_LOCKED: (VaultBusyError, _BUSY),
    sqlite3.SQLITE_FULL: (VaultStorageError, "the disk is full; make room and try again"),
    sqlite3.SQLITE_READONLY: (VaultPermissionError, "it can't be written; check who owns it"),
    # Only for a reader, that must not take it over: a vault, being in WAL mode, leaves no journal.
    sqlite3.SQLITE_READONLY_ROLLBACK: (
        VaultForeignError,
        "a program that is no vault was killed while it wrote to it; choose another path",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        VaultPermissionError,
        "it can't be opened; check who owns it and its folder",
    ),
}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise the errors of SQLite and of the file system as errors of the vault at this path."""
    try:
        yield
    except sqlite3.Error as error:
        kind, problem = _meaning(getattr(error, "sqlite_errorcode", 0))
        raise kind(path, f"{problem} (SQLite: {error})") from error
    except UnicodeDecodeError as error:
        # SQLite quotes the schema in what it says of it, whatever that has become.
        raise VaultDamagedError(path, _DAMAGED) from error
    except PermissionError as error:
        raise VaultPermissionError(
            error.filename or path, f"{error.strerror}; check who owns it and its folder"
        ) from error
    except OSError as error:
        raise VaultStorageError(error.filename or path, f"{error.strerror}") from error


def _meaning(code: int) -> tuple[type[VaultError], str]:
    # An extended code has the general one in its last byte.
    failed = (VaultStorageError, "the storage failed; look at the disk")
    return _MEANINGS.get(code) or _MEANINGS.get(code & 0xFF) or failed


def connect(path: Path, *, mode: Literal["ro", "rw"], timeout: float) -> sqlite3.Connection:
    """Open a database file that is there.

    Args:
        path: An absolute path.
        mode: `ro` never changes the file, not even by taking over what a dead process left.
        timeout: Seconds to wait for locks of other processes.
    """
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        # Threads take turns: the session's lock sees to it.
        check_same_thread=False,
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock; commit at the end, or leave everything as it was on any error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself when the disk is full.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def clear_log(connection: sqlite3.Connection) -> None:
    """Move the log into the database and empty it: what was erased is in neither.

    Best effort: while another process reads an old state, the log has to stay.
    """
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def number(connection: sqlite3.Connection, pragma: str) -> int:
    """The value of a pragma that is a number."""
    value: int = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    return value

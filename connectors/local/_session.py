"""The life of a vault's connection in one process: opened when first needed, used in turns, closed.

Everything here blocks: `connectors.local._vault` calls it in worker threads. The lock is what
makes threads take turns, also those of different event loops. After a fork the child has a copy of
the connection that it must neither use nor close, because its locks belong to the parent.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from connectors.local._crypto import KeyRing
from connectors.local._database import translated
from connectors.local._errors import VaultKeyError, VaultStorageError, VaultUsageError
from connectors.local._files import file_id
from connectors.local._opening import open_vault
from connectors.local._schema import check_schema
from connectors.local._sealing import Database

_T = TypeVar("_T")


class Session:
    """Runs pieces of work on an open vault, one at a time."""

    def __init__(self, path: Path, keys: KeyRing | None, timeout: float) -> None:
        self._path = path
        self._keys = keys
        self._timeout = timeout
        self._lock = threading.Lock()
        self._database: Database | None = None
        self._file: tuple[int, int] | None = None
        self._process: int | None = None
        self._closed = False

    @property
    def state(self) -> str:
        """In a word, for a repr."""
        if self._closed:
            return "closed"
        return "open" if self._database else "not open"

    def run(self, work: Callable[[Database], _T]) -> _T:
        """Do one piece of work on the vault; opens it if need be.

        Raises:
            VaultUsageError: The vault was closed, or opened by the parent of this process.
            VaultError: It can't be opened or used.
        """
        if self._is_inherited():
            raise VaultUsageError(
                self._path, "it was opened before a fork; make a new Vault in the child process"
            )
        # Before the lock: a child must not wait for one that was held when it was forked.
        self._process = os.getpid()
        with self._lock, translated(self._path):
            try:
                return work(self._ready())
            except VaultKeyError:
                if self._keys is not None:
                    raise
                # The key was changed while the vault was open: its file has the new one.
                self._disconnect()
                return work(self._ready())

    def close(self) -> None:
        """Close the connection; it may be called again, and in a forked child does nothing."""
        if self._is_inherited():
            return
        with self._lock, translated(self._path):
            self._closed = True
            self._disconnect()

    def _disconnect(self) -> None:
        if self._database is not None:
            self._database.connection.close()
            self._database = None

    def _is_inherited(self) -> bool:
        return self._process not in {None, os.getpid()}

    def _ready(self) -> Database:
        if self._closed:
            raise VaultUsageError(self._path, "it was closed; make a new Vault")
        if self._database is None:
            self._database = open_vault(self._path, self._keys, self._timeout)
            self._file = file_id(self._path)
        elif self._file != file_id(self._path):
            raise VaultStorageError(
                self._path, "it was moved, removed or replaced while it was open; make a new Vault"
            )
        check_schema(self._database.connection, self._path)
        return self._database

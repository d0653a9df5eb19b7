"""What can go wrong with a vault, sorted by what its owner can do about it.

Each error names the file that it is about and says what to do next. None holds a key, a token or a
sealed value. The base is a plain `Exception`: a vault is used without any client too.
"""

import os


class VaultError(Exception):
    """Raised when a vault can't do what it is asked to; the base of all its errors."""

    path: str
    """The file that the error is about: the vault, or the file of its key."""

    def __init__(self, path: str | os.PathLike[str], problem: str) -> None:
        super().__init__(os.fspath(path), problem)
        self.path = os.fspath(path)

    def __str__(self) -> str:
        return ": ".join(map(str, self.args))


class VaultKeyError(VaultError):
    """Raised when the key is missing, malformed or of another vault: give the right one."""


class VaultSchemaError(VaultError):
    """Raised when a newer release has made or changed the vault: update this package."""


class VaultForeignError(VaultError):
    """Raised when the file is not a vault but something else: choose another path."""


class VaultDamagedError(VaultError):
    """Raised when the file or a value in it is not what was written: restore a backup."""


class VaultPermissionError(VaultError):
    """Raised when others may read the file, or we may not: change its mode or its owner."""


class VaultBusyError(VaultError):
    """Raised when another process held the vault for too long: try again."""


class VaultStorageError(VaultError):
    """Raised when the disk is full or fails: make room, or look at the disk."""


class VaultUsageError(VaultError):
    """Raised when a vault is used after `aclose` or in a forked child: change the program."""

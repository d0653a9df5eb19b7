"""Private files that are there complete or not at all.

A file is built under a name of its own, in the same folder, and then linked to its place. A link
never replaces anything, so of several processes that build the same file exactly one wins, and one
that is killed leaves nothing half made: at most a draft, `.<name>.<random>.new`, as private as the
file itself (see `connectors.local._drafts`). Where one file has to take the place of another, it is
renamed, which shows everybody the one or the other.

Windows has no mode bits that say who may read a file, and no way to sync a folder. There a file is
as private as the folder that it is in, and those of a user's profile are.

A vault's file is only ever looked at with `lstat`. To open and close it here would drop the locks
that SQLite holds on it for another connection of this process (POSIX locks go with any close).
"""

import os
import shlex
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from connectors.local._drafts import new_draft, remove_second_names
from connectors.local._errors import VaultForeignError, VaultPermissionError
from transports import Secret

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL

_POSIX: Final = os.name == "posix"
"""Do mode bits say who may read a file, and can a folder be synced?"""


def exists(path: Path) -> bool:
    """Is there anything at this path, be it a broken symbolic link?"""
    return os.path.lexists(path)


def file_id(path: Path) -> tuple[int, int] | None:
    """Which file is at this path; None when there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def make_folder(path: Path) -> None:
    """Make a folder that only its owner can enter; one that is there stays as it is."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def publish(path: Path, build: Callable[[Path], None], *, posix: bool = _POSIX) -> bool:
    """Build a file that only its owner can read, and put it in its place if that is free.

    Args:
        path: Its place, in a folder that is there.
        build: Fills the empty file that it is given, and closes it.
        posix: What the platform can do.

    Returns:
        False when something was in its place already; that is left as it is.
    """
    with _draft(path, build, posix=posix) as draft:
        return _linked(draft, path)


def replace(path: Path, build: Callable[[Path], None], *, posix: bool = _POSIX) -> None:
    """Build a file that only its owner can read, and put it in the place of another at once.

    Args:
        path: Its place.
        build: Fills the empty file that it is given, and closes it.
        posix: What the platform can do.
    """
    with _draft(path, build, posix=posix) as draft:
        draft.replace(path)


@contextmanager
def _draft(path: Path, build: Callable[[Path], None], *, posix: bool) -> Iterator[Path]:
    """A file that is built and on the disk, while the block puts it in its place."""
    draft = new_draft(path)
    os.close(os.open(draft, _NEW | _flags(), 0o600))
    try:
        build(draft)
        _sync(draft, os.O_RDWR)  # Windows syncs only what may be written.
        yield draft
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent, posix=posix)


def sync_folder(path: Path, *, posix: bool = _POSIX) -> None:
    """Have it on the disk which files are in a folder, where the platform can do that."""
    if posix:
        _sync(path, os.O_RDONLY)


def read_private(path: Path, most: int) -> Secret:
    """Read the beginning of a private text file, which is not a vault; see `check_private`."""
    check_private(path)
    with os.fdopen(os.open(path, os.O_RDONLY | _flags()), "rb") as file:
        return Secret(file.read(most).decode("ascii", "replace"))


def check_private(path: Path, *, posix: bool = _POSIX) -> os.stat_result:
    """Say what is at a path, when it is a file that nobody but its owner can read or write.

    Args:
        path: The path.
        posix: What the platform can do.

    Raises:
        VaultForeignError: It is a symbolic link, a folder or a device.
        VaultPermissionError: Its mode allows something to others.
    """
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise VaultForeignError(path, "is not a regular file; give the path of the file itself")
    if posix and found.st_mode & _OTHERS:
        raise VaultPermissionError(
            path, f"other users may read or write it; run: chmod 600 {shlex.quote(str(path))}"
        )
    if found.st_nlink > 1:
        # A process was killed between linking and unlinking.
        remove_second_names(path)
    return found


def _linked(draft: Path, path: Path) -> bool:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    return True


def _sync(path: Path, access: int) -> None:
    descriptor = os.open(path, access)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flags() -> int:
    # Windows has neither of the first two, and nothing else has the last.
    names = ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
    return sum(getattr(os, name, 0) for name in names)

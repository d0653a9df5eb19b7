"""Keeps vaults on disks of this machine.

The log of a vault is memory that its processes share, and what keeps two of them from presenting
one refresh token is a lock of the kernel. Over a network neither holds, and nobody would be told.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from connectors.local._errors import VaultStorageError

# Where Linux says what is mounted; see proc_pid_mountinfo(5).
_MOUNTS: Final = Path("/proc/self/mountinfo")
_NETWORK: Final = frozenset({"afs", "cifs", "fuse.sshfs", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"})
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


def check_local(path: Path, mounts: Path = _MOUNTS) -> None:
    """Refuse a path on a file system of another machine, where this one says what it has mounted.

    Args:
        path: An absolute path; its folder need not be there.
        mounts: The table of mounts. Without one nothing is refused.

    Raises:
        VaultStorageError: It is on one.
    """
    with suppress(OSError):
        kind = _kind(path.resolve(), mounts.read_text("utf-8", "surrogateescape"))
        if kind in _NETWORK:
            raise VaultStorageError(
                path,
                f"it is on a network file system ({kind}), where locks can't be relied on; choose "
                "a place on a disk of this machine",
            )


def _kind(path: Path, table: str) -> str | None:
    """The type of the file system that a path is on."""
    found = None
    # What is mounted later hides what was mounted at the same place before.
    longest = -1
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        point = Path(_ESCAPE.sub(lambda code: chr(int(code[1], 8)), before.split(" ")[4]))
        if path.is_relative_to(point) and len(point.parts) >= longest:
            longest, found = len(point.parts), after.split(" ")[0]
    return found

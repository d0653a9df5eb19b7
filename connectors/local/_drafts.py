"""Drafts, the names under which private files are built, and what killed processes leave of them.

A draft that is linked to its place already is only a second name: it goes when the file is next
looked at. Another one may be in the hands of a process that builds it, which takes milliseconds, so
only one that nobody has written to for an hour goes, when the vault is next opened. Should its
builder wake up after that, it fails with an error: it publishes nothing, and what was published
since is not touched.
"""

import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Final

FORGOTTEN_AFTER: Final = 3600.0
"""Seconds after which nobody can be building a draft any more."""

# SQLite keeps files beside the one that it works on.
_FORM: Final = r"\.{name}\.[0-9a-f]{{16}}\.new(?:-journal|-wal|-shm)?"


def new_draft(path: Path) -> Path:
    """A free name in the same folder."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")


def remove_second_names(path: Path) -> None:
    """Remove the drafts that are the same file as the one at this path."""
    # What is not the same file stays: another process may be building it.
    for draft in path.parent.glob(f".{escape(path.name)}.*.new"):
        with suppress(FileNotFoundError):
            if draft.samefile(path):
                draft.unlink()


def remove_forgotten(path: Path, now: float) -> None:
    """Remove the drafts of the file at this path that killed processes left, as far as possible.

    Args:
        path: The place that they were meant for.
        now: The time by the clock of the file system, in seconds since the epoch.
    """
    with suppress(OSError):
        for draft in _drafts(path):
            with suppress(OSError):  # Another process is quicker, or it is not ours to remove.
                found = draft.lstat()
                if stat.S_ISREG(found.st_mode) and found.st_mtime < now - FORGOTTEN_AFTER:
                    draft.unlink()


def _drafts(path: Path) -> Iterator[Path]:
    form = re.compile(_FORM.format(name=re.escape(path.name)))
    return (found for found in path.parent.iterdir() if form.fullmatch(found.name))

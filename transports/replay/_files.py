"""A file that is there complete or not at all, and that one process at a time may change.

It is built under a name of its own beside its place, and renamed. What is built has no secret in
it, so a draft that a killed process leaves behind is as harmless as the file.

The lock is `flock` on the folder: nothing is left of it, and the kernel frees it with its holder.
"""

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

from transports.replay._errors import CassetteError

# Seconds that another process may take to write a file of some hundred kilobytes.
_PATIENCE: Final = 10.0
_PAUSE: Final = 0.01

if sys.platform == "win32":  # pragma: no cover - there is no Windows among the tests' machines.

    @contextmanager
    def locked(_folder: Path) -> Iterator[None]:
        """Hold nothing: a folder can't be locked here, and of two that write the last one wins."""
        yield
else:
    import fcntl

    @contextmanager
    def locked(folder: Path) -> Iterator[None]:
        """Have a folder's cassettes to oneself, among all processes and threads.

        Raises:
            CassetteError: Another one has them, and does not let go.
        """
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            deadline = time.monotonic() + _PATIENCE
            while not _lock(descriptor):
                if time.monotonic() > deadline:
                    raise CassetteError(
                        f"Another process has been writing in {folder} for {_PATIENCE:g} seconds: "
                        "see what it waits for, and record again."
                    )
                time.sleep(_PAUSE)
            yield
        finally:
            os.close(descriptor)

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def write(path: Path, text: str) -> None:
    """Put a text in the place of a file, all at once. Who may read that stays as it is.

    Raises:
        OSError: It can't be written; what was there is as it was.
    """
    # Its name says nothing, so that it is no longer than the file's own.
    draft = path.with_name(f".{token_hex(8)}.new")
    try:
        # Half of a character, which somebody has written by hand, is an escape of JSON then.
        with draft.open("x", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            draft.chmod(stat.S_IMODE(path.stat().st_mode))
        draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)

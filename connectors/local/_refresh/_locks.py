"""A lock among processes that lives exactly as long as its holder.

`flock`, on a file of its own beside the vault. The kernel frees it when the holder dies and never
before: a holder that was suspended, or whose provider is slow, still has it, which no lease can
promise. The files are never removed. To unlink one would let two processes hold locks of the same
name.

A descriptor that a forked child inherits holds the lock too, so it is closed on exec.
"""

import os
import random
import sys
from pathlib import Path
from typing import Final, final

import anyio

from connectors.local._database import translated
from connectors.local._files import make_folder
from connectors.local._threads import finish

if sys.platform == "win32":  # pragma: no cover - there is no Windows among the tests' machines.
    import msvcrt

    def _locked(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _locked(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


# Seconds between two looks at a lock that somebody else has.
_PAUSE: Final = 0.05
_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@final
class ProcessLock:
    """A lock among all processes that use a vault; `async with` holds it.

    Args:
        vault: The vault's file.
        name: What is locked, as something that a file may be called.

    Entering raises a `VaultError` when the file system has no such locks, or refuses the file.
    Cancelled while it waits, it has no lock.
    """

    def __init__(self, vault: Path, name: str) -> None:
        self._path = vault.with_name(f"{vault.name}.locks") / name
        self._descriptor: int | None = None

    async def __aenter__(self) -> None:
        limiter = anyio.CapacityLimiter(1)
        try:
            # The kernel tells nobody when a lock becomes free, unless they block a thread on it.
            while not await finish(self._try_acquire, limiter):  # noqa: ASYNC110
                await anyio.sleep(_PAUSE * (0.5 + random.random()))  # noqa: S311 - a pause.
        except BaseException:
            self._release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._release()

    def _try_acquire(self) -> bool:
        with translated(self._path):
            if self._descriptor is None:
                make_folder(self._path.parent)
                self._descriptor = os.open(self._path, _FLAGS, 0o600)
            return _locked(self._descriptor)

    def _release(self) -> None:
        # To close the file is what frees the lock.
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

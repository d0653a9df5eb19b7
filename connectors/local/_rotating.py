"""Gives a vault another key, so that it may be broken off anywhere and run again.

The new key is in the key file before anything is sealed with it, and the former one stays behind it
until nothing needs it any more. So at every moment the file has all keys that the vault needs, and
one with several keys says that a change has to be brought to its end.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio

from connectors.local._database import translated
from connectors.local._keyfile import begin_key_change, end_key_change
from connectors.local._places import key_file
from connectors.local._refresh._locks import ProcessLock
from connectors.local._threads import finish
from connectors.local._vault import Vault

_T = TypeVar("_T")


async def rotate_key(path: Path, progress: Callable[[int, int], None]) -> bool:
    """Make a new key for a vault whose key is in its key file, and seal everything with it.

    Programs that have the vault open, and their key from the file, go on with the new one.

    Args:
        path: The vault's file.
        progress: Is told after each row how many are done, and of how many.

    Returns:
        False when it has brought an earlier change to its end, with the key that that had made.

    Raises:
        VaultError: The vault or its key file can't be used. It can be run again.

    Cancelled, or killed, it leaves a vault that can be used; run again, it does what is left.
    """
    async with Vault(path), ProcessLock(path, "key-change"):
        is_new = await _in_thread(path, begin_key_change)
        async with Vault(path) as vault:
            await vault.reseal(progress)
        await _in_thread(path, end_key_change)
    return is_new


async def _in_thread(path: Path, work: Callable[[Path], _T]) -> _T:
    def translating() -> _T:
        with translated(key_file(path)):
            return work(path)

    return await finish(translating, anyio.CapacityLimiter(1))

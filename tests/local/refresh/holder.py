"""Another process that takes a lock of a vault, says so, and keeps it until its input ends."""

import sys
from pathlib import Path

import anyio

from connectors.local._refresh._locks import ProcessLock


async def hold(vault: str, name: str) -> None:
    async with ProcessLock(Path(vault), name):
        sys.stdout.write("locked\n")
        sys.stdout.flush()
        await anyio.to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    anyio.run(hold, sys.argv[1], sys.argv[2])

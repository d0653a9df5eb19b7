"""Other processes of these tests: none of them outlives the tests, whatever happens."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio
from anyio.abc import Process

_PATIENCE: Final = 10.0


@asynccontextmanager
async def running(
    command: Sequence[str], env: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """Start a program; it has ended when this is left. What it complains of is the tests' too."""
    async with await anyio.open_process(command, env=env, stderr=None) as process:
        try:
            yield process
        finally:
            await _end(process)


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
        with anyio.move_on_after(_PATIENCE, shield=True):
            await process.wait()
            return
        process.kill()

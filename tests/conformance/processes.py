"""Other processes of these tests: none of them outlives the tests, whatever happens."""

import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import Process

_PATIENCE: Final = 10.0


@asynccontextmanager
async def running(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    cwd: Path | None = None,
    terminal: int | None = None,
) -> AsyncIterator[Process]:
    """Start a program; it has ended when this is left. What it complains of is the tests' too.

    With the file descriptor of a terminal it has that for its input and for all of its output.
    """
    pipe = subprocess.PIPE if terminal is None else terminal
    async with await anyio.open_process(
        command, stdin=pipe, stdout=pipe, stderr=terminal, env=env, cwd=cwd
    ) as process:
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

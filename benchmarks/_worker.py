"""The process of a contender: it runs what the benchmark asks for and says what that took.

A contender is an async context manager that is entered once, with the arguments of the command
line, and yields what can be run: async functions by name that take the number of calls and how many
are to be in flight. `each` makes one of a single call. The contender's libraries are imported when
it is entered, so that a worker holds no others; where one is missing, the worker says so and ends.

    {"ready": {"aiohttp": "3.14.5", ...}} | {"missing": "No module named 'httpx2'"}
    {"run": "call", "calls": 1000, "in_flight": 64}
    {"calls": 1000, "cpu": 0.21, "wall": 0.22, "figures": {}}

The lines go over stdin and stdout; a worker ends when its input does. Time is taken around a run
with the garbage collected before it, and connections opened by some calls that don't count.
"""

import gc
import json
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Any, Final, TextIO, TypeAlias

import anyio
import attrs

Run: TypeAlias = Callable[[int, int], Awaitable[Mapping[str, float] | None]]
"""Makes so many calls, so many at once; returns what it has counted besides, if anything."""

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Mapping[str, Run]]]

LOOPS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}
"""How anyio runs each event loop."""


@attrs.frozen
class Work:
    """What a worker can be started for."""

    open: Open
    packages: tuple[str, ...] = ()
    """The distributions whose versions it tells."""


def each(call: Callable[[str], Awaitable[object]]) -> Run:
    """A run of calls that each have a key, different from those of the calls beside it."""

    async def ask(key: str, turns: Iterator[int]) -> None:
        for _ in turns:
            await call(key)

    async def run(calls: int, in_flight: int) -> None:
        turns = iter(range(calls))
        if in_flight == 1:
            await ask("service-0", turns)
            return
        async with anyio.create_task_group() as tasks:
            for number in range(in_flight):
                tasks.start_soon(ask, f"service-{number}", turns)

    return run


def work(works: Mapping[str, Work], name: str, loop: str, *arguments: str) -> None:
    """Be the worker of that name until there is nothing more to do."""
    # Whatever a library prints is no answer of ours.
    replies, sys.stdout = sys.stdout, sys.stderr
    backend, options = LOOPS[loop]
    try:
        anyio.run(
            _serve, works[name], loop, arguments, replies, backend=backend, backend_options=options
        )
    except* ImportError as missing:
        _say(replies, missing=str(missing.exceptions[0]))
    except* KeyboardInterrupt:  # A nursery of trio has it in a group.
        pass  # Nobody waits for the rest.


async def _serve(work: Work, loop: str, arguments: Sequence[str], replies: TextIO) -> None:
    async with work.open(*arguments) as runs:
        _say(replies, ready=_versions(work, loop))
        # Nothing else is to run between two orders, so the loop may be held up.
        for line in sys.stdin:
            order = json.loads(line)
            _say(replies, **await _measured(runs[order["run"]], order["calls"], order["in_flight"]))


async def _measured(run: Run, calls: int, in_flight: int) -> dict[str, object]:
    await run(in_flight, in_flight)
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    figures = await run(calls, in_flight)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"calls": calls, "cpu": cpu, "wall": wall, "figures": figures or {}}


def _versions(work: Work, loop: str) -> dict[str, str]:
    packages = work.packages if loop == "asyncio" else (*work.packages, loop)
    return {"Python": platform.python_version(), **{name: version(name) for name in packages}}


def _say(replies: TextIO, **reply: object) -> None:
    print(json.dumps(reply), file=replies, flush=True)

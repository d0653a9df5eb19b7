"""What coalescing costs a call: ours, the way one writes it by hand, and none at all.

    python benchmarks/coalescing.py

Each design runs in turn, many rounds, in one process; a round's time is divided by that of the bare
event in the same round, so that what else the machine does falls out. Printed are the median ratio
of a call and its quartiles. `solo` is one caller after the other, `herd` 10,000 callers of one key
at once, `cancelled` the same, all cancelled before the fetch lands.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Coroutine

import anyio
import anyio.lowlevel

from connectors._coalescer import Coalescer

HERD = 10_000
SOLO = 2_000
ROUNDS = 15

Fetch = Callable[[], Coroutine[object, object, int]]
Run = Callable[[str, Fetch], Coroutine[object, object, int]]


class BareEvent:
    """The floor: wait for somebody else's event, with no promise kept."""

    def __init__(self) -> None:
        self._done: anyio.Event | None = None
        self._value = 0

    async def run(self, _key: str, fetch: Fetch) -> int:
        if self._done is None:
            self._done = done = anyio.Event()
            try:
                self._value = await fetch()
            finally:
                done.set()
                self._done = None
        else:
            await self._done.wait()
        return self._value


class ByHand:
    """What one writes without a library, on asyncio: a dict of shielded tasks.

    A fetch goes on when all who wanted it have gone, and its error is one object for all.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[int]] = {}

    async def run(self, key: str, fetch: Fetch) -> int:
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(fetch())
            task.add_done_callback(lambda _: self._tasks.pop(key, None))
        return await asyncio.shield(task)


async def _soon() -> int:
    await anyio.lowlevel.checkpoint()
    return 1


async def _never() -> int:
    await anyio.sleep_forever()
    return 0


async def solo(run: Run) -> int:
    for _ in range(SOLO):
        await run("key", _soon)
    return SOLO


async def herd(run: Run) -> int:
    async with anyio.create_task_group() as tasks:
        for _ in range(HERD):
            tasks.start_soon(run, "key", _soon)
    return HERD


async def cancelled(run: Run) -> int:
    async with anyio.create_task_group() as tasks:
        for _ in range(HERD):
            tasks.start_soon(run, "key", _never)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    return HERD


async def measure(backend: str) -> None:
    """Print a table for one event loop."""
    makers: dict[str, Callable[[], Run]] = {
        "bare event": lambda: BareEvent().run,
        "ours": lambda: Coalescer[str, int]().run,
    }
    if backend == "asyncio":
        makers["by hand"] = lambda: ByHand().run
    for shape in (solo, herd, cancelled):
        times: dict[str, list[float]] = {name: [] for name in makers}
        for _ in range(ROUNDS):
            for name, make in makers.items():
                began = time.perf_counter()
                calls = await shape(make())
                times[name].append((time.perf_counter() - began) / calls)
        _show(backend, shape.__name__, times)


def _show(backend: str, shape: str, times: dict[str, list[float]]) -> None:
    for name, measured in times.items():
        ratios = [one / floor for one, floor in zip(measured, times["bare event"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        microseconds = statistics.median(measured) * 1e6
        print(
            f"{backend:8} {shape:10} {name:11} x{middle:5.2f} ({low:.2f} to {high:.2f})"
            f"  {microseconds:7.1f} us a call"
        )


if __name__ == "__main__":
    for loop in sys.argv[1:] or ["asyncio", "trio"]:
        anyio.run(measure, loop, backend=loop)

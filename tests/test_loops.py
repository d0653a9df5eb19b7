"""The tests' own clocks."""

import time

import anyio
import anyio.lowlevel

from tests.loops import VIRTUAL, on


@on(VIRTUAL)
async def test_an_hour_of_virtual_time_takes_no_time() -> None:
    began, clock = time.monotonic(), anyio.current_time()
    await anyio.sleep(3600)
    assert 3600 <= anyio.current_time() - clock < 3601
    assert time.monotonic() - began < 5


@on(VIRTUAL)
async def test_timers_fire_in_order_of_virtual_time() -> None:
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await anyio.sleep(seconds)
        woken.append(seconds)

    async with anyio.create_task_group() as tasks:
        for seconds in (300, 100, 200):
            tasks.start_soon(sleeper, seconds)
    assert woken == [100, 200, 300]


async def test_every_backend_runs() -> None:
    await anyio.lowlevel.checkpoint()

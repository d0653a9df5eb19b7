"""Twenty thousand requests that end early at random leave nothing behind, and the pool is whole."""

import asyncio
import gc
import logging
import random
import threading
from collections import Counter
from pathlib import Path

import anyio
import pytest
import trio

from tests.loops import REAL, on
from tests.transports.raw_server import OK, Peer, serving
from transports import Request, TransportTimeoutError
from transports._loops import current_loop
from transports.aiohttp import AiohttpTransport

pytestmark = on(REAL)

REQUESTS = 20_000
AT_ONCE = 100
CONNECTIONS = 40


async def answering_when_it_likes(peer: Peer) -> None:
    while True:
        await peer.message()
        for piece in (OK[:-1], OK[-1:]):
            await anyio.sleep(chance.random() / 200)
            await peer.say(piece)


chance = random.Random(20_000)


def patience() -> float:
    """Seconds until a request is given up: from none to many, for a slow machine and a fast one."""
    return 10 ** chance.uniform(-4.5, 0.5)


class Storm:
    """Sends requests, and counts how they ended."""

    def __init__(self, transport: AiohttpTransport, url: str, requests: int) -> None:
        self._transport = transport
        self._url = url
        self._left = iter(range(requests))
        self.ends: Counter[str] = Counter()

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(self._go_on)

    async def _go_on(self) -> None:
        for number in self._left:
            if number % 2:
                with anyio.move_on_after(patience()) as scope:
                    await self.send(float("inf"))
                self.ends["cancelled"] += scope.cancelled_caught
            else:
                await self.send(anyio.current_time() + patience())

    async def send(self, deadline: float) -> None:
        try:
            await self._transport.send(Request("POST", self._url, body=b"{}", deadline=deadline))
        except TransportTimeoutError:
            self.ends["timed out"] += 1
        else:
            self.ends["answered"] += 1


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def tasks_here() -> int:
    if isinstance(current_loop(), asyncio.AbstractEventLoop):
        return len(asyncio.all_tasks())
    return trio.lowlevel.current_statistics().tasks_living


def threads() -> set[str]:
    # Those that wait for work are anyio's and trio's own, and end by themselves.
    idle = ("AnyIO worker", "Trio thread", "asyncio_")
    return {one.name for one in threading.enumerate() if not one.name.startswith(idle)}


async def storm(requests: int) -> Counter[str]:
    async with serving(answering_when_it_likes) as server:
        transport = AiohttpTransport(limit=CONNECTIONS, limit_per_host=CONNECTIONS)
        storm = Storm(transport, f"{server.url}/", requests)
        await storm.run()
        # Every place in the pool is free: as many are under way at once as there are places.
        async with anyio.create_task_group() as tasks:
            for _ in range(CONNECTIONS):
                tasks.start_soon(storm.send, anyio.current_time() + 10)
        await transport.aclose()
    assert sum(storm.ends.values()) == requests + CONNECTIONS
    return storm.ends


async def test_a_storm_leaves_nothing_behind_and_the_pool_whole(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    await storm(1)  # What a loop opens for itself, it opens now.
    before = (tasks_here(), threads(), open_files())
    ends = await storm(REQUESTS)
    assert min(ends[end] for end in ("answered", "cancelled", "timed out")) > 1000, ends
    gc.collect()
    assert (tasks_here(), threads(), open_files()) == before
    assert caplog.records == []

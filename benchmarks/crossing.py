"""What a request costs on trio, beside the same transport on asyncio and httpx2 on trio.

    python benchmarks/crossing.py

All ask one server on loopback, a process of its own that does next to nothing, in turns, many
rounds; a round's figure is divided by that of the row's peer in the same round, so that what else
the machine does falls out. `solo` is one request after the other, `64 at once` as many tasks that
each send the next when the last is answered. Printed are the median ratio of the time a request
takes and its quartiles: below 1 is faster than the peer.

`through a portal` is the same session behind anyio's `BlockingPortal.call_async`: what the
crossing of our own has to be worth.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

import anyio
import anyio.from_thread
import httpx2

from transports import Request, Response, TransportError
from transports._aiohttp._session import Session
from transports.aiohttp import AiohttpTransport

ROUNDS = 15
SOLO = 200
AT_ONCE = 64
HERD = 1_500

Send = Callable[[], Awaitable[object]]
Connect = Callable[[str], AbstractAsyncContextManager[Send]]

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Answering(asyncio.Protocol):
    """Answers whatever comes; a request is small enough to come in one piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, _: bytes) -> None:
        self._transport.write(ANSWER)


async def serve() -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def serving() -> Iterator[str]:
    """The URL of a server in a process of its own."""
    with subprocess.Popen(  # noqa: S603 - this file, by this Python.
        [sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.kill()


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Send]:
    """`AiohttpTransport`."""
    transport = AiohttpTransport(limit_per_host=AT_ONCE)
    yield lambda: transport.send(Request("GET", url))
    await transport.aclose()


@asynccontextmanager
async def through_a_portal(url: str) -> AsyncIterator[Send]:
    """Its session in an event loop that anyio has started in a thread."""

    async def make() -> Session:
        return Session(AiohttpTransport(limit_per_host=AT_ONCE)._settings)

    async def attempt() -> Response | TransportError:
        return await session.outcome(Request("GET", url), anyio.CancelScope())

    with anyio.from_thread.start_blocking_portal("asyncio") as portal:
        session = await portal.call_async(make)
        yield lambda: portal.call_async(attempt)
        await portal.call_async(session.aclose)


@asynccontextmanager
async def httpx2_client(url: str) -> AsyncIterator[Send]:
    """A client of httpx2."""
    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=100)) as client:
        yield lambda: client.get(url)


async def solo(send: Send) -> int:
    for _ in range(SOLO):
        await send()
    return SOLO


async def at_once(send: Send) -> int:
    async def ask() -> None:
        for _ in turns:
            await send()

    turns = iter(range(HERD))
    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(ask)
    return HERD


SHAPES = {"solo": solo, f"{AT_ONCE} at once": at_once}


async def seconds(connect: Connect, url: str) -> dict[str, float]:
    """How long a request takes, in each shape."""
    taken = {}
    async with connect(url) as send:
        await at_once(send)  # From here on the connections are there.
        for name, shape in SHAPES.items():
            began = time.perf_counter()
            number = await shape(send)
            taken[name] = (time.perf_counter() - began) / number
    return taken


ROWS: dict[str, tuple[str, Connect]] = {
    "ours on asyncio": ("asyncio", ours),
    "ours on trio": ("trio", ours),
    "through a portal on trio": ("trio", through_a_portal),
    "httpx2 on trio": ("trio", httpx2_client),
}

COMPARED = [
    ("ours on trio", "ours on asyncio"),
    ("ours on trio", "httpx2 on trio"),
    ("ours on trio", "through a portal on trio"),
]


def measure(url: str) -> None:
    """Print how the rows compare."""
    rounds = [
        {
            row: anyio.run(seconds, connect, url, backend=loop)
            for row, (loop, connect) in ROWS.items()
        }
        for _ in range(ROUNDS)
    ]
    for shape in SHAPES:
        for row, peer in COMPARED:
            ratios = [one[row][shape] / one[peer][shape] for one in rounds]
            low, middle, high = statistics.quantiles(ratios, n=4)
            microseconds = statistics.median(one[row][shape] for one in rounds) * 1e6
            print(
                f"{shape:10} {row} : {peer:24} x{middle:5.2f} ({low:.2f} to {high:.2f})"
                f"  {microseconds:6.0f} us a request"
            )


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        with serving() as where:
            measure(where)

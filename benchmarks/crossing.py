"""What a request costs on trio, where aiohttp does not run and `AiohttpTransport` uses a thread.

    python -m benchmarks.crossing

`ours on asyncio` is the same transport without the crossing. `through a portal` is its session
behind anyio's `BlockingPortal.call_async`: what the crossing of our own has to be worth. What
counts is time, because two threads that wait for each other cost less CPU than they take.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import anyio
import anyio.from_thread

from benchmarks._benchmark import main
from benchmarks._cases import WALL, Case, Contender, at_most, python
from benchmarks._servers import json_server
from benchmarks._worker import Run, Work, each

AT_ONCE: Final = 64


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Mapping[str, Run]]:
    from transports import Request
    from transports.aiohttp import AiohttpTransport

    transport = AiohttpTransport(limit_per_host=AT_ONCE)
    try:
        yield {"call": each(lambda key: transport.send(Request("GET", f"{url}/{key}")))}
    finally:
        await transport.aclose()


@asynccontextmanager
async def through_a_portal(url: str) -> AsyncIterator[Mapping[str, Run]]:
    from transports import Request, Response, TransportError
    from transports._aiohttp._session import Session
    from transports.aiohttp import AiohttpTransport

    async def make() -> Session:
        return Session(AiohttpTransport(limit_per_host=AT_ONCE)._settings)

    async def attempt(key: str) -> Response | TransportError:
        return await session.outcome(Request("GET", f"{url}/{key}"), anyio.CancelScope())

    with anyio.from_thread.start_blocking_portal("asyncio") as portal:
        session = await portal.call_async(make)
        yield {"call": each(lambda key: portal.call_async(attempt, key))}
        await portal.call_async(session.aclose)


@asynccontextmanager
async def httpx2(url: str) -> AsyncIterator[Mapping[str, Run]]:
    import httpx2

    async with httpx2.AsyncClient() as client:
        yield {"call": each(lambda key: client.get(f"{url}/{key}"))}


WORKERS: Final = {
    "ours": Work(ours, ("base44-connectors", "aiohttp", "anyio")),
    "through a portal": Work(through_a_portal, ("aiohttp", "anyio")),
    "httpx2": Work(httpx2, ("httpx2",)),
}


def _case(url: str, in_flight: int) -> Case:
    rows = (("ours", "trio"), ("ours", "asyncio"), ("through a portal", "trio"), ("httpx2", "trio"))
    return Case(
        f"a request, {in_flight} in flight",
        tuple(
            Contender(f"{name} on {loop}", python("crossing", name, loop, url), in_flight=in_flight)
            for name, loop in rows
        ),
        {"through a portal on trio": at_most(1.0)},
        WALL,
    )


@contextmanager
def cases() -> Iterator[list[Case]]:
    with json_server("{}") as url:
        yield [_case(url, in_flight) for in_flight in (1, AT_ONCE)]


if __name__ == "__main__":
    main("crossing", "What a request costs on trio", cases, WORKERS, serves=True)

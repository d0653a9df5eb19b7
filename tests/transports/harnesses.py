"""The transports that keep the contract, each with a way to stand a handler behind it.

To put another transport under the contract, write a `Harness` for it and add it to `ALL`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeAlias

import attrs
import pytest

from tests.loops import EVERY, REAL_ASYNCIO
from tests.transports.raw_server import answering, serving
from transports import Request, Response, Source, Transport
from transports.aiohttp import AiohttpTransport
from transports.mock import MockTransport

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Serve(Protocol):
    def __call__(self, handler: Handler) -> AbstractAsyncContextManager[tuple[Transport, str]]: ...


@attrs.frozen
class Harness:
    """A kind of transport."""

    name: str

    backends: Sequence[object]
    """The event loops that it runs on."""

    serve: Serve
    """Gives a transport, with one connection if it has any, and the URL that the handler is at."""

    source: Source
    """What its responses say of where they come from."""

    is_bound: bool
    """Does it belong to the event loop and the process that first used it?"""

    has_wire: bool
    """Does it add what HTTP/1.1 needs, or does the handler get the very request?"""


@asynccontextmanager
async def _mock(handler: Handler) -> AsyncIterator[tuple[Transport, str]]:
    transport = MockTransport(handler)
    yield transport, "https://service.example"
    await transport.aclose()


@asynccontextmanager
async def _aiohttp(handler: Handler) -> AsyncIterator[tuple[Transport, str]]:
    async with serving(answering(handler)) as server:
        transport = AiohttpTransport(limit=1, limit_per_host=1)
        yield transport, server.url
        await transport.aclose()


MOCK = Harness("mock", EVERY, _mock, "mock", is_bound=False, has_wire=False)
AIOHTTP = Harness("aiohttp", REAL_ASYNCIO, _aiohttp, "network", is_bound=True, has_wire=True)
ALL = [MOCK, AIOHTTP]


def each(harnesses: Sequence[Harness] = ALL) -> pytest.MarkDecorator:
    """Run a test for these transports, each on all its event loops."""
    return pytest.mark.parametrize(
        ("anyio_backend", "harness"),
        [
            pytest.param(backend.values[0], harness, id=f"{harness.name}-{backend.id}")  # type: ignore[attr-defined]
            for harness in harnesses
            for backend in harness.backends
        ],
    )

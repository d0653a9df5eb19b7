"""The transports of the project, each with a way to stand a handler behind it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory

import attrs

from connectors.local._carrying import Carrier
from tests.loops import EVERY, REAL
from transports import Source, Transport
from transports.aiohttp import AiohttpTransport
from transports.mock import MockTransport
from transports.replay import ReplayTransport
from transports.testing import PROMISES, Handler, Promise, Serve, loopback

URL = "https://service.example"


@asynccontextmanager
async def serve_mock(handler: Handler) -> AsyncIterator[tuple[Transport, str]]:
    transport = MockTransport(handler)
    yield transport, URL
    await transport.aclose()


@asynccontextmanager
async def serve_recorded(handler: Handler) -> AsyncIterator[tuple[Transport, str]]:
    with TemporaryDirectory() as folder:
        inner = MockTransport(handler)
        transport = ReplayTransport(f"{folder}/cassette.json", "all", inner)
        yield transport, URL
        await transport.aclose()
        await inner.aclose()


@asynccontextmanager
async def serve_in_process(handler: Handler) -> AsyncIterator[tuple[Transport, str]]:
    transport = Carrier(handler, closed="The carrier is closed: make a new one")
    yield transport, URL
    await transport.aclose()


@asynccontextmanager
async def serve_aiohttp(handler: Handler) -> AsyncIterator[tuple[Transport, str]]:
    async with loopback(handler) as url:
        transport = AiohttpTransport(limit=1, limit_per_host=1)
        try:
            yield transport, url
        finally:
            await transport.aclose()


IN_MEMORY = [promise for promise in PROMISES if not promise.needs_wire]


@attrs.frozen
class Kind:
    """A kind of transport."""

    name: str
    serve: Serve
    promises: Sequence[Promise]
    backends: Sequence[object]
    source: Source


KINDS = [
    Kind("mock", serve_mock, IN_MEMORY, EVERY, "mock"),
    Kind("recorded", serve_recorded, IN_MEMORY, REAL, "mock"),
    Kind("in-process", serve_in_process, IN_MEMORY, EVERY, "local"),
    Kind("aiohttp", serve_aiohttp, PROMISES, REAL, "network"),
]

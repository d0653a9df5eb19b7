"""Whatever a network does, it is the right error, in time, and the next request works.

What a server can do with a few bytes stands in `test_wire`; here is what takes a connection.
"""

import datetime as dt
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import anyio
import attrs
import pytest

from tests.loops import REAL, on
from tests.transports.certificates import make_certificate
from tests.transports.raw_server import (
    OK,
    Peer,
    Script,
    endless,
    full,
    holding,
    repeating,
    resetting,
    serving,
    silent,
)
from transports import (
    BodyTooLargeError,
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    Phase,
    ProtocolError,
    ReadTimeoutError,
    Request,
    ResolveError,
    TLSError,
    TransportError,
    TransportTimeoutError,
)
from transports.aiohttp import AiohttpTransport

pytestmark = on(REAL)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIPPED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\n\r\n"

LONG = 20.0
"""Seconds for an attempt that ends by itself; it takes none of them."""

SHORT = (0.3, 1.5, 7.5)
"""Seconds for an attempt that only its deadline ends: more if it came no further on a busy day."""


@attrs.define
class Place:
    """Where a request is sent, and whether it is what it should be by now."""

    url: str
    tls: ssl.SSLContext | None = None
    can_be_well: bool = False
    is_well: bool = False


Hostile: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Place]]


def plain(script: Script, scheme: str = "http") -> Hostile:
    @asynccontextmanager
    async def hostile(_: Path) -> AsyncIterator[Place]:
        async def choose(peer: Peer) -> None:
            await (repeating(OK) if place.is_well else script)(peer)

        async with serving(choose) as server:
            url = f"{scheme}://{server.host}:{server.port}/"
            place = Place(url, can_be_well=scheme == "http")
            yield place

    return hostile


def secured(**certificate: object) -> Hostile:
    @asynccontextmanager
    async def hostile(folder: Path) -> AsyncIterator[Place]:
        made = make_certificate(folder, **certificate)  # type: ignore[arg-type]
        async with serving(repeating(OK), tls=made.server) as server:
            yield Place(f"{server.url}/", made.client)
            assert not server.messages

    return hostile


@asynccontextmanager
async def nobody(_: Path) -> AsyncIterator[Place]:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    yield Place(f"http://127.0.0.1:{port}/")


@asynccontextmanager
async def nowhere(_: Path) -> AsyncIterator[Place]:
    yield Place(f"http://{'a' * 64}.example/")


@asynccontextmanager
async def never_accepted(_: Path) -> AsyncIterator[Place]:
    with full() as address:
        yield Place(f"http://{address}/")


async def no_tls(peer: Peer) -> None:
    await peer.some()
    await peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@attrs.frozen
class Case:
    """What is there, and how an attempt ends that meets it."""

    hostile: Hostile
    error: type[TransportError]
    phase: Phase
    body: bytes | None = None

    @property
    def maybe_sent(self) -> bool:
        return self.phase in {"send", "headers", "body"}


CASES = {
    # Before anything is sent.
    "nobody listens": Case(nobody, ConnectError, "connect"),
    "no such name": Case(nowhere, ResolveError, "resolve"),
    "never accepted": Case(never_accepted, ConnectTimeoutError, "connect"),
    "a certificate for another host": Case(secured(address="127.0.0.2"), TLSError, "tls"),
    "a certificate that has expired": Case(
        secured(valid_for=dt.timedelta(hours=-1)), TLSError, "tls"
    ),
    "no TLS": Case(plain(no_tls, "https"), TLSError, "tls"),
    "accepted, and no TLS ever": Case(plain(Peer.gone, "https"), ConnectTimeoutError, "tls"),
    # Before the answer.
    "accepted, and never read": Case(
        plain(Peer.stall), ReadTimeoutError, "send", bytes(20_000_000)
    ),
    "never answered": Case(plain(silent), ReadTimeoutError, "headers"),
    "reset after the request": Case(plain(resetting(b"")), DisconnectedError, "headers"),
    "reset in the status line": Case(plain(resetting(HEAD[:11])), DisconnectedError, "headers"),
    "reset in the fields": Case(plain(resetting(HEAD[:30])), DisconnectedError, "headers"),
    "silence in the fields": Case(plain(holding(HEAD[:30])), ReadTimeoutError, "headers"),
    "a head byte by byte": Case(
        plain(endless(HEAD[:-2] + b"A: ", b"x", every=0.05)), ReadTimeoutError, "headers"
    ),
    "hints for ever": Case(
        plain(endless(b"", b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n")),
        ReadTimeoutError,
        "headers",
    ),
    "a field for ever": Case(
        plain(endless(HEAD[:-2] + b"A: ", bytes(65).replace(b"\0", b"x") * 1000)),
        ProtocolError,
        "headers",
    ),
    "fields for ever": Case(
        plain(endless(HEAD[:-2], b"A: b\r\n" * 1000)), ProtocolError, "headers"
    ),
    # In the body.
    "reset after the head": Case(plain(resetting(HEAD)), DisconnectedError, "body"),
    "reset in the body": Case(plain(resetting(HEAD + b"half")), DisconnectedError, "body"),
    "reset in a chunk": Case(plain(resetting(CHUNKED + b"9\r\nhalf")), DisconnectedError, "body"),
    "silence in the body": Case(plain(holding(HEAD + b"half")), ReadTimeoutError, "body"),
    "silence in what is compressed": Case(
        plain(holding(GZIPPED + gzip.compress(b"text"))), ReadTimeoutError, "body"
    ),
    "a body byte by byte": Case(
        plain(endless(HEAD.replace(b"10", b"1000"), b"x", every=0.05)), ReadTimeoutError, "body"
    ),
    "chunks byte by byte": Case(
        plain(endless(CHUNKED, b"1\r\nx\r\n", every=0.05)), ReadTimeoutError, "body"
    ),
    "a body for ever": Case(
        plain(endless(HEAD.replace(b"Content-Length: 10", b"A: b"), bytes(65536))),
        BodyTooLargeError,
        "body",
    ),
    "chunks for ever": Case(
        plain(endless(CHUNKED, b"8\r\nsome....\r\n" * 5000)), BodyTooLargeError, "body"
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_it_is_the_right_error_in_time_and_the_pool_is_healthy_afterwards(
    case: Case, tmp_path: Path
) -> None:
    async with case.hostile(tmp_path) as place, serving(repeating(OK)) as good:
        # With one connection, whatever keeps its place would let nobody pass any more.
        tls = place.tls or ssl.create_default_context()
        transport = AiohttpTransport(limit=1, limit_per_host=1, ssl_context=tls)
        error = await failure(transport, case, place)
        assert (type(error), error.phase) == (case.error, case.phase)
        assert error.maybe_sent == case.maybe_sent
        place.is_well = True
        for url in [f"{good.url}/", place.url][: 1 + place.can_be_well]:
            request = Request("POST", url, deadline=anyio.current_time() + LONG)
            assert (await transport.send(request)).body == b"ok"
        await transport.aclose()


async def failure(transport: AiohttpTransport, case: Case, place: Place) -> TransportError:
    is_ended_by_its_deadline = issubclass(case.error, TransportTimeoutError)
    for seconds in SHORT if is_ended_by_its_deadline else (LONG,):
        began = anyio.current_time()
        request = Request("POST", place.url, body=case.body, deadline=began + seconds)
        with pytest.raises(TransportError) as caught, anyio.fail_after(seconds + LONG):
            await transport.send(request)
        took = anyio.current_time() - began
        if is_ended_by_its_deadline:
            assert seconds - 0.01 <= took < seconds + LONG / 4
        else:
            assert took < LONG / 2
        if caught.value.phase == case.phase:
            break
    return caught.value

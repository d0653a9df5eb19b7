"""A user's own transport, small but whole, and the test that puts it to every promise."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
import pytest

from tests.loops import REAL, on
from transports import (
    BodyTooLargeError,
    ConnectError,
    DisconnectedError,
    Phase,
    ProtocolError,
    ReadTimeoutError,
    Request,
    Response,
    TransportClosedError,
    TransportError,
)
from transports.testing import PROMISES, Handler, Promise, loopback


class PlainTransport:
    """HTTP without TLS, with a connection for each request, which the server closes."""

    def __init__(self) -> None:
        self._closed = False
        self._scopes: set[anyio.CancelScope] = set()

    async def send(self, request: Request, /) -> Response:
        if self._closed:
            raise failure(request, TransportClosedError, "pool", maybe_sent=False)
        if request.deadline <= anyio.current_time():
            raise failure(request, ReadTimeoutError, "pool", maybe_sent=False)
        with anyio.CancelScope(deadline=request.deadline) as scope:
            self._scopes.add(scope)
            try:
                outcome = await exchange(request)
            finally:
                self._scopes.discard(scope)
        if scope.cancelled_caught:
            raise failure(request, TransportClosedError if self._closed else ReadTimeoutError)
        if isinstance(outcome, TransportError):
            raise outcome
        return outcome

    async def aclose(self) -> None:
        self._closed = True
        for scope in self._scopes:
            scope.cancel()


def failure(
    request: Request,
    kind: type[TransportError],
    phase: Phase = "headers",
    *,
    maybe_sent: bool = True,
) -> TransportError:
    message = f"The plain transport ended in the phase {phase}"
    return kind(message, method=request.method, url=request.url, phase=phase, maybe_sent=maybe_sent)


async def exchange(request: Request) -> Response | TransportError:
    """Send and receive. Errors are returned: the frames that they come from hold credentials."""
    began = anyio.current_time()
    host, port = address(request.url)
    try:
        stream = await anyio.connect_tcp(host, port)
    except OSError:
        return failure(request, ConnectError, "connect", maybe_sent=False)
    received = bytearray()
    async with stream:
        try:
            await stream.send(written(request))
            async for piece in stream:
                received += piece
                if len(received.partition(b"\r\n\r\n")[2]) > request.max_body:
                    return failure(request, BodyTooLargeError, "body")
        except anyio.BrokenResourceError:
            pass  # What has come says how far it is.
    return read(request, bytes(received), anyio.current_time() - began)


def address(url: str) -> tuple[str, int]:
    server = urlsplit(url)
    return server.hostname or "", server.port or 80


def written(request: Request) -> bytes:
    server = urlsplit(request.url)
    target = request.url.partition(server.netloc)[2]
    lines = [
        f"{request.method} {target} HTTP/1.1",
        f"Host: {server.netloc}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in request.headers.fields),
    ]
    if request.body is not None:
        lines.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (request.body or b"")


def read(request: Request, received: bytes, elapsed: float) -> Response | TransportError:
    head, _, body = received.partition(b"\r\n\r\n")
    if not head:
        return failure(request, DisconnectedError)
    line, *rest = head.decode("latin-1").split("\r\n")
    if not line.startswith("HTTP/1.1 "):
        return failure(request, ProtocolError)
    fields = [(name, value.strip()) for name, _, value in (one.partition(":") for one in rest)]
    response = Response(int(line.split()[1]), fields, body, elapsed=elapsed)
    length = int(response.headers.get("content-length", "0"))
    bodiless = request.method == "HEAD" or response.status in {204, 304}
    if not bodiless and len(body) != length:
        return failure(request, DisconnectedError, "body")
    return response


@asynccontextmanager
async def serve(handler: Handler) -> AsyncIterator[tuple[PlainTransport, str]]:
    async with loopback(handler) as url:
        transport = PlainTransport()
        try:
            yield transport, url
        finally:
            await transport.aclose()


@on(REAL)
@pytest.mark.parametrize("promise", PROMISES, ids=str)
async def test_my_transport(promise: Promise) -> None:
    await promise.check(serve)

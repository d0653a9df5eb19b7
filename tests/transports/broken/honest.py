"""A transport that keeps every promise, for others to break one, and what they need for it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from transports import (
    ConnectError,
    Headers,
    Phase,
    Request,
    Response,
    Transport,
    TransportError,
)
from transports.mock import MockTransport
from transports.testing import Handler, Promise, Serve

URL = "https://service.example"


class Honest:
    """Keeps every promise."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.inner = MockTransport(handler)

    async def send(self, request: Request, /) -> Response:
        if not request.url.startswith(URL):
            raise error_of(request, ConnectError, "connect", maybe_sent=False)
        return await self.inner.send(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def error_of(
    request: Request,
    kind: type[TransportError],
    phase: Phase = "headers",
    *,
    maybe_sent: bool = True,
    message: str = "broken",
) -> TransportError:
    return kind(message, method=request.method, url=request.url, phase=phase, maybe_sent=maybe_sent)


def changed(
    request: Request,
    *,
    url: str = "",
    headers: Headers | None = None,
    body: bytes | None = None,
    deadline: float | None = None,
    max_body: int | None = None,
) -> Request:
    return Request(
        request.method,
        url or request.url,
        request.headers if headers is None else headers,
        request.body if body is None else body,
        deadline=request.deadline if deadline is None else deadline,
        max_body=request.max_body if max_body is None else max_body,
    )


@asynccontextmanager
async def serve_broken(
    kind: Callable[[Handler], Transport], handler: Handler
) -> AsyncIterator[tuple[Transport, str]]:
    transport = kind(handler)
    try:
        yield transport, URL
    finally:
        with suppress(Exception):
            await transport.aclose()


BREAKING: dict[Promise, list[type[Honest]]] = {}


def breaks(promise: Promise) -> Callable[[type[Honest]], type[Honest]]:
    """Say which promise a class does not keep."""

    def noted(kind: type[Honest]) -> type[Honest]:
        BREAKING.setdefault(promise, []).append(kind)
        return kind

    return noted


def serve(kind: type[Honest]) -> Serve:
    return partial(serve_broken, kind)

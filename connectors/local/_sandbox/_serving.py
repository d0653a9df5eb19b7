"""The sandbox on a port, or in its client's process; never where another machine can reach it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import final

import anyio
import attrs

from connectors.local._guard import is_loopback
from connectors.local._sandbox._provider import SandboxProvider
from connectors.local._serving import Server, serve
from transports import (
    BodyTooLargeError,
    Phase,
    Request,
    Response,
    TransportClosedError,
    TransportError,
    within_deadline,
)


@asynccontextmanager
async def serve_sandbox(
    provider: SandboxProvider, *, host: str = "127.0.0.1", port: int = 0, grace: float = 5.0
) -> AsyncIterator[Server]:
    """Serve a sandbox over HTTP while the `async with` block runs; asyncio only.

    See `connectors.local.serve`, which this is but for one thing: it stays on the loopback.

    Raises:
        OSError: The port is taken.
        ValueError: The host is not of the loopback.
    """
    if not is_loopback(host):
        raise ValueError(f"A sandbox listens on this machine only, not on {host!r:.80}.")
    async with serve(provider, host=host, port=port, grace=grace) as server:
        yield server


@final
class SandboxTransport:
    """Carries requests to a sandbox in this process, with the contract of every transport.

    Args:
        provider: What answers. It is not ended with the transport, and may be under several.
    """

    def __init__(self, provider: SandboxProvider) -> None:
        self._provider = provider
        self._under_way: dict[anyio.CancelScope, anyio.Event] = {}
        self._closed = False

    async def send(self, request: Request, /) -> Response:
        """Have the sandbox answer a request.

        Raises:
            BodyTooLargeError: The answer is larger than the request accepts.
            ReadTimeoutError: The deadline passed.
            TransportClosedError: It is closed, or was closed meanwhile.

        Cancelled, at the deadline or when it is closed, it ends at once. What the sandbox has done
        by then is done.
        """
        if self._closed:
            raise _closed(request, maybe_sent=False)
        with anyio.CancelScope() as scope:
            self._under_way[scope] = ended = anyio.Event()
            try:
                return await within_deadline(request, self._answer(request))
            finally:
                del self._under_way[scope]
                ended.set()
        raise _closed(request, maybe_sent=True)

    async def aclose(self) -> None:
        """End what is under way. It may be repeated."""
        self._closed = True
        under_way = tuple(self._under_way.items())
        for scope, _ in under_way:
            scope.cancel()
        for _, ended in under_way:
            await ended.wait()

    async def _answer(self, request: Request) -> Response:
        began = anyio.current_time()
        response = await self._provider.handle(request)
        if len(response.body) > request.max_body:
            what = f"The body is larger than {request.max_body} bytes"
            raise _error(BodyTooLargeError, what, request, "body")
        return attrs.evolve(response, elapsed=anyio.current_time() - began, source="local")

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<SandboxTransport to {self._provider!r}, {state}>"


def _closed(request: Request, *, maybe_sent: bool) -> TransportError:
    what = "The sandbox transport is closed: make a new one"
    phase: Phase = "headers" if maybe_sent else "pool"
    return _error(TransportClosedError, what, request, phase, maybe_sent=maybe_sent)


def _error(
    kind: type[TransportError],
    what: str,
    request: Request,
    phase: Phase,
    *,
    maybe_sent: bool = True,
) -> TransportError:
    return kind(what, method=request.method, url=request.url, phase=phase, maybe_sent=maybe_sent)

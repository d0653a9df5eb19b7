"""The way to the providers: a transport that was given, or one that is made when it is needed.

Most of what a backend does needs no provider, so nothing of HTTP is imported before.
"""

import asyncio
from typing import Final, final

from transports import (
    Request,
    Response,
    Transport,
    TransportClosedError,
    TransportError,
    WrongEventLoopError,
)
from transports._loops import current_loop

_ASYNCIO_ONLY: Final = (
    "The local backend has no way to the providers on trio, for now: give it a transport that has, "
    "as in Client.local(provider_transport=...), or use it on asyncio"
)


@final
class Providers:
    """A transport to the providers.

    Args:
        transport: The one to be used, which is not closed here; None makes an `AiohttpTransport`,
            which is.
    """

    def __init__(self, transport: Transport | None) -> None:
        self._transport = transport
        self._owns_transport = transport is None
        self._closed = False

    @property
    def problem(self) -> str | None:
        """Say what keeps this event loop from every provider, or None."""
        on_asyncio = isinstance(current_loop(), asyncio.AbstractEventLoop)
        return _ASYNCIO_ONLY if self._owns_transport and not on_asyncio else None

    async def send(self, request: Request, /) -> Response:
        """Make one attempt at a request.

        Raises:
            TransportError: There is no answer.
            WrongEventLoopError: There is no transport for this event loop.

        Cancelled, it behaves as the transport does.
        """
        if self._closed:
            raise _error(TransportClosedError, "The backend is closed: make a new one", request)
        problem = self.problem
        if problem is not None:
            raise _error(WrongEventLoopError, problem, request)
        if self._transport is None:
            from transports.aiohttp import AiohttpTransport  # noqa: PLC0415 - heavy, rarely needed.

            self._transport = AiohttpTransport()
        return await self._transport.send(request)

    async def aclose(self) -> None:
        """Close what was made here; a second call does nothing new."""
        self._closed = True
        if self._owns_transport and self._transport is not None:
            await self._transport.aclose()


def _error(kind: type[TransportError], problem: str, request: Request) -> TransportError:
    return kind(problem, method=request.method, url=request.url, phase="pool", maybe_sent=False)

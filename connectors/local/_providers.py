"""The way to the providers: a transport that was given, or one that is made when it is needed.

Most of what a backend does needs no provider, so nothing of HTTP is imported before.
"""

from typing import final

from transports import Request, Response, Transport, TransportClosedError


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

    async def send(self, request: Request, /) -> Response:
        """Make one attempt at a request.

        Raises:
            TransportError: There is no answer.

        Cancelled, it behaves as the transport does.
        """
        if self._closed:
            raise TransportClosedError(
                "The backend is closed: make a new one",
                method=request.method,
                url=request.url,
                phase="pool",
                maybe_sent=False,
            )
        if self._transport is None:
            from transports.aiohttp import AiohttpTransport  # noqa: PLC0415 - heavy, rarely needed.

            self._transport = AiohttpTransport()
        return await self._transport.send(request)

    async def aclose(self) -> None:
        """Close what was made here; a second call does nothing new."""
        self._closed = True
        if self._owns_transport and self._transport is not None:
            await self._transport.aclose()

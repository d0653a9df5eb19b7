"""Where a session lives: the interface, and the plain case."""

import asyncio
from typing import Protocol, final

import anyio

from transports._aiohttp._session import Session, Settings
from transports._base import Request, Response
from transports._errors import TransportError


class Home(Protocol):
    """A session, and the asyncio loop that it lives in, for who runs in this or another loop."""

    @property
    def is_over(self) -> bool:
        """Is it closed, or the loop under it?"""
        ...

    async def outcome(self, request: Request) -> Response | TransportError:
        """Make one attempt and return what became of it; nothing but cancellation is raised.

        Cancelled, it ends at once; its connection is free again or closed.
        """
        ...

    async def aclose(self) -> None:
        """End what is under way and close everything. Cancelled, it does so all the same."""
        ...

    async def release(self) -> None:
        """Close what is left when it is over."""
        ...


@final
class Here:
    """The asyncio loop that runs."""

    def __init__(self, settings: Settings) -> None:
        self._loop = asyncio.get_running_loop()
        self._session = Session(settings)

    @property
    def is_over(self) -> bool:
        return self._loop.is_closed() or self._session.closed

    async def outcome(self, request: Request) -> Response | TransportError:
        return await self._session.outcome(request, anyio.CancelScope(deadline=request.deadline))

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._session.aclose()

    async def release(self) -> None:
        await self._session.release()

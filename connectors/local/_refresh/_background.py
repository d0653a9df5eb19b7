"""Work that goes on whatever becomes of those who wait for it, once for each key and event loop.

Only the owner ends it, by closing: then it is cancelled where it lets itself be, and waited for in
any case. So nothing outlives the owner.
"""

from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar, final

import anyio

from connectors._flight import Flight
from transports._loops import current_loop

V = TypeVar("V")


_CLOSED: Final = "The backend is closed"


class WorkEndedError(Exception):
    """Raised for those who wait for work whose owner is closed."""


@final
class Background(Generic[V]):
    """The work of one owner, by keys."""

    def __init__(self) -> None:
        self._flights: dict[tuple[int, Hashable], Flight[V]] = {}
        self._closed = False

    def find(self, key: Hashable) -> Flight[V] | None:
        """The work that is under way in this event loop for a key."""
        loop = current_loop()
        flight = self._flights.get((id(loop), key))
        # A loop of the past may have had the same number.
        return flight if flight is not None and flight.loop is loop else None

    def begin(self, key: Hashable, work: Callable[[], Awaitable[V]]) -> Flight[V]:
        """The work that is under way for a key, or this one, begun.

        Raises:
            WorkEndedError: The owner is closed.
        """
        if self._closed:
            raise WorkEndedError(_CLOSED)
        flight = self.find(key)
        if flight is None:
            loop = current_loop()
            flight = Flight[V](loop, (id(loop), key), self._landed)
            self._flights[flight.key] = flight
            flight.start(work)
        return flight

    async def aclose(self) -> None:
        """Cancel all work of this event loop and wait until it has ended; begin none any more.

        Cancellation does not shorten the wait.
        """
        self._closed = True
        loop = current_loop()
        mine = [flight for flight in self._flights.values() if flight.loop is loop]
        for flight in mine:
            flight.cancel(WorkEndedError(_CLOSED))
        with anyio.CancelScope(shield=True):
            for flight in mine:
                await flight.done.wait()

    def _landed(self, flight: Flight[V]) -> None:
        del self._flights[flight.key]

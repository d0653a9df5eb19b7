"""Single flight: calls for the same thing at the same time share one fetch.

A fetch belongs to all of its callers and to none of them. It runs in a task of its own, which goes
on while anybody waits for it; the last caller to leave cancels it and stays until it has unwound.
So no task outlives the calls that wait for it, no task group has to be held open, and a slow
service is asked once, not again by every caller whose patience ends.

Rules that hold inside:

- A flight can be joined from its start until it lands or is abandoned. Its key is freed first, in
  the same step, so nobody joins a fetch that has ended or is being cancelled.
- A flight belongs to one event loop: the loop is part of its key, by identity.
- The registry holds flights weakly. Their callers and their tasks keep them alive, so an event
  loop that is dropped half-way leaves nothing behind.
- A call from inside a fetch joins no flight that waits, however indirectly, for that fetch.
- Keys may hold credentials: no error and no `repr` shows one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

from connectors._flight import (
    FetchCancelledError,
    Flight,
    enclosing_flight,
    unwound,
)
from transports._loops import current_loop, let_cancellation_in

__all__ = ["Coalescer", "CoalescerClosedError", "FetchCancelledError", "ReentrantFetchError"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class CoalescerClosedError(Exception):
    """Raised when a fetch is asked for, or waited for, and the coalescer is closed."""

    def __init__(self) -> None:
        super().__init__("The coalescer is closed: it has cancelled its fetches and starts none.")


class ReentrantFetchError(Exception):
    """Raised when a fetch asks for what waits, directly or through others, for that fetch."""

    def __init__(self) -> None:
        super().__init__(
            "A fetch asked for a key whose fetch waits, directly or through others, for the fetch "
            "that asked: neither would ever end. Ask for it before, or under another key."
        )


class Coalescer(Generic[K, V]):
    """Calls for one key that overlap in time share one fetch and its outcome.

    Nothing is cached: a call that comes after a fetch has landed starts a new one. Several event
    loops may use one coalescer; each has its own fetches.
    """

    __slots__ = ("_abandoned", "_closed", "_flights")

    def __init__(self) -> None:
        self._closed = False
        self._flights: WeakValueDictionary[tuple[int, Hashable], Flight[V]] = WeakValueDictionary()
        # Cancelled and not yet unwound; by identity, because their keys are free again.
        self._abandoned: WeakValueDictionary[int, Flight[V]] = WeakValueDictionary()

    def __len__(self) -> int:
        """How many fetches are in flight that a call could join."""
        return len(self._flights)

    def __repr__(self) -> str:
        return f"<Coalescer {'closed' if self._closed else 'open'}, in flight: {len(self)}>"

    async def run(
        self,
        key: K,
        fetch: Callable[[], Awaitable[V]],
        *,
        on_join: Callable[[], None] | None = None,
    ) -> V:
        """Return what `fetch` returns, or what the fetch in flight for this key returns.

        A fetch runs in a copy of the context of the caller that started it. Every caller gets the
        same value, or raises a copy of its own of the fetch's error.

        Cancellation ends this call and touches no other; a caller that is cancelled already
        starts nothing. The last caller to be cancelled cancels the fetch, and returns when that
        has unwound.

        Args:
            key: What makes two calls ask for the same.
            fetch: Called without arguments, in a task of its own, if there is none to join.
            on_join: Called at once if this call joins a fetch that another one started.

        Raises:
            CoalescerClosedError: The coalescer is closed, or was closed meanwhile.
            ReentrantFetchError: This call is part of a fetch that the fetch for `key` waits for.
            FetchCancelledError: Somebody cancelled the fetch itself, and not its callers.
        """
        loop = current_loop()
        await let_cancellation_in(loop)
        if self._closed:
            raise CoalescerClosedError
        flight, outer = self._flights.get((id(loop), key)), enclosing_flight()
        try:
            if flight is None:
                flight = self._start(loop, key, fetch)
            elif outer is not None and flight.leads_to(outer):
                raise ReentrantFetchError
            elif on_join is not None:
                on_join()
            if outer is None:
                await self._wait(flight)
            else:
                with outer.waiting_for([flight]):
                    await self._wait(flight)
            return flight.outcome()
        finally:
            # This frame lies on the traceback of what it raises. A flight left in it would hold
            # the outcome, and `outer` may come to hold this very error: a cycle.
            flight = outer = None

    async def aclose(self) -> None:
        """Cancel all fetches, wait until they have unwound, and start none any more.

        Those who wait for them raise `CoalescerClosedError`. It may be called again, and then
        waits, too. Fetches in other event loops are cancelled without waiting for them. Called
        from inside a fetch, it does not wait for that one, nor for those that wait for it.

        Cancellation does not shorten the wait; it is raised afterwards.
        """
        self._closed = True
        for flight in _alive(self._flights):
            self._abandon(flight, CoalescerClosedError())
        loop, outer = current_loop(), enclosing_flight()
        mine = [flight for flight in _alive(self._abandoned) if flight.loop is loop]
        if outer is None:
            await unwound(mine)
            return
        others = [flight for flight in mine if not flight.leads_to(outer)]
        with outer.waiting_for(others):
            await unwound(others)

    def _start(self, loop: object, key: K, fetch: Callable[[], Awaitable[V]]) -> Flight[V]:
        flight: Flight[V] = Flight(loop, (id(loop), key), self._free)
        # Registered before it starts: an eager task may have landed when it is returned.
        self._flights[id(loop), key] = flight
        try:
            flight.start(fetch)
        except BaseException:
            self._free(flight)
            raise
        return flight

    def _free(self, flight: Flight[V]) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    def _abandon(self, flight: Flight[V], error: Exception) -> None:
        self._free(flight)
        self._abandoned[id(flight)] = flight
        flight.cancel(error)

    async def _wait(self, flight: Flight[V]) -> None:
        flight.callers += 1
        try:
            await flight.done.wait()
        except BaseException as reason:
            flight.callers -= 1
            if not flight.callers and not flight.done.is_set():
                self._abandon(flight, FetchCancelledError())
                # A coroutine that is being closed may not wait.
                if not isinstance(reason, GeneratorExit):
                    with suppress(asyncio.CancelledError):  # The first one is raised below.
                        await unwound([flight])
            raise


def _alive(flights: WeakValueDictionary[Any, Flight[V]]) -> list[Flight[V]]:
    # Not `values()`, which fails when another thread's loop adds a flight meanwhile.
    return [flight for reference in flights.valuerefs() if (flight := reference()) is not None]

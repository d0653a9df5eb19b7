"""One fetch in flight: a task of its own, its outcome, and the other flights that it waits for.

Rules that hold inside:

- A flight's task lets nothing escape. On trio that would crash the whole run; on asyncio a
  `KeyboardInterrupt` would leave through the loop and pass by those who wait.
- The first verdict stands: what a fetch returns after it was cancelled is nobody's outcome.
- Whoever runs in a fetch's context, however deep, can be told from outside by `enclosing_flight`.
  The context holds the flight weakly, for contexts live on in timers and background tasks.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from weakref import ReferenceType, ref

import anyio

from connectors._copying import raise_copy
from transports._loops import call_soon, is_running, new_event, new_scope, spawn

if TYPE_CHECKING:
    from types import TracebackType

V = TypeVar("V")


class FetchCancelledError(Exception):
    """Raised when a shared fetch was cancelled though callers waited for it."""

    def __init__(self) -> None:
        super().__init__(
            "The shared fetch was cancelled by somebody other than its callers, "
            "as by an event loop that shuts down. Nothing is wrong with the call: it may be "
            "repeated."
        )


class Flight(Generic[V]):
    """One fetch, and what its callers share of it.

    Args:
        loop: The event loop that is running, as its native token.
        key: What the coalescer knows this flight by.
        on_landing: Called with this flight just before those who wait for it are woken.
    """

    __slots__ = (
        "__weakref__",
        "_error",
        "_on_landing",
        "_pid",
        "_scope",
        "_task",
        "_traceback",
        "_value",
        "callers",
        "done",
        "key",
        "loop",
        "waits_for",
    )

    _value: V

    def __init__(
        self,
        loop: object,
        key: tuple[int, Hashable],
        on_landing: Callable[["Flight[V]"], None],
    ) -> None:
        self.loop = loop
        self.key = key
        self.callers = 0
        self.done = new_event(loop)
        self._on_landing = on_landing
        self._error: BaseException | None = None
        self._pid = os.getpid()
        self._scope = new_scope(loop)
        self._task: object = None
        self._traceback: TracebackType | None = None
        self.waits_for: list[Flight[Any]] = []

    def __repr__(self) -> str:
        state = "landed" if self.done.is_set() else "in flight"
        return f"<Flight {state}, callers: {self.callers}>"

    def start(self, fetch: Callable[[], Awaitable[V]]) -> None:
        """Begin the fetch in a copy of the current context."""
        # asyncio's loops hold their tasks weakly.
        self._task = spawn(self.loop, lambda: self._fly(fetch), self._ensure_landed)

    def cancel(self, error: Exception) -> None:
        """Cancel the fetch, from whatever thread; those who still wait for it raise `error`."""
        if self._error is None:
            self._error = error
        if is_running(self.loop):
            self._scope.cancel()
        elif self._pid == os.getpid():
            # In a forked child, one of its locks may be held by a thread that stayed behind.
            call_soon(self.loop, self._scope.cancel)

    def outcome(self) -> V:
        """Return what the fetch returned, or raise a copy of what it raised."""
        try:
            if self._error is not None:
                raise_copy(self._error, self._traceback)
            return self._value
        finally:
            # This frame lies on the error's traceback, where it would keep the outcome alive.
            del self

    @contextmanager
    def waiting_for(self, flights: "Iterable[Flight[Any]]") -> Iterator[None]:
        """Let it be known that this flight's fetch waits for others meanwhile."""
        self.waits_for += flights
        try:
            yield
        finally:
            for flight in flights:
                self.waits_for.remove(flight)

    def leads_to(self, goal: "Flight[Any]") -> bool:
        """Whether this flight is `goal` or waits for it, directly or through others."""
        pending: list[Flight[Any]] = [self]
        seen = set[Flight[Any]]()
        while pending:
            flight = pending.pop()
            if flight is goal:
                return True
            if flight not in seen:
                seen.add(flight)
                pending += flight.waits_for
        return False

    async def _fly(self, fetch: Callable[[], Awaitable[V]]) -> None:
        _flight_of_this_context.set(ref(self))
        try:
            # A flight that was cancelled before it began fetches nothing.
            if self._error is None:
                with self._scope:
                    self._value = await fetch()
        except BaseException as error:  # noqa: BLE001 - the callers get it, whatever it is.
            if not is_running(self.loop):
                # The loop was dropped half-way, and with it all who waited: nobody is to be woken.
                return
            self._fail(error)
        self._land()
        # From Python 3.12 on, the frames of the fetch's error lead back to this one. What it held
        # on to would hold that error: a cycle.
        del self, fetch

    def _fail(self, error: BaseException) -> None:
        if self._error is None:
            # The first frame is our own task's: it holds this flight, and says nothing.
            traceback = error.__traceback__ and error.__traceback__.tb_next
            self._error = _for_callers(BaseException.with_traceback(error, traceback))
            self._traceback = self._error.__traceback__

    def _land(self) -> None:
        self._on_landing(self)
        self.done.set()

    def _ensure_landed(self, _task: object) -> None:
        # A task that asyncio cancels before its first step runs none of its code.
        if not self.done.is_set():
            self._fail(FetchCancelledError())
            self._land()


_flight_of_this_context: Final = ContextVar[ReferenceType[Flight[Any]] | None](
    "_flight_of_this_context", default=None
)


def enclosing_flight() -> Flight[Any] | None:
    """The flight, still under way, whose fetch the current code is a part of."""
    reference = _flight_of_this_context.get()
    flight = None if reference is None else reference()
    return None if flight is None or flight.done.is_set() else flight


async def unwound(flights: Iterable[Flight[Any]]) -> None:
    """Wait until flights of this loop have landed, whatever happens to the caller meanwhile.

    Cancel scopes are kept out by a shield. asyncio's own `Task.cancel` goes through shields: it is
    raised when the wait is over.
    """
    interruption = None
    with anyio.CancelScope(shield=True):
        for flight in flights:
            while not flight.done.is_set():
                try:
                    await flight.done.wait()
                except asyncio.CancelledError as error:
                    interruption = error
    try:
        if interruption is not None:
            raise interruption
    finally:
        del interruption


def _for_callers(error: BaseException) -> BaseException:
    """What a fetch's error is to callers whom nobody has cancelled."""
    cancelled = anyio.get_cancelled_exc_class()
    rest: BaseException | None = error
    if isinstance(error, BaseExceptionGroup):
        rest = error.split(cancelled)[1]
    elif isinstance(error, cancelled):
        rest = None
    if rest is None:
        rest = FetchCancelledError()
        rest.__cause__ = error
    return rest

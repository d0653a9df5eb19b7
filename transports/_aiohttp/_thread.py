"""An asyncio loop in a thread, for a session that a trio program uses.

A call crosses over twice: its start goes to the loop, its outcome comes back to the task that
waits. Three rules hold in here:

- A task that is cancelled waits until its call has ended over there: then its connection is free.
- What crosses in one direction goes in the order in which it came, and many in one go: waking the
  other thread is what costs, so it is done once for all that is there when it wakes.
- Nothing is shared but the two queues. A call belongs to the loop's thread until its outcome is
  in the queue, and from then on to trio's.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Final, Generic, NoReturn, TypeAlias, TypeVar, final

import anyio
import attrs
import outcome
import trio

from transports._aiohttp._session import Session, Settings
from transports._base import Request, Response
from transports._errors import TransportError
from transports._loops import is_running

T = TypeVar("T")

_Work: TypeAlias = Callable[[anyio.CancelScope], Coroutine[object, object, T]]
"""What is run in the loop. It enters the scope that it is given, and is cancelled with it."""

_LAST_TURNS: Final = 3
"""Turns of the loop in which what was closed detaches: sockets need one, TLS another."""


@final
class InAThread:
    """A session in a thread, for the run of trio that this is made in."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: Session | None = None
        self._thread = LoopThread()
        self._closed = False

    @property
    def is_over(self) -> bool:
        return self._closed or self._thread.run_is_over

    async def outcome(self, request: Request) -> Response | TransportError:
        """Make one attempt; its deadline, on trio's clock, is as far away on the loop's."""
        left = request.deadline - trio.current_time()

        async def attempt(scope: anyio.CancelScope) -> Response | TransportError:
            scope.deadline = anyio.current_time() + left
            self._session = self._session or Session(self._settings)
            return await self._session.outcome(request, scope)

        return await self._thread.run(attempt)

    @trio.lowlevel.enable_ki_protection
    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        with trio.CancelScope(shield=True):
            await self._thread.stop(self._close)

    async def release(self) -> None:
        """End what a run of trio has left that crashed: any other ends when `aclose` has."""
        if not self._closed:
            self._closed = True
            self._thread.stop_after(self._close)

    async def _close(self) -> None:
        if self._session is not None:
            await self._session.aclose()
        for _turn in range(_LAST_TURNS):
            await asyncio.sleep(0)


@trio.lowlevel.enable_ki_protection
async def uninterrupted(call: Callable[[], Awaitable[T]]) -> T:
    """Await with no Ctrl-C in between, so that what is opened is not lost before it is kept."""
    return await call()


def _nothing() -> None:
    pass


@final
class LoopThread:
    """An asyncio event loop in a daemon thread, and the crossing to it from one run of trio."""

    def __init__(self) -> None:
        # Whatever policy the program has set: it may give a loop that needs more than a thread.
        self._loop = asyncio.SelectorEventLoop()
        self._outbound = _Queue(partial(self._loop.call_soon_threadsafe, context=Context()))
        self._token = trio.lowlevel.current_trio_token()
        self._inbound = _Queue(self._token.run_sync_soon)
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._live, name="AiohttpTransport", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # There are too many.
            self._loop.close()
            raise

    @property
    def run_is_over(self) -> bool:
        """Has the run of trio crashed? Any other closes this first."""
        if is_running(self._token) or self._pid != os.getpid():
            return False
        try:
            self._token.run_sync_soon(_nothing, idempotent=True)
        except trio.RunFinishedError:
            return True
        return False

    @trio.lowlevel.enable_ki_protection
    async def run(self, work: _Work[T]) -> T:
        """Run a coroutine in the loop and return what it returns, or raise what it raises.

        Cancelled before, it starts nothing. Cancelled, it cancels the coroutine's scope and waits
        until it has ended; what it then returns in spite of that is returned.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        return await self._run(work)

    @trio.lowlevel.enable_ki_protection
    async def stop(self, last: Callable[[], Coroutine[object, object, None]]) -> None:
        """Run one more coroutine, end the loop and wait for the thread, in a shielded scope.

        No Ctrl-C comes in between: it would leave the thread behind.
        """
        await self._run(lambda _: last())
        self._outbound.put(self._loop.stop)
        try:
            # The default limiter's threads may all be busy, with work that waits for this, even.
            await trio.to_thread.run_sync(self._thread.join, limiter=trio.CapacityLimiter(1))
        finally:
            self._thread.join()  # A Ctrl-C that was held back comes before the wait; it is short.

    async def _run(self, work: _Work[T]) -> T:
        call = _Call(work, trio.lowlevel.current_task())
        self._outbound.put(partial(self._start, call))

        def abandon(raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
            call.raise_cancel = raise_cancel
            self._outbound.put(call.cancel)
            return trio.lowlevel.Abort.FAILED

        result: T = await trio.lowlevel.wait_task_rescheduled(abandon)
        return result

    def stop_after(self, last: Callable[[], Coroutine[object, object, None]]) -> None:
        """Run a coroutine in the loop and end it, with nobody waiting."""

        async def stop() -> None:
            try:
                await last()
            finally:
                self._loop.stop()

        self._outbound.put(lambda: self._loop.create_task(stop()))

    def _live(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _start(self, call: "_Call[T]") -> None:
        call.task = self._loop.create_task(self._carry(call))

    async def _carry(self, call: "_Call[T]") -> None:
        await call.run()
        self._inbound.put(call.resume)


@final
@attrs.define(eq=False)
class _Call(Generic[T]):
    """What a task of trio waits for. It belongs to the loop until `resume` is put in a queue."""

    work: _Work[T]
    waiter: trio.lowlevel.Task
    raise_cancel: Callable[[], NoReturn] | None = None
    task: asyncio.Task[None] | None = None
    _scope: anyio.CancelScope | None = None
    _cancelled: bool = False
    _outcome: outcome.Outcome[T] | None = None

    async def run(self) -> None:
        """In the loop: come to an outcome."""
        self._scope = anyio.CancelScope()
        if self._cancelled:
            self._scope.cancel()
        self._outcome = await outcome.acapture(self.work, self._scope)

    def cancel(self) -> None:
        """In the loop: end it, now or as soon as it begins."""
        self._cancelled = True
        if self._scope is not None:
            self._scope.cancel()

    def resume(self) -> None:
        """In trio: let the waiter go on with the outcome, or with its cancellation."""
        assert self._scope is not None
        assert self._outcome is not None
        result: outcome.Outcome[T] = self._outcome
        if self.raise_cancel is not None and self._scope.cancelled_caught:
            result = outcome.capture(self.raise_cancel)
        trio.lowlevel.reschedule(self.waiter, result)


@final
class _Queue:
    """Calls from one thread to another, in order.

    Args:
        wake: Has the other thread make a call; safe in every thread.
    """

    def __init__(self, wake: Callable[[Callable[[], None]], object]) -> None:
        self._wake = wake
        self._calls: deque[Callable[[], object]] = deque()
        self._woken = False

    def put(self, call: Callable[[], object]) -> None:
        """Have the other thread make a call. Only one thread may put."""
        self._calls.append(call)
        if not self._woken:
            self._woken = True
            self._wake(self._run)

    def _run(self) -> None:
        # First this, then the calls: what is put meanwhile wakes once more, and is never missed.
        self._woken = False
        while self._calls:
            self._calls.popleft()()

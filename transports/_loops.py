"""What asyncio and trio do differently, for code that otherwise speaks anyio.

A loop is named by its native token: the event loop itself on asyncio, the `TrioToken` on trio.
Trio is imported only where it runs already. An event and a scope that every call needs are made of
the loop's own kind: anyio looks first for the loop, and then makes each of them twice.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, cast

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

if TYPE_CHECKING:
    import trio


class Event(Protocol):
    """What asyncio's and trio's events have in common."""

    def set(self) -> object:
        """Wake all who wait."""
        ...

    def is_set(self) -> bool:
        """Has it been set?"""
        ...

    async def wait(self) -> object:
        """Wait until it is set; asyncio's does not pause when it is."""
        ...


class Scope(Protocol):
    """What anyio's and trio's cancel scopes have in common."""

    def cancel(self) -> object:
        """Cancel what runs in it, or will."""
        ...

    def __enter__(self) -> object: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> bool: ...


def current_loop() -> object:
    """The loop that the current code runs in.

    Raises:
        RuntimeError: There is none.
    """
    # Only where trio is imported can it be the one that runs, and to find out takes a while.
    if "trio" not in sys.modules or anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        return asyncio.get_running_loop()
    import trio  # noqa: PLC0415 - it is running, so this costs nothing; elsewhere it would.

    return trio.lowlevel.current_trio_token()


def current_time() -> float:
    """The time on that loop's clock, in seconds: what `anyio.current_time()` says, sooner."""
    return anyio.current_time() if "trio" in sys.modules else asyncio.get_running_loop().time()


def is_running(loop: object) -> bool:
    """Whether the current code runs in `loop`."""
    try:
        return current_loop() is loop
    except RuntimeError:
        return False


def new_event(loop: object) -> Event:
    """An event of the loop that is running."""
    if isinstance(loop, asyncio.AbstractEventLoop):
        return asyncio.Event()
    import trio  # noqa: PLC0415 - as above.

    return trio.Event()


def new_scope(loop: object) -> Scope:
    """A cancel scope of the loop that is running."""
    if isinstance(loop, asyncio.AbstractEventLoop):
        return _asyncio_scope()()
    import trio  # noqa: PLC0415 - as above.

    return trio.CancelScope()


@cache
def _asyncio_scope() -> type[anyio.CancelScope]:
    return type(anyio.CancelScope())


def spawn(
    loop: object,
    start: Callable[[], Coroutine[object, object, None]],
    on_end: Callable[[object], None],
) -> object:
    """Run a coroutine in a task of its own, in a copy of the current context."""
    if not isinstance(loop, asyncio.AbstractEventLoop):
        import trio  # noqa: PLC0415 - it is running, so this costs nothing; elsewhere it would.

        return trio.lowlevel.spawn_system_task(start, context=copy_context())
    coroutine = start()
    try:
        task = loop.create_task(coroutine)
    except BaseException:
        coroutine.close()
        raise
    task.add_done_callback(on_end)
    return task


def call_soon(loop: object, callback: Callable[[], object]) -> None:
    """Call `callback` in a loop that may run in another thread, or be gone."""
    with suppress(RuntimeError):
        if isinstance(loop, asyncio.AbstractEventLoop):
            loop.call_soon_threadsafe(callback)
        else:
            cast("trio.lowlevel.TrioToken", loop).run_sync_soon(callback)


async def let_cancellation_in(loop: object) -> None:
    """Raise a cancellation that was asked for already; otherwise return without a pause."""
    if isinstance(loop, asyncio.AbstractEventLoop):
        task = asyncio.current_task(loop)
        # Requested, maybe not yet delivered: `Task.cancel` waits for the next pause.
        if task is not None and task.cancelling():
            await asyncio.sleep(0)
    await checkpoint_if_cancelled()

"""Blocking work in a thread that is either never begun or finished before the caller goes on."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, get_cancelled_exc_class, to_thread

_T = TypeVar("_T")


async def finish(work: Callable[[], _T], limiter: CapacityLimiter) -> _T:
    """Run work in a thread and return what it returns.

    When the caller is cancelled, work that has not begun never will, and work that has is waited
    for: nothing goes on behind the caller's back. anyio alone does so only for its own
    cancellation, not for that of `asyncio.timeout` or `Task.cancel`, which pass its shield.
    """
    outcome: Future[_T] = Future()
    try:
        await to_thread.run_sync(_run, work, outcome, limiter=limiter)
    except get_cancelled_exc_class():
        outcome.cancel()
        await _settled(outcome)
        raise
    return outcome.result()


async def certainly(work: Callable[[], None], limiter: CapacityLimiter) -> None:
    """Run work in a thread, also when the caller is cancelled; it may be run more than once."""
    try:
        with CancelScope(shield=True):
            await finish(work, limiter)
    except get_cancelled_exc_class():
        await certainly(work, limiter)
        raise


def _run(work: Callable[[], _T], outcome: Future[_T]) -> None:
    if not outcome.set_running_or_notify_cancel():
        return
    try:
        outcome.set_result(work())
    except BaseException as error:  # noqa: BLE001 - it is raised by `result()`, in the caller.
        outcome.set_exception(error)


async def _settled(outcome: Future[_T]) -> None:
    # asyncio may cancel again while we wait; the first cancellation is raised at the end.
    while not outcome.done():
        with suppress(get_cancelled_exc_class()), CancelScope(shield=True):
            await to_thread.run_sync(wait, [outcome], limiter=CapacityLimiter(1))

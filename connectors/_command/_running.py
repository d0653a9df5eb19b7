"""Runs what goes on for a while, so that it can be told to end and cleans up before it does."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

import anyio

_T = TypeVar("_T")

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


def run_until_told(work: Callable[[], Awaitable[_T]]) -> _T:
    """Run work on an event loop until it is done, or Ctrl-C or SIGTERM cancels it.

    The first signal cancels. The ones after it do nothing: who presses Ctrl-C twice would break off
    the cleaning up.

    Raises:
        KeyboardInterrupt: It was cancelled, and everything has ended.
    """

    async def cancellable() -> _T:
        task = asyncio.current_task()
        assert task is not None
        _listen(task)
        return await work()

    try:
        return anyio.run(cancellable)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _listen(task: "asyncio.Task[object]") -> None:
    loop = asyncio.get_running_loop()
    for number in _ENDING:
        # A shell lets a background process of a script ignore Ctrl-C, which is then for others.
        if signal.getsignal(number) is not signal.SIG_IGN:
            # Windows has no such thing; there Ctrl-C raises where it happens to come.
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, _cancel_once, task)


def _cancel_once(task: "asyncio.Task[object]") -> None:
    if not task.cancelling():
        task.cancel()

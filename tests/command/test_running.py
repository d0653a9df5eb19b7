"""What goes on for a while ends at the first signal, and the second breaks nothing off."""

import asyncio
import os
import signal

import anyio
import pytest

from connectors._command._running import _cancel_once, run_until_told
from tests.loops import REAL_ASYNCIO, on


def test_work_that_ends_gives_its_result() -> None:
    async def work() -> int:
        return 7

    assert run_until_told(work) == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_when_it_has_cleaned_up(number: signal.Signals) -> None:
    cleaned: list[str] = []

    async def work() -> None:
        os.kill(os.getpid(), number)
        try:
            await anyio.sleep(60)
        finally:
            cleaned.append("up")

    with pytest.raises(KeyboardInterrupt):
        run_until_told(work)
    assert cleaned == ["up"]


@on(REAL_ASYNCIO)
async def test_a_second_signal_does_not_break_off_the_cleaning_up() -> None:
    task = asyncio.create_task(anyio.sleep(60))
    await asyncio.sleep(0)
    _cancel_once(task)
    _cancel_once(task)
    assert task.cancelling() == 1
    with pytest.raises(asyncio.CancelledError):
        await task

import asyncio
import threading
from concurrent.futures import Future

import anyio
import pytest
from anyio import CapacityLimiter, to_thread

from connectors.local._threads import _run, certainly, finish
from tests.loops import REAL, REAL_ASYNCIO, on


class Work:
    """Something that a thread does, and that goes on until the test lets it end."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.times = 0

    def __call__(self) -> str:
        self.begun.set()
        assert self.may_end.wait(30)
        self.times += 1
        return "done"

    def once(self) -> None:
        self()


@on(REAL)
async def test_what_the_work_returns_or_raises_comes_back() -> None:
    limiter = CapacityLimiter(1)
    assert await finish(lambda: "done", limiter) == "done"
    with pytest.raises(ZeroDivisionError):
        await finish(lambda: 1 // 0, limiter)


@on(REAL)
async def test_work_that_has_begun_is_finished_when_its_scope_is_cancelled() -> None:
    work = Work()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(finish, work, CapacityLimiter(1))
        assert await to_thread.run_sync(work.begun.wait, 30)
        tasks.cancel_scope.cancel()
        work.may_end.set()
    assert work.times == 1


@on(REAL_ASYNCIO)
async def test_work_that_has_begun_is_finished_when_asyncio_cancels_its_task_again_and_again() -> (
    None
):
    work = Work()
    task = asyncio.create_task(finish(work, CapacityLimiter(1)))
    assert await to_thread.run_sync(work.begun.wait, 30)
    for _ in range(3):
        task.cancel()
        await anyio.wait_all_tasks_blocked()
        assert not task.done()
    work.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.times == 1


@on(REAL)
async def test_work_that_waits_for_its_turn_is_never_begun_after_a_cancellation() -> None:
    first, second, limiter = Work(), Work(), CapacityLimiter(1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(finish, first, limiter)
        assert await to_thread.run_sync(first.begun.wait, 30)
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(finish, second, limiter)
            await anyio.wait_all_tasks_blocked()
            waiting.cancel_scope.cancel()
        first.may_end.set()
    assert (first.times, second.begun.is_set()) == (1, False)


def test_work_whose_caller_was_cancelled_before_the_thread_came_to_it_is_not_done() -> None:
    work: Work = Work()
    outcome: Future[str] = Future()
    outcome.cancel()
    _run(work, outcome)
    assert not work.begun.is_set()


@on(REAL_ASYNCIO)
async def test_certain_work_is_done_although_its_caller_was_cancelled_before_it_began() -> None:
    first, second, limiter = Work(), Work(), CapacityLimiter(1)
    second.may_end.set()
    blocking = asyncio.create_task(finish(first, limiter))
    assert await to_thread.run_sync(first.begun.wait, 30)
    task = asyncio.create_task(certainly(second.once, limiter))
    await anyio.wait_all_tasks_blocked()
    task.cancel()
    await anyio.wait_all_tasks_blocked()
    assert not task.done()
    first.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await blocking == "done"
    assert second.times == 1


@on(REAL)
async def test_certain_work_is_done_inside_a_cancelled_scope() -> None:
    work = Work()
    work.may_end.set()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await certainly(work.once, CapacityLimiter(1))
    assert work.times == 1

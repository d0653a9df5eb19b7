"""Promises 4, 5 and 6: what the cancellation of callers does, and what it leaves alone."""

import asyncio
import contextlib

import anyio
import pytest

from connectors._coalescer import Coalescer
from tests.coalescer.support import Fetch, crowd, settle
from tests.loops import REAL_ASYNCIO, on


async def test_promise_04_a_cancelled_caller_ends_at_once_and_alone() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch(slow_to_unwind=True)
    async with crowd(coalescer) as callers:
        first, second, third = await callers.call(fetch, count=3)
        second.cancel()
        await settle()
        assert second.was_cancelled
        assert (first.ended, third.ended, fetch.cancelled) == (False, False, 0)
        fetch.land("value")
    assert (first.value, third.value) == ("value", "value")


async def test_promise_04_the_caller_that_started_the_fetch_may_leave_it_to_the_others() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        starter, follower = await callers.call(fetch, count=2)
        starter.cancel()
        await settle()
        assert starter.was_cancelled
        [latecomer] = await callers.call(fetch)
        fetch.land("value")
    assert (fetch.started, fetch.cancelled) == (1, 0)
    assert (follower.value, latecomer.value) == ("value", "value")


async def test_promise_05_the_last_caller_cancels_the_fetch_and_waits_until_it_unwound() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch(slow_to_unwind=True)
    async with crowd(coalescer) as callers:
        first, last = await callers.call(fetch, count=2)
        first.cancel()
        await settle()
        last.cancel()
        await settle()
        assert (first.ended, last.ended) == (True, False)
        assert (fetch.cancelled, fetch.running) == (1, 1)
        fetch.may_unwind.set()
        await settle()
        assert last.was_cancelled
        assert fetch.running == 0


async def test_promise_05_of_callers_that_leave_together_one_waits() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch(slow_to_unwind=True)
    async with crowd(coalescer) as callers:
        calls = await callers.call(fetch, count=5)
        for call in calls:
            call.cancel()
        await settle()
        assert sorted(call.ended for call in calls) == [False, True, True, True, True]
        fetch.may_unwind.set()
    assert all(call.was_cancelled for call in calls)


async def test_promise_05_nobody_joins_a_dying_fetch() -> None:
    coalescer, dying, fresh = Coalescer[str, object](), Fetch(slow_to_unwind=True), Fetch()
    async with crowd(coalescer) as callers:
        [leaver] = await callers.call(dying)
        leaver.cancel()
        await settle()
        assert (dying.running, len(coalescer)) == (1, 0)
        [newcomer] = await callers.call(fresh)
        assert (fresh.started, len(coalescer)) == (1, 1)
        dying.may_unwind.set()
        await settle()
        assert leaver.was_cancelled
        assert len(coalescer) == 1, "the old fetch's end leaves the new one in its place"
        [joiner] = await callers.call(fresh)
        fresh.land("value")
    assert fresh.started == 1
    assert (newcomer.value, joiner.value) == ("value", "value")


async def test_promise_05_a_fetch_that_answers_though_cancelled_disturbs_nobody() -> None:
    coalescer, told = Coalescer[str, str](), anyio.Event()

    async def stubborn() -> str:
        with anyio.CancelScope(shield=True):
            await told.wait()
        return "too late"

    async with crowd(coalescer) as callers:
        [leaver] = await callers.call(stubborn)
        leaver.cancel()
        await settle()
        assert not leaver.ended
        told.set()
    assert leaver.was_cancelled


async def test_promise_06_a_caller_that_is_cancelled_already_starts_nothing() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await coalescer.run("key", fetch)
    await settle()
    assert scope.cancelled_caught
    assert (fetch.started, len(coalescer)) == (0, 0)


async def test_promise_06_nor_does_one_whose_time_is_up() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    with pytest.raises(TimeoutError), anyio.fail_after(0):
        await coalescer.run("key", fetch)
    await settle()
    assert fetch.started == 0


async def test_promise_06_a_caller_that_is_cancelled_already_joins_nothing() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        [waiting] = await callers.call(fetch)
        joined: list[str] = []
        with anyio.CancelScope() as scope:
            scope.cancel()
            await coalescer.run("key", fetch, on_join=lambda: joined.append("joined"))
        assert joined == []
        fetch.land("value")
    assert waiting.value == "value"


async def test_promise_06_a_shield_lets_a_cancelled_caller_fetch() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    fetch.land("value")
    with anyio.CancelScope() as scope:
        scope.cancel()
        with anyio.CancelScope(shield=True):
            assert await coalescer.run("key", fetch) == "value"


@on(REAL_ASYNCIO)
async def test_promise_06_native_a_cancellation_that_is_pending_starts_nothing() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()

    async def cancel_myself_and_call() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await coalescer.run("key", fetch)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(cancel_myself_and_call())
    await settle()
    assert fetch.started == 0


@on(REAL_ASYNCIO)
async def test_promise_06_native_a_cancellation_that_was_answered_is_none_any_more() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    fetch.land("value")

    async def clean_up_with_a_call() -> object:
        with contextlib.suppress(asyncio.CancelledError):
            await anyio.sleep_forever()
        return await coalescer.run("key", fetch)

    task = asyncio.create_task(clean_up_with_a_call())
    await settle()
    task.cancel()
    assert await task == "value"


@on(REAL_ASYNCIO)
async def test_promise_05_native_a_second_cancellation_does_not_shorten_the_wait() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch(slow_to_unwind=True)
    task = asyncio.create_task(coalescer.run("key", fetch))
    await settle()
    for _ in range(3):
        task.cancel()
        await settle()
    assert not task.done()
    assert fetch.running == 1
    fetch.may_unwind.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fetch.running == 0


@on(REAL_ASYNCIO)
async def test_promise_05_native_a_coroutine_that_is_closed_cancels_and_does_not_wait() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch(slow_to_unwind=True)
    call = coalescer.run("key", fetch)
    call.send(None)
    await settle()
    assert fetch.running == 1
    call.close()
    assert len(coalescer) == 0
    await settle()
    assert fetch.cancelled == 1
    fetch.may_unwind.set()
    await settle()
    assert fetch.running == 0


@on(REAL_ASYNCIO)
async def test_promise_05_native_a_fetch_that_has_not_begun_when_its_caller_goes_never_begins() -> (
    None
):
    coalescer, fetch = Coalescer[str, object](), Fetch()
    call = coalescer.run("key", fetch)
    call.send(None)
    call.close()
    await settle()
    assert fetch.started == 0


@on(REAL_ASYNCIO)
async def test_promise_04_native_task_cancel_ends_one_caller() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    leaver = asyncio.create_task(coalescer.run("key", fetch))
    stayer = asyncio.create_task(coalescer.run("key", fetch))
    await settle()
    leaver.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaver
    assert leaver.cancelled()
    assert (fetch.running, fetch.cancelled) == (1, 0)
    fetch.land("value")
    assert await stayer == "value"

"""Promise 11: whatever ends a fetch, its callers hear of it, and none hangs."""

import asyncio

import anyio
import pytest
import trio

from connectors._coalescer import Coalescer, FetchCancelledError
from tests.coalescer.support import Fetch, crowd, settle
from tests.loops import REAL_ASYNCIO, on


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_promise_11_an_interrupt_in_a_fetch_reaches_its_callers(
    interrupt: type[BaseException],
) -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        calls = await callers.call(fetch, count=2)
        fetch.fail(interrupt(3))
    assert [type(call.error) for call in calls] == [interrupt] * 2
    assert [call.error and call.error.args for call in calls] == [(3,)] * 2


async def cancellation() -> BaseException:
    """A genuine cancellation of the loop that runs."""
    caught: list[BaseException] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        try:
            await anyio.lowlevel.checkpoint()
        except anyio.get_cancelled_exc_class() as error:
            caught.append(error)
            raise
    return caught[0]


async def test_promise_11_a_cancellation_out_of_the_fetch_is_an_error_and_no_cancellation() -> None:
    coalescer, fetch, cancelled = Coalescer[str, object](), Fetch(), await cancellation()
    async with crowd(coalescer) as callers:
        calls = await callers.call(fetch, count=2)
        fetch.fail(cancelled)
    for call in calls:
        assert isinstance(call.error, FetchCancelledError)
        assert call.error.__cause__ is cancelled


async def test_promise_11_so_is_a_group_of_nothing_but_cancellations() -> None:
    coalescer, cancelled = Coalescer[str, object](), await cancellation()

    async def fetch() -> None:
        raise BaseExceptionGroup("children", [cancelled])

    with pytest.raises(FetchCancelledError, match="may be repeated"):
        await coalescer.run("key", fetch)


async def test_promise_11_a_group_is_delivered_without_the_cancellations_in_it() -> None:
    coalescer, cancelled = Coalescer[str, object](), await cancellation()

    async def fetch() -> None:
        raise BaseExceptionGroup("children", [cancelled, LookupError("lost")])

    with pytest.raises(ExceptionGroup) as caught:
        await coalescer.run("key", fetch)
    assert repr(caught.value.exceptions) == "(LookupError('lost'),)"


@on(REAL_ASYNCIO)
async def test_promise_11_native_cancelling_the_shared_task_wakes_all_callers() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    before = asyncio.all_tasks()
    async with crowd(coalescer) as callers:
        calls = await callers.call(fetch, count=3)
        for task in asyncio.all_tasks() - before:
            if "_fly" in repr(task):
                task.cancel()
    for call in calls:
        assert isinstance(call.error, FetchCancelledError)
        assert isinstance(call.error.__cause__, asyncio.CancelledError)
    assert (fetch.cancelled, len(coalescer)) == (1, 0)


@on(REAL_ASYNCIO)
async def test_promise_11_native_even_before_its_first_step() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    call = asyncio.create_task(coalescer.run("key", fetch))
    before = asyncio.all_tasks()
    await asyncio.sleep(0)
    [shared] = asyncio.all_tasks() - before
    shared.cancel()
    with pytest.raises(FetchCancelledError):
        await asyncio.wait_for(call, 5)
    assert (fetch.started, len(coalescer)) == (0, 0)


@pytest.mark.parametrize("turns", [1, 2, 20])
def test_promise_11_native_a_loop_that_shuts_down_ends_calls_and_fetches(turns: int) -> None:
    coalescer, calls = Coalescer[str, object](), list[asyncio.Task[object]]()

    async def main() -> Fetch:
        fetch = Fetch()
        calls.extend(asyncio.create_task(coalescer.run("key", fetch)) for _ in range(3))
        for _ in range(turns):
            await asyncio.sleep(0)
        return fetch

    fetch = asyncio.run(main())
    assert all(call.cancelled() for call in calls)
    assert (fetch.running, len(coalescer)) == (0, 0)


def test_promise_11_trio_a_run_that_ends_wakes_a_caller_that_outlives_it() -> None:
    coalescer, errors = Coalescer[str, object](), list[Exception]()

    async def call_from_a_system_task() -> None:
        with trio.CancelScope(shield=True):
            try:
                await coalescer.run("key", trio.sleep_forever)
            except FetchCancelledError as error:
                errors.append(error)

    async def main() -> None:
        trio.lowlevel.spawn_system_task(call_from_a_system_task)
        await settle()

    trio.run(main)
    assert len(errors) == 1


async def test_promise_11_a_fetch_that_breaks_its_cancel_scopes_is_an_error_of_its_callers() -> (
    None
):
    async def fetch() -> None:
        anyio.CancelScope().__enter__()

    with pytest.raises(RuntimeError, match="scope"):
        await Coalescer[str, None]().run("key", fetch)

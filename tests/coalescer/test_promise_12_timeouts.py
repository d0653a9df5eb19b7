"""Promise 12: a timeout around a call bounds that call alone."""

import asyncio

import anyio
import pytest

from connectors._coalescer import Coalescer
from tests.coalescer.support import Fetch, crowd
from tests.loops import ASYNCIO_VIRTUAL, UVLOOP, VIRTUAL, on

NATIVE = [ASYNCIO_VIRTUAL, UVLOOP]


async def test_promise_12_fail_after_bounds_one_call() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        [patient] = await callers.call(fetch)
        with pytest.raises(TimeoutError), anyio.fail_after(0.01):
            await coalescer.run("key", fetch)
        assert (patient.ended, fetch.running) == (False, 1)
        fetch.land("value")
    assert patient.value == "value"


async def test_promise_12_the_timeout_of_the_last_call_ends_the_fetch() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    with anyio.move_on_after(0.01) as scope:
        await coalescer.run("key", fetch)
    assert scope.cancelled_caught
    assert (fetch.running, fetch.cancelled) == (0, 1)


async def test_promise_12_a_timeout_inside_the_fetch_is_the_fetchs_own() -> None:
    async def fetch() -> str:
        with anyio.move_on_after(0.01):
            await anyio.sleep_forever()
        return "without it"

    assert await Coalescer[str, str]().run("key", fetch) == "without it"


@on(NATIVE)
async def test_promise_12_native_timeout_bounds_one_call() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        [patient] = await callers.call(fetch)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await coalescer.run("key", fetch)
        assert (patient.ended, fetch.running) == (False, 1)
        fetch.land("value")
    assert patient.value == "value"


@on(NATIVE)
async def test_promise_12_native_wait_for_bounds_one_call() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        [patient] = await callers.call(fetch)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(coalescer.run("key", fetch), 0.01)
        assert (patient.ended, fetch.running) == (False, 1)
        fetch.land("value")
    assert patient.value == "value"


@on(NATIVE)
async def test_promise_12_native_the_timeout_of_the_last_call_waits_for_the_fetch() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch(slow_to_unwind=True)

    async def call() -> None:
        async with asyncio.timeout(0.01):
            await coalescer.run("key", fetch)

    task = asyncio.create_task(call())
    await asyncio.sleep(0.05)
    assert fetch.cancelled == 1
    assert not task.done()
    fetch.may_unwind.set()
    with pytest.raises(TimeoutError):
        await task
    assert fetch.running == 0


@on(VIRTUAL)
async def test_promise_12_callers_with_little_patience_are_served_by_a_slow_service() -> None:
    """A fetch that goes on while anybody waits is what serves those who came late enough."""
    coalescer, sent, answered = Coalescer[str, str](), 0, 0

    async def fetch() -> str:
        nonlocal sent
        sent += 1
        await anyio.sleep(0.8)
        return "value"

    async def caller() -> None:
        nonlocal answered
        with anyio.move_on_after(0.5):
            assert await coalescer.run("key", fetch) == "value"
            answered += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(400):
            tasks.start_soon(caller)
            await anyio.sleep(0.01)
    assert sent <= 6
    assert answered >= 230
    assert len(coalescer) == 0

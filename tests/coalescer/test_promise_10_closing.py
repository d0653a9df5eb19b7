"""Promise 10: `aclose` ends what is in flight, and nothing runs afterwards."""

import asyncio
import threading
from functools import partial
from weakref import ref

import anyio
import pytest

from connectors._coalescer import Coalescer, CoalescerClosedError
from tests.coalescer.support import Fetch, crowd, settle
from tests.loops import REAL, REAL_ASYNCIO, on


async def test_promise_10_closing_cancels_the_fetches_and_those_who_wait_get_the_error() -> None:
    coalescer, one, two = Coalescer[str, object](), Fetch(), Fetch()
    async with crowd(coalescer) as callers:
        calls = await callers.call(one, "one", count=3) + await callers.call(two, "two")
        await coalescer.aclose()
        assert (one.cancelled, two.cancelled) == (1, 1)
        assert len(coalescer) == 0
    for call in calls:
        assert isinstance(call.error, CoalescerClosedError)
    assert len({id(call.error) for call in calls}) == 4


async def test_promise_10_closing_waits_until_the_fetches_have_unwound() -> None:
    coalescer, fetch, closed = Coalescer[str, object](), Fetch(slow_to_unwind=True), anyio.Event()

    async def close() -> None:
        await coalescer.aclose()
        closed.set()

    async with anyio.create_task_group() as tasks, crowd(coalescer) as callers:
        [call] = await callers.call(fetch)
        tasks.start_soon(close)
        tasks.start_soon(close)
        await settle()
        assert (closed.is_set(), call.ended, fetch.running) == (False, False, 1)
        fetch.may_unwind.set()
        await closed.wait()
        assert fetch.running == 0


async def test_promise_10_closing_waits_for_fetches_that_their_callers_abandoned_as_well() -> None:
    coalescer, fetch, closed = Coalescer[str, object](), Fetch(slow_to_unwind=True), anyio.Event()

    async def close() -> None:
        await coalescer.aclose()
        closed.set()

    async with anyio.create_task_group() as tasks, crowd(coalescer) as callers:
        [call] = await callers.call(fetch)
        call.cancel()
        await settle()
        tasks.start_soon(close)
        await settle()
        assert not closed.is_set()
        fetch.may_unwind.set()
    assert call.was_cancelled


async def test_promise_10_nothing_is_fetched_afterwards() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    await coalescer.aclose()
    await coalescer.aclose()
    with pytest.raises(CoalescerClosedError, match="starts none"):
        await coalescer.run("key", fetch)
    await settle()
    assert fetch.started == 0


async def test_promise_10_a_fetch_that_has_not_begun_never_begins() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    errors: list[Exception] = []

    async def call() -> None:
        try:
            await coalescer.run("key", fetch)
        except CoalescerClosedError as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        # Both run before anything that the first of them starts.
        tasks.start_soon(call)
        tasks.start_soon(coalescer.aclose)
    assert fetch.started == 0
    assert len(errors) == 1


async def test_promise_10_a_fetch_that_answers_though_cancelled_is_not_heard() -> None:
    coalescer, told = Coalescer[str, str](), anyio.Event()

    async def stubborn() -> str:
        with anyio.CancelScope(shield=True):
            await told.wait()
        return "too late"

    async with anyio.create_task_group() as tasks, crowd(coalescer) as callers:
        [call] = await callers.call(stubborn)
        tasks.start_soon(coalescer.aclose)
        await settle()
        told.set()
    assert isinstance(call.error, CoalescerClosedError)


async def test_promise_10_a_fetch_that_fails_when_it_is_cancelled_is_not_heard_either() -> None:
    coalescer = Coalescer[str, object]()

    async def fetch() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise LookupError

    async with crowd(coalescer) as callers:
        [call] = await callers.call(fetch)
        await coalescer.aclose()
    assert isinstance(call.error, CoalescerClosedError)


async def test_promise_10_a_caller_that_is_cancelled_during_the_closing_waits_as_well() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch(slow_to_unwind=True)
    async with anyio.create_task_group() as tasks, crowd(coalescer) as callers:
        [call] = await callers.call(fetch)
        tasks.start_soon(coalescer.aclose)
        await settle()
        call.cancel()
        await settle()
        assert not call.ended
        fetch.may_unwind.set()
    assert call.was_cancelled


async def test_promise_10_closing_in_a_cancelled_scope_still_closes_and_waits() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch(slow_to_unwind=True)
    async with anyio.create_task_group() as tasks, crowd(coalescer) as callers:
        await callers.call(fetch)

        async def let_it_unwind() -> None:
            await settle()
            fetch.may_unwind.set()

        tasks.start_soon(let_it_unwind)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await coalescer.aclose()
            assert fetch.running == 0


async def test_promise_10_a_fetch_may_close_the_coalescer_that_runs_it() -> None:
    coalescer, other = Coalescer[str, object](), Fetch()
    running: list[int] = []

    async def fetch() -> None:
        await coalescer.aclose()
        running.append(other.running)
        await anyio.sleep_forever()

    async with crowd(coalescer) as callers:
        [bystander] = await callers.call(other, "other")
        with anyio.fail_after(5), pytest.raises(CoalescerClosedError):
            await coalescer.run("key", fetch)
    assert running == [0], "it has waited for the other fetch"
    assert other.cancelled == 1
    assert isinstance(bystander.error, CoalescerClosedError)


async def test_promise_10_so_may_a_fetch_that_others_wait_for() -> None:
    coalescer = Coalescer[str, object]()

    async def inner() -> None:
        await coalescer.aclose()

    async def outer() -> object:
        return await coalescer.run("inner", inner)

    with anyio.fail_after(5), pytest.raises(CoalescerClosedError):
        await coalescer.run("outer", outer)


async def test_promise_10_so_may_two_fetches_at_the_same_time() -> None:
    coalescer, both = Coalescer[str, object](), anyio.Event()

    async def fetch() -> None:
        await both.wait()
        with anyio.CancelScope(shield=True):
            await coalescer.aclose()

    async with crowd(coalescer) as callers:
        calls = await callers.call(fetch, "one") + await callers.call(fetch, "two")
        both.set()
        with anyio.fail_after(5):
            await settle()
    assert all(isinstance(call.error, CoalescerClosedError) for call in calls)


@on(REAL_ASYNCIO)
async def test_promise_10_native_cancelling_the_close_does_not_shorten_it() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch(slow_to_unwind=True)
    async with crowd(coalescer) as callers:
        await callers.call(fetch)
        closing = asyncio.create_task(coalescer.aclose())
        for _ in range(3):
            await settle()
            closing.cancel()
        await settle()
        assert not closing.done()
        fetch.may_unwind.set()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert fetch.running == 0


@on(REAL_ASYNCIO)
async def test_promise_10_native_what_interrupted_the_close_leaves_no_cycle(
    without_gc: None,
) -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch(slow_to_unwind=True)
    watched: list[ref[object]] = []

    async def close() -> None:
        try:
            await coalescer.aclose()
        except asyncio.CancelledError as error:
            watched.append(ref(error))

    async with crowd(coalescer) as callers:
        await callers.call(fetch)
        closing = asyncio.create_task(close())
        await settle()
        closing.cancel()
        await settle()
        fetch.may_unwind.set()
        await closing
    del closing
    assert [thing() for thing in watched] == [None]


class Elsewhere:
    """A call in another event loop, in another thread."""

    def __init__(self, coalescer: Coalescer[str, object], backend: str) -> None:
        self.fetched = 0
        self.value: object = None
        self.error: Exception | None = None
        self._coalescer = coalescer
        self._backend = backend
        self._waits = threading.Event()

    async def run(self) -> None:
        """Start the loop, and wait here until its call has ended."""
        await anyio.to_thread.run_sync(partial(anyio.run, self._call, backend=self._backend))

    async def wait_until_it_waits(self) -> None:
        assert await anyio.to_thread.run_sync(self._waits.wait, 30)

    async def go_on(self) -> None:
        """Let the fetch land, or unwind."""
        await anyio.to_thread.run_sync(
            partial(anyio.from_thread.run_sync, self._go.set, token=self._token)
        )

    async def _call(self) -> None:
        try:
            self.value = await self._coalescer.run("key", self._fetch)
        except CoalescerClosedError as error:
            self.error = error

    async def _fetch(self) -> str:
        self.fetched += 1
        self._go = anyio.Event()
        self._token = anyio.lowlevel.current_token()
        self._waits.set()
        # Nobody else can end it: the loop of the test waits for its thread, also when cancelled.
        try:
            with anyio.fail_after(30):
                await self._go.wait()
        finally:
            with anyio.fail_after(30, shield=True):
                await self._go.wait()
        return "from elsewhere"


@on(REAL)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
async def test_promise_10_closing_cancels_the_fetches_of_other_loops_without_waiting(
    backend: str,
) -> None:
    coalescer = Coalescer[str, object]()
    elsewhere = Elsewhere(coalescer, backend)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(elsewhere.run)
            await elsewhere.wait_until_it_waits()
            await coalescer.aclose()
            assert elsewhere.error is None, "closing has not waited for it"
            await elsewhere.go_on()
    assert isinstance(elsewhere.error, CoalescerClosedError)


@on(REAL)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
async def test_promise_01_each_event_loop_has_its_own_fetches(backend: str) -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    elsewhere = Elsewhere(coalescer, backend)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks, crowd(coalescer) as callers:
            tasks.start_soon(elsewhere.run)
            await elsewhere.wait_until_it_waits()
            [here] = await callers.call(fetch)
            assert (fetch.started, elsewhere.fetched, len(coalescer)) == (1, 1, 2)
            fetch.land("from here")
            await elsewhere.go_on()
    assert (here.value, elsewhere.value) == ("from here", "from elsewhere")

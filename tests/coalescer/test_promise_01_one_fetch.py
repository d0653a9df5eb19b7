"""Promises 1, 2, 3 and 13: who shares a fetch, with what outcome, and for how long."""

import anyio
import pytest

from connectors._coalescer import Coalescer
from tests.coalescer.support import Fetch, crowd, settle


async def test_promise_01_a_key_has_one_joinable_fetch_at_a_time() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        await callers.call(fetch, count=3)
        await callers.call(fetch)
        assert (fetch.started, len(coalescer)) == (1, 1)
        fetch.land("value")


async def test_promise_01_two_keys_share_nothing() -> None:
    coalescer, one, other = Coalescer[str, object](), Fetch(), Fetch()
    async with crowd(coalescer) as callers:
        [first] = await callers.call(one, "one")
        [second] = await callers.call(other, "other")
        assert len(coalescer) == 2
        one.land(1)
        await settle()
        assert first.ended
        assert not second.ended
        other.land(2)
    assert (first.value, second.value) == (1, 2)


async def test_promise_01_who_joins_can_tell() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        calls = await callers.call(fetch, count=3)
        fetch.land(None)
    # Which of them came first is the loop's choice.
    assert sorted(call.joined for call in calls) == [False, True, True]


async def test_promise_01_an_observer_of_joining_that_fails_is_no_caller() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()

    def refuse() -> None:
        raise LookupError

    async with crowd(coalescer) as callers:
        [first] = await callers.call(fetch)
        with pytest.raises(LookupError):
            await coalescer.run("key", fetch, on_join=refuse)
        first.cancel()
        await settle()
        assert fetch.cancelled == 1, "the first caller was the only one"


async def test_promise_02_a_call_after_the_landing_starts_a_new_fetch() -> None:
    coalescer = Coalescer[str, int]()
    answers = iter([1, 2])

    async def fetch() -> int:
        await anyio.lowlevel.checkpoint()
        return next(answers)

    assert [await coalescer.run("key", fetch), await coalescer.run("key", fetch)] == [1, 2]


async def test_promise_02_the_key_is_free_before_the_first_caller_wakes() -> None:
    coalescer, fetch, again = Coalescer[str, object](), Fetch(), Fetch()
    async with anyio.create_task_group() as tasks:

        async def call_twice() -> None:
            await coalescer.run("key", fetch)
            await coalescer.run("key", again)

        tasks.start_soon(call_twice)
        tasks.start_soon(call_twice)
        await settle()
        fetch.land("old")
        await settle()
        assert (fetch.started, again.started) == (1, 1)
        again.land("new")


async def test_promise_02_a_failure_is_not_kept_either() -> None:
    coalescer, failing, working = Coalescer[str, object](), Fetch(), Fetch()
    failing.fail(LookupError())
    working.land("value")
    with pytest.raises(LookupError):
        await coalescer.run("key", failing)
    assert await coalescer.run("key", working) == "value"


async def test_promise_03_every_caller_gets_the_same_value() -> None:
    coalescer, fetch, value = Coalescer[str, object](), Fetch(), object()
    async with crowd(coalescer) as callers:
        calls = await callers.call(fetch, count=5)
        fetch.land(value)
    assert all(call.value is value for call in calls)


async def test_promise_03_every_caller_gets_the_error() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        calls = await callers.call(fetch, count=5)
        fetch.fail(LookupError("nothing there"))
    assert [repr(call.error) for call in calls] == ["LookupError('nothing there')"] * 5


async def test_promise_03_a_fetch_that_cannot_even_begin_fails_like_any_other() -> None:
    def refuse() -> Fetch:
        raise LookupError("no such fetch")

    coalescer = Coalescer[str, object]()
    with pytest.raises(LookupError, match="no such fetch"):
        await coalescer.run("key", refuse)  # type: ignore[arg-type]
    assert len(coalescer) == 0


async def test_promise_03_a_key_that_cannot_be_one_is_refused_before_anything_happens() -> None:
    fetch = Fetch()
    with pytest.raises(TypeError, match="unhashable"):
        await Coalescer[list[str], object]().run(["key"], fetch)  # type: ignore[type-var]
    assert fetch.started == 0


async def test_promise_03_ten_thousand_callers_cost_one_fetch() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        calls = await callers.call(fetch, count=10_000)
        fetch.land("value")
    assert fetch.started == 1
    assert all(call.value == "value" for call in calls)


async def test_promise_13_nothing_is_left_after_a_value() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        calls = await callers.call(fetch, count=3)
        fetch.land("value")
    # The last reference to a flight would free it as well: the calls are still there.
    assert (len(calls), len(coalescer)) == (3, 0)


async def test_promise_13_nothing_is_left_after_an_error() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        calls = await callers.call(fetch, count=3)
        fetch.fail(LookupError())
    assert (len(calls), len(coalescer)) == (3, 0)


async def test_promise_13_nothing_is_left_when_everybody_has_gone() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        for call in await callers.call(fetch, count=3):
            call.cancel()
    assert len(coalescer) == 0


async def test_promise_13_the_repr_tells_the_state_and_no_key() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    async with crowd(coalescer) as callers:
        await callers.call(fetch, "planted-token")
        assert repr(coalescer) == "<Coalescer open, in flight: 1>"
        flights = list(coalescer._flights.values())
        assert repr(flights) == "[<Flight in flight, callers: 1>]"
        fetch.land("planted-token")
    assert repr(flights) == "[<Flight landed, callers: 1>]"
    await coalescer.aclose()
    assert repr(coalescer) == "<Coalescer closed, in flight: 0>"

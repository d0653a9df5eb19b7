"""Promise 9: fetches that wait for each other get an error, all others get what they ask for."""

from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import pytest

from connectors._coalescer import Coalescer, ReentrantFetchError
from tests.coalescer.support import Fetch, crowd, settle
from tests.loops import REAL, on

AnyCoalescer = Coalescer[str, object]


async def test_promise_09_a_fetch_that_asks_for_its_own_key_gets_an_error() -> None:
    coalescer = AnyCoalescer()

    async def fetch() -> object:
        return await coalescer.run("key", fetch)

    with anyio.fail_after(5), pytest.raises(ReentrantFetchError, match="neither would ever end"):
        await coalescer.run("key", fetch)
    assert len(coalescer) == 0


async def test_promise_09_a_fetch_may_catch_the_error_and_go_on() -> None:
    coalescer = AnyCoalescer()

    async def fetch() -> object:
        try:
            return await coalescer.run("key", fetch)
        except ReentrantFetchError:
            return "another way"

    with anyio.fail_after(5):
        assert await coalescer.run("key", fetch) == "another way"


async def test_promise_09_a_chain_that_comes_back_to_its_start_gets_an_error() -> None:
    coalescer = AnyCoalescer()

    async def fetch(number: int) -> object:
        following = (number + 1) % 5
        return await coalescer.run(str(following), partial(fetch, following))

    with anyio.fail_after(5), pytest.raises(ReentrantFetchError):
        await coalescer.run("0", partial(fetch, 0))
    assert len(coalescer) == 0


async def test_promise_09_a_task_that_the_fetch_started_is_part_of_it() -> None:
    coalescer = AnyCoalescer()
    errors: list[Exception] = []

    async def ask() -> None:
        try:
            await coalescer.run("key", fetch)
        except ReentrantFetchError as error:
            errors.append(error)

    async def fetch() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)

    with anyio.fail_after(5):
        await coalescer.run("key", fetch)
    assert len(errors) == 2


async def test_promise_09_two_fetches_that_others_started_and_that_wait_for_each_other() -> None:
    coalescer = AnyCoalescer()
    both = anyio.Event()

    async def fetch(other: str, never: Callable[[], Awaitable[object]]) -> object:
        await both.wait()
        return await coalescer.run(other, never)

    async with crowd(coalescer) as callers:
        never = Fetch()
        [one] = await callers.call(partial(fetch, "two", never), "one")
        [two] = await callers.call(partial(fetch, "one", never), "two")
        both.set()
    # The second to ask closes the circle; its error is then the outcome of the first.
    assert isinstance(one.error, ReentrantFetchError)
    assert isinstance(two.error, ReentrantFetchError)
    assert never.started == 0


async def test_promise_09_through_two_coalescers() -> None:
    first, second = AnyCoalescer(), AnyCoalescer()

    async def fetch() -> object:
        return await second.run("key", lambda: first.run("key", fetch))

    with anyio.fail_after(5), pytest.raises(ReentrantFetchError):
        await first.run("key", fetch)


async def test_promise_09_nesting_without_a_circle_is_allowed() -> None:
    coalescer, shared = AnyCoalescer(), Fetch()

    async def fetch() -> object:
        one = await coalescer.run("shared", shared)
        return [one, await coalescer.run("shared", shared)]

    async with crowd(coalescer) as callers:
        [left] = await callers.call(fetch, "left")
        [right] = await callers.call(fetch, "right")
        [direct] = await callers.call(shared, "shared")
        assert shared.started == 1
        shared.land("value")
    assert (left.value, right.value) == (["value"] * 2,) * 2
    assert direct.value == "value"


async def test_promise_09_fetches_that_meet_again_further_down_are_no_circle() -> None:
    coalescer, bottom, ready = AnyCoalescer(), Fetch(), anyio.Event()

    async def side() -> object:
        return await coalescer.run("bottom", bottom)

    async def top() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(coalescer.run, "left", side)
            tasks.start_soon(coalescer.run, "right", side)

    async def elsewhere() -> object:
        await ready.wait()
        return await coalescer.run("top", top)

    async with crowd(coalescer) as callers:
        [late] = await callers.call(elsewhere, "elsewhere")
        await callers.call(top, "top")
        ready.set()
        await settle()
        bottom.land(None)
    assert late.error is None


async def test_promise_09_a_wait_that_was_given_up_counts_no_more() -> None:
    coalescer, slow = AnyCoalescer(), Fetch()
    gave_up = anyio.Event()

    async def impatient() -> str:
        with anyio.move_on_after(0.01):
            await coalescer.run("other", slow)
        gave_up.set()
        await go.wait()
        return "value"

    async def other() -> object:
        await gave_up.wait()
        return await coalescer.run("impatient", impatient)

    go = anyio.Event()
    async with crowd(coalescer) as callers:
        [first] = await callers.call(impatient, "impatient")
        await gave_up.wait()
        [second] = await callers.call(other, "other")
        go.set()
    assert (first.value, second.value) == ("value", "value")


async def test_promise_09_what_a_landed_fetch_left_running_may_ask_for_its_key() -> None:
    coalescer, landed = AnyCoalescer(), anyio.Event()
    answers: list[object] = []

    async def background() -> None:
        await landed.wait()
        answers.append(await coalescer.run("key", fetch_again))

    async def fetch_again() -> str:
        return "again"

    async with anyio.create_task_group() as tasks:

        async def fetch() -> None:
            tasks.start_soon(background)

        await coalescer.run("key", fetch)
        landed.set()
    assert answers == ["again"]


async def test_promise_09_what_a_landed_fetch_left_running_is_part_of_no_circle() -> None:
    coalescer, landed, value = AnyCoalescer(), anyio.Event(), Fetch()
    keep: list[object] = []

    async def background() -> None:
        await landed.wait()
        await coalescer.run("key", value)

    async with anyio.create_task_group() as tasks:

        async def fetch() -> None:
            # The flight is kept alive, as by a caller who has not woken yet.
            keep.extend(coalescer._flights.values())
            tasks.start_soon(background)

        await coalescer.run("key", fetch)
        landed.set()
        await settle()
        assert value.started == 1
        value.land(None)
    assert len(keep) == 1


@on(REAL)
async def test_promise_09_a_fetch_that_goes_through_a_thread_is_still_that_fetch() -> None:
    coalescer = AnyCoalescer()

    async def fetch() -> object:
        return await anyio.to_thread.run_sync(
            anyio.from_thread.run, partial(coalescer.run, "key", fetch)
        )

    with anyio.fail_after(5), pytest.raises(ReentrantFetchError):
        await coalescer.run("key", fetch)

"""Promise 7: every caller raises an error of its own, and none outlives those who hold it."""

import asyncio
import traceback
from contextlib import suppress
from weakref import ref

import anyio
import pydantic_core
import pytest

from connectors._coalescer import Coalescer, FetchCancelledError, ReentrantFetchError
from tests.coalescer.support import Fetch, crowd, settle
from tests.loops import REAL_ASYNCIO, on


class RefusedError(Exception):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


async def refusing() -> None:
    await anyio.lowlevel.checkpoint()
    _refuse()


def _refuse() -> None:
    error = RefusedError("refused", 7)
    error.add_note("a note")
    raise error from KeyError("cause")


async def errors_of_three() -> list[BaseException]:
    async with crowd(Coalescer[str, None]()) as callers:
        calls = await callers.call(refusing, count=3)
    return [call.error for call in calls if call.error is not None]


async def test_promise_07_every_caller_raises_an_object_of_its_own() -> None:
    assert len({id(error) for error in await errors_of_three()}) == 3


async def test_promise_07_type_arguments_attributes_notes_and_cause_are_the_fetchs() -> None:
    for error in await errors_of_three():
        assert type(error) is RefusedError
        assert (error.args, error.code) == (("refused",), 7)
        assert error.__notes__ == ["a note"]
        assert repr(error.__cause__) == "KeyError('cause')"
        assert error.__suppress_context__


async def test_promise_07_the_traceback_is_the_callers_and_then_the_fetchs() -> None:
    for error in await errors_of_three():
        frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        assert frames == ["run", "run", "outcome", "raise_copy", "refusing", "_refuse"]


async def test_promise_07_what_one_caller_does_to_its_error_is_not_seen_by_another() -> None:
    first, second, third = await errors_of_three()
    first.add_note("mine")
    with pytest.raises(RefusedError):
        raise second
    assert third.__notes__ == ["a note"]
    frames = [len(traceback.extract_tb(error.__traceback__)) for error in (first, second, third)]
    assert frames == [6, 7, 6]


async def test_promise_07_the_context_is_the_fetchs_even_for_a_caller_in_an_except_block() -> None:
    async def fetch() -> None:
        try:
            [].pop()
        except IndexError:
            raise RefusedError("refused", 7)  # noqa: B904 - the implicit context is the test.

    try:
        int("what the caller is handling")
    except ValueError:
        with pytest.raises(RefusedError) as caught:
            await Coalescer[str, None]().run("key", fetch)
    assert isinstance(caught.value.__context__, IndexError)


async def test_promise_07_an_error_without_context_takes_that_of_its_caller() -> None:
    async def fetch() -> None:
        raise RefusedError("refused", 7)

    try:
        int("what the caller is handling")
    except ValueError:
        with pytest.raises(RefusedError) as caught:
            await Coalescer[str, None]().run("key", fetch)
    assert isinstance(caught.value.__context__, ValueError)


class Thing:
    """Something in a frame whose end can be watched."""


async def test_promise_07_errors_and_frames_end_with_those_who_hold_them(
    without_gc: None,
) -> None:
    watched: list[ref[object]] = []

    async def fetch() -> None:
        local = Thing()
        error = RefusedError("refused", 7)
        watched.extend([ref(local), ref(error)])
        await anyio.lowlevel.checkpoint()
        try:
            raise error
        finally:
            del error  # A frame that keeps what it raises is a cycle of the fetch's own making.

    async def call(coalescer: Coalescer[str, None]) -> None:
        try:
            await coalescer.run("key", fetch)
        except RefusedError as error:
            watched.append(ref(error))

    coalescer = Coalescer[str, None]()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(call, coalescer)
    await settle()
    assert len(watched) == 5
    assert [thing() for thing in watched] == [None] * 5


async def test_promise_07_so_do_the_frames_of_an_error_that_cannot_be_copied(
    without_gc: None,
) -> None:
    watched: list[ref[object]] = []

    async def fetch() -> None:
        local = Thing()
        watched.append(ref(local))
        await anyio.lowlevel.checkpoint()
        raise pydantic_core.PydanticOmit

    with suppress(pydantic_core.PydanticOmit):
        await Coalescer[str, None]().run("key", fetch)
    await settle()
    assert [thing() for thing in watched] == [None]


async def test_promise_07_values_and_frames_end_with_those_who_hold_them(
    without_gc: None,
) -> None:
    watched: list[ref[object]] = []

    async def fetch() -> Thing:
        value, local = Thing(), Thing()
        watched.extend([ref(value), ref(local)])
        await anyio.lowlevel.checkpoint()
        return value

    coalescer = Coalescer[str, Thing]()
    value = await coalescer.run("key", fetch)
    assert watched[0]() is value
    del value
    await settle()
    assert [thing() for thing in watched] == [None] * 2


async def test_promise_07_a_context_that_lives_on_does_not_keep_the_value(
    without_gc: None,
) -> None:
    ended = anyio.Event()

    async def background() -> None:
        await ended.wait()

    async with anyio.create_task_group() as tasks:

        async def fetch() -> Thing:
            tasks.start_soon(background)
            return Thing()

        value = ref(await Coalescer[str, Thing]().run("key", fetch))
        await settle()
        assert value() is None
        ended.set()


async def test_promise_07_an_error_that_passes_through_two_fetches_ends_as_well(
    without_gc: None,
) -> None:
    coalescer = Coalescer[str, None]()
    watched: list[ref[object]] = []

    async def inner() -> None:
        local = Thing()
        watched.append(ref(local))
        await anyio.lowlevel.checkpoint()
        raise RefusedError("refused", 7)

    async def outer() -> None:
        await coalescer.run("inner", inner)

    async def itself() -> None:
        local = Thing()
        watched.append(ref(local))
        await coalescer.run("itself", itself)

    for key, fetch, error in (
        ("outer", outer, RefusedError),
        ("itself", itself, ReentrantFetchError),
    ):
        with suppress(error):
            await coalescer.run(key, fetch)
    await settle()
    assert [thing() for thing in watched] == [None] * 2


@on(REAL_ASYNCIO)
async def test_promise_07_native_a_cancelled_fetch_within_a_fetch_ends_as_well(
    without_gc: None,
) -> None:
    coalescer, inner = Coalescer[str, object](), Fetch()
    tasks: list[asyncio.Task[object] | None] = []
    watched: list[ref[object]] = []

    async def outer() -> None:
        local = Thing()
        watched.append(ref(local))
        tasks.append(asyncio.current_task())
        await coalescer.run("inner", inner)

    async def cancel_outer() -> None:
        await settle()
        task = tasks.pop()
        assert task is not None
        task.cancel()

    async with anyio.create_task_group() as canceller:
        canceller.start_soon(cancel_outer)
        try:
            await coalescer.run("outer", outer)
        except FetchCancelledError as error:
            watched += [ref(error), ref(error.__cause__)]
    await settle()
    assert len(watched) == 3
    assert [thing() for thing in watched] == [None] * 3

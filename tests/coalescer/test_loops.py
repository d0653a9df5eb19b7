"""What the coalescer asks of event loops, and what it leaves behind when they go."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any
from weakref import ref

import pytest
import uvloop

from connectors._coalescer import Coalescer
from tests.coalescer.support import Fetch, settle
from tests.loops import ASYNCIO, REAL_ASYNCIO, on

each_loop = pytest.mark.parametrize(
    "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


class RefusedError(Exception):
    pass


@on(REAL_ASYNCIO)
async def test_a_task_that_cannot_be_made_leaves_nothing_behind() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    loop = asyncio.get_running_loop()

    def refuse(*args: object, **kwargs: object) -> asyncio.Future[Any]:
        raise RefusedError

    loop.set_task_factory(refuse)
    try:
        with pytest.raises(RefusedError):
            await coalescer.run("key", fetch)
    finally:
        loop.set_task_factory(None)
    assert (len(coalescer), fetch.started) == (0, 0)


@on([ASYNCIO])  # uvloop hands a context to every factory.
async def test_a_task_factory_that_knows_no_context_is_good_enough() -> None:
    coalescer, fetch = Coalescer[str, object](), Fetch()
    loop = asyncio.get_running_loop()

    def factory(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coroutine, loop=loop)

    fetch.land("value")
    loop.set_task_factory(factory)  # type: ignore[arg-type]
    try:
        assert await coalescer.run("key", fetch) == "value"
    finally:
        loop.set_task_factory(None)


async def begin(coalescer: Coalescer[str, object], fetch: Fetch) -> Coroutine[Any, Any, object]:
    """A call that is driven by hand, as far as to its wait for the fetch."""
    call = coalescer.run("key", fetch)
    call.send(None)
    await settle()
    return call


# What is dropped before it began says so.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_the_registry_keeps_no_loop_that_was_dropped() -> None:
    coalescer, fetch, loop = Coalescer[str, object](), Fetch(), asyncio.new_event_loop()

    async def begin_and_stop(shared: Fetch) -> None:
        asyncio.ensure_future(coalescer.run("key", shared))  # noqa: RUF006 - to be dropped.
        await asyncio.sleep(0)
        # In this very turn: of a task that has entered a cancel scope, anyio never lets go.
        asyncio.get_running_loop().stop()

    loop.run_until_complete(begin_and_stop(fetch))
    loop.close()
    assert (len(coalescer), fetch.started) == (1, 0)
    watched: list[ref[object]] = [ref(loop), ref(fetch)]
    del loop, fetch
    gc.collect()
    assert len(coalescer) == 0
    assert [thing() for thing in watched] == [None, None]


@each_loop
def test_a_fetch_that_is_closed_after_its_loop_raises_nothing(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    coalescer, fetch, loop = Coalescer[str, object](), Fetch(), new_loop()
    call = loop.run_until_complete(begin(coalescer, fetch))
    [task] = asyncio.all_tasks(loop)
    loop.close()
    assert fetch.running == 1
    shared = task.get_coro()
    assert isinstance(shared, Coroutine)
    shared.close()
    assert fetch.running == 0
    call.close()


@each_loop
def test_a_caller_that_is_closed_after_its_loop_raises_nothing(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    coalescer, loop = Coalescer[str, object](), new_loop()
    call = loop.run_until_complete(begin(coalescer, Fetch()))
    loop.close()
    assert len(coalescer) == 1
    call.close()
    assert len(coalescer) == 0


@each_loop
def test_loops_one_after_another_do_not_meet(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    coalescer = Coalescer[str, int]()

    async def call(value: int) -> int:
        async def fetch() -> int:
            await asyncio.sleep(0)
            return value

        return await coalescer.run("key", fetch)

    for value in range(3):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            assert runner.run(call(value)) == value


def test_without_trio_trio_is_not_imported() -> None:
    code = """
import asyncio, sys
from connectors._coalescer import Coalescer
async def fetch():
    return 'value'
assert asyncio.run(Coalescer().run('key', fetch)) == 'value'
assert 'trio' not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_outside_an_event_loop_there_is_an_error() -> None:
    call = Coalescer[str, object]().run("key", Fetch())
    with pytest.raises(RuntimeError, match="event loop"):
        call.send(None)

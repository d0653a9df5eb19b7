"""Each promise can be broken, and only by what breaks it: the proof that the checks look."""

import pytest

from tests.loops import ASYNCIO_VIRTUAL, VIRTUAL, on
from tests.transports.broken import BREAKING, Honest, serve
from transports.testing import PROMISES, BrokenPromiseError, Promise
from transports.testing._forks import works_after_a_fork
from transports.testing._loops import works_in_a_second_loop

EACH = [
    pytest.param(promise, kind, id=kind.__name__)
    for promise, kinds in BREAKING.items()
    for kind in kinds
]
# What hangs in a loop or process of its own hangs in real time there, but for a loop like this one.
FOUND = [
    pytest.param(*loop.values, *case.values, id=f"{loop.id}-{case.id}")
    for loop in VIRTUAL
    for case in EACH
    if loop is ASYNCIO_VIRTUAL or case.values[0] not in {works_after_a_fork, works_in_a_second_loop}
]


async def broken(promise: Promise, kind: type[Honest]) -> str | None:
    try:
        await promise.check(serve(kind))
    except BrokenPromiseError as error:
        return error.promise
    return None


@on(VIRTUAL)
@pytest.mark.parametrize("promise", PROMISES, ids=str)
async def test_the_honest_one_keeps_every_promise(promise: Promise) -> None:
    await promise.check(serve(Honest))


@pytest.mark.parametrize("promise", PROMISES, ids=str)
def test_each_promise_is_broken_by_something(promise: Promise) -> None:
    assert BREAKING[promise]


@pytest.mark.parametrize(("anyio_backend", "promise", "kind"), FOUND, indirect=["anyio_backend"])
async def test_what_breaks_a_promise_is_found(promise: Promise, kind: type[Honest]) -> None:
    assert await broken(promise, kind) == promise.name


@on([ASYNCIO_VIRTUAL])
@pytest.mark.parametrize(("promise", "kind"), EACH)
async def test_what_breaks_a_promise_keeps_the_others(promise: Promise, kind: type[Honest]) -> None:
    quick = set(PROMISES) - {promise, works_after_a_fork}
    assert [str(other) for other in quick if await broken(other, kind)] == []

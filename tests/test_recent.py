"""What was fetched last is given only to who accepts it, and only as much of it is kept."""

import gc

import anyio
import pytest

from connectors._models import Connection
from connectors._recent import Recent
from tests.loops import VIRTUAL, on

OLD = Connection("token-1")
NEW = Connection("token-2")


async def remembered(recent: Recent, connection: Connection = OLD, key: object = "a") -> None:
    recent.remember(key, connection, anyio.current_time())


async def found(
    recent: Recent,
    key: object = "a",
    max_age: float | None = None,
    rejected: Connection | None = None,
) -> Connection | None:
    return recent.find(key, max_age=max_age, rejected=rejected)


async def test_nothing_is_there_before_it_was_fetched() -> None:
    recent = Recent()
    assert await found(recent, max_age=60) is None
    assert await found(recent, rejected=OLD) is None
    await remembered(recent)
    assert await found(recent, key="b", max_age=60) is None


async def test_nothing_is_given_to_who_does_not_ask_for_it() -> None:
    recent = Recent()
    await remembered(recent)
    assert await found(recent) is None


@on(VIRTUAL)
@pytest.mark.parametrize(("age", "fresh"), [(0, True), (59.9, True), (60, False), (3600, False)])
async def test_a_connection_is_fresh_for_less_than_its_age(age: float, *, fresh: bool) -> None:
    recent = Recent()
    await remembered(recent)
    await anyio.sleep(age)
    assert await found(recent, max_age=60) is (OLD if fresh else None)
    assert await found(recent, max_age=0) is None


@on(VIRTUAL)
async def test_the_age_counts_from_when_the_fetch_began() -> None:
    recent = Recent()
    began = anyio.current_time()
    await anyio.sleep(10)
    recent.remember("a", OLD, began)
    assert await found(recent, max_age=10) is None
    assert await found(recent, max_age=10.1) is OLD


async def test_a_rejected_connection_is_never_given_back() -> None:
    recent = Recent()
    await remembered(recent, OLD)
    same = Connection(OLD.access_token, {"other": "config"})
    assert await found(recent, rejected=OLD) is None
    assert await found(recent, rejected=same) is None
    assert await found(recent, max_age=60, rejected=same) is None


@on(VIRTUAL)
async def test_who_was_rejected_gets_what_was_fetched_since() -> None:
    recent = Recent()
    await remembered(recent, NEW)
    assert await found(recent, rejected=OLD) is NEW
    await anyio.sleep(100)
    assert await found(recent, rejected=OLD) is NEW
    # Unless it says how old that may be.
    assert await found(recent, max_age=101, rejected=OLD) is NEW
    assert await found(recent, max_age=100, rejected=OLD) is None


async def test_the_last_one_takes_the_place_of_the_one_before() -> None:
    recent = Recent()
    await remembered(recent, OLD)
    await remembered(recent, NEW)
    assert await found(recent, max_age=60) is NEW
    assert len(recent) == 1


async def test_a_fetch_that_began_earlier_does_not_take_the_place_of_a_newer_one() -> None:
    recent = Recent()
    now = anyio.current_time()
    recent.remember("a", NEW, now + 1)
    recent.remember("a", OLD, now)
    assert await found(recent, max_age=60) is NEW
    recent.remember("a", OLD, now + 1)
    assert await found(recent, max_age=60) is OLD


async def test_at_most_1024_are_kept_and_the_longest_unused_leaves() -> None:
    recent = Recent()
    for key in range(1024):
        await remembered(recent, key=key)
    assert len(recent) == 1024
    # 0 is asked for, 1 fetched anew, 2 asked for in vain: that is no use.
    assert await found(recent, key=0, max_age=60) is OLD
    await remembered(recent, NEW, key=1)
    assert await found(recent, key=2, rejected=OLD) is None
    for key in (1024, 1025):
        await remembered(recent, key=key)
    assert len(recent) == 1024
    kept = [await found(recent, key=key, max_age=60) for key in range(5)]
    assert kept == [OLD, NEW, None, None, OLD]


async def test_clear_forgets_everything() -> None:
    recent = Recent()
    await remembered(recent)
    recent.clear()
    assert len(recent) == 0
    assert await found(recent, max_age=60) is None


@pytest.mark.parametrize("first", ["asyncio", "trio"])
@pytest.mark.parametrize("second", ["asyncio", "trio"])
def test_what_one_event_loop_fetched_is_not_given_in_another(first: str, second: str) -> None:
    recent = Recent()
    anyio.run(remembered, recent, backend=first)
    gc.collect()
    # The same fetch and the same moment: another clock may call them anything.
    assert anyio.run(found, recent, "a", 1e12, None, backend=second) is None
    assert anyio.run(found, recent, "a", None, NEW, backend=second) is None
    anyio.run(remembered, recent, NEW, backend=second)
    assert len(recent) == 1


def test_what_one_event_loop_fetched_keeps_nothing_of_another_out() -> None:
    async def fetched(connection: Connection, at: float) -> Connection | None:
        recent.remember("a", connection, at)
        return await found(recent, max_age=1e12)

    recent = Recent()
    assert anyio.run(fetched, OLD, 1e9) is OLD
    assert anyio.run(fetched, NEW, 0.0) is NEW


def test_a_loop_that_is_gone_is_not_kept_alive() -> None:
    recent = Recent()
    anyio.run(remembered, recent)
    gc.collect()
    [entry] = recent._entries.values()
    assert entry.loop() is None

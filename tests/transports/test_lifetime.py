"""What is under way in a transport ends with it, and with its own deadline."""

import anyio
import pytest

from tests.loops import EVERY, on
from transports import PoolTimeoutError, Request, TransportClosedError, TransportError
from transports._lifetime import Lifetime

pytestmark = on(EVERY)


def request(seconds: float = 60) -> Request:
    return Request("GET", "http://a.example/", deadline=anyio.current_time() + seconds)


async def test_it_waits_for_what_takes_its_time_to_end() -> None:
    ended: list[TransportError] = []

    async def slow() -> None:
        with lifetime.attempt(request()) as attempt:
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.01)
        ended.append(lifetime.ending(attempt))

    lifetime = Lifetime("thing")
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(slow)
        await anyio.wait_all_tasks_blocked()
        lifetime.close()
        await lifetime.ended()
        await anyio.wait_all_tasks_blocked()
        assert [type(error) for error in ended] == [TransportClosedError] * 2


async def test_with_nothing_under_way_there_is_nothing_to_wait_for() -> None:
    lifetime = Lifetime("thing")
    with lifetime.attempt(request()):
        pass
    lifetime.close()
    with anyio.fail_after(1):
        await lifetime.ended()


async def test_closed_it_begins_nothing() -> None:
    lifetime = Lifetime("thing")
    lifetime.close()
    closed = pytest.raises(TransportClosedError, match="The thing is closed: make a new one")
    with closed, lifetime.attempt(request()):
        raise AssertionError


async def test_its_deadline_ends_an_attempt_and_it_stays_open() -> None:
    lifetime = Lifetime("thing")
    with lifetime.attempt(request(0.01)) as attempt:
        await anyio.sleep_forever()
    assert type(lifetime.ending(attempt)) is PoolTimeoutError
    assert not lifetime.closed

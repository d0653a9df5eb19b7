"""A thousand requests at the same time get the same answers in every one of a hundred runs."""

import random
from pathlib import Path

import anyio
import pytest

from tests.loops import EVERY, on
from tests.transports.replay.cassettes import get, numbered
from transports import Request
from transports.mock import MockTransport
from transports.replay import ReplayTransport

REQUESTS = 1000
# On each of three event loops.
RUNS = 34
DIFFERENT = 100


def requests() -> list[Request]:
    return [get(f"/{number % DIFFERENT}?b=2&a={number % 7}") for number in range(REQUESTS)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("deterministic") / "a.json"

    async def record() -> None:
        async with ReplayTransport(path, "all", MockTransport(numbered())) as transport:
            for request in requests():
                await transport.send(request)

    anyio.run(record)
    return path


async def answers(path: Path) -> list[bytes]:
    """The answers, by the places of the requests; which begin in an order of their own."""
    found = [b""] * REQUESTS
    async with ReplayTransport(path) as transport:

        async def ask(place: int, request: Request, begin: anyio.Event, begun: anyio.Event) -> None:
            await begin.wait()
            begun.set()
            found[place] = (await transport.send(request)).body

        async with anyio.create_task_group() as group:
            before = anyio.Event()
            before.set()
            for place, request in enumerate(requests()):
                begun = anyio.Event()
                group.start_soon(ask, place, request, before, begun)
                before = begun
    return found


@on(EVERY)
async def test_a_thousand_requests_at_once_get_the_same_answers_in_a_hundred_runs(
    path: Path,
) -> None:
    expected = [str(number).encode() for number in range(REQUESTS)]
    for _ in range(RUNS):
        assert await answers(path) == expected


async def ask(transport: ReplayTransport, request: Request, found: dict[str, set[bytes]]) -> None:
    body = (await transport.send(request)).body
    found.setdefault(request.url, set()).add(body)


@on(EVERY)
async def test_in_whatever_order_they_are_sent_each_kind_gets_its_own_answers(path: Path) -> None:
    kinds: dict[str, set[bytes]] = {}
    for number, request in enumerate(requests()):
        kinds.setdefault(request.url, set()).add(str(number).encode())
    for seed in range(10):
        shuffled = random.Random(seed).sample(requests(), REQUESTS)
        found: dict[str, set[bytes]] = {}
        async with ReplayTransport(path) as transport, anyio.create_task_group() as group:
            for request in shuffled:
                group.start_soon(ask, transport, request, found)
        assert found == kinds

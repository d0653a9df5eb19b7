"""What is played, what is recorded, and what is neither."""

from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from tests.loops import REAL, on
from tests.transports.replay.cassettes import get, interactions, numbered, play, record
from transports import Request, Response, TransportClosedError, UnmatchedRequestError
from transports.mock import MockTransport
from transports.replay import (
    Mode,
    ReplayTransport,
    UnrecordedRequestError,
    UnusedInteractionError,
)
from transports.testing import loopback

pytestmark = on(REAL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cassettes" / "a.json"


async def test_none_is_the_default_and_plays_without_a_network(path: Path) -> None:
    await record(path, [get("/a"), get("/b")])
    inner = MockTransport()
    async with ReplayTransport(path, inner=inner) as transport:
        assert transport.mode == "none"
        assert await play(transport, get("/b"), get("/a")) == ["1", "0"]
        response_source = (transport.played, transport.recorded, transport.unused)
    assert response_source == (2, 0, ())
    assert inner.calls == []


async def test_a_played_answer_says_so(path: Path) -> None:
    await record(path, [get()])
    async with ReplayTransport(path) as transport:
        response = await transport.send(get())
    assert (response.source, response.status) == ("replay", 200)
    assert response.headers.fields == (("content-type", "text/plain"),)


async def test_none_without_a_file_says_how_to_record_one(path: Path) -> None:
    transport = ReplayTransport(path)
    with pytest.raises(UnrecordedRequestError, match=r"no cassette .*mode='once'"):
        await transport.send(get())
    assert not path.parent.exists()


async def test_once_records_a_file_that_is_not_there_and_plays_one_that_is(path: Path) -> None:
    await record(path, [get("/a")], mode="once")
    before = path.read_bytes()
    inner = MockTransport(numbered())
    transport = ReplayTransport(path, "once", inner)
    assert await play(transport, get("/a")) == ["0"]
    with pytest.raises(UnmatchedRequestError, match="new_episodes"):
        await transport.send(get("/new"))
    assert inner.calls == []
    assert path.read_bytes() == before


async def test_new_episodes_records_what_the_file_has_no_answer_for(path: Path) -> None:
    await record(path, [get("/a")])
    inner = MockTransport(numbered())
    async with ReplayTransport(path, "new_episodes", inner) as transport:
        assert await play(transport, get("/a"), get("/b"), get("/a")) == ["0", "0", "1"]
        assert (transport.played, transport.recorded) == (1, 2)
    assert [one["request"]["uri"][-2:] for one in interactions(path)] == ["/a", "/b", "/a"]


async def test_all_records_everything_anew(path: Path) -> None:
    await record(path, [get("/a"), get("/old")])
    await record(path, [get("/b"), get("/a")], mode="all")
    assert [one["request"]["uri"][-2:] for one in interactions(path)] == ["/b", "/a"]


async def test_all_leaves_the_file_when_nothing_is_sent(path: Path) -> None:
    await record(path, [get("/a")])
    before = path.read_bytes()
    await record(path, [])
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", ["once", "new_episodes", "all"])
@pytest.mark.parametrize(("value", "forced"), [("true", True), ("1", True), ("false", False)])
async def test_ci_forces_none(
    path: Path, mode: Mode, value: str, monkeypatch: pytest.MonkeyPatch, *, forced: bool
) -> None:
    monkeypatch.setenv("CI", value)
    inner = MockTransport(numbered())
    transport = ReplayTransport(path, mode, inner)
    assert transport.mode == ("none" if forced else mode)
    if forced:
        with pytest.raises(UnrecordedRequestError, match="because CI is set"):
            await transport.send(get())
    await transport.aclose()
    assert not path.exists()


async def test_the_answers_to_equal_requests_are_a_queue(path: Path) -> None:
    await record(path, [get("/a"), get("/b"), get("/a"), get("/a")])
    transport = ReplayTransport(path)
    requests = get("/a"), get("/a"), get("/b"), get("/a")
    assert await play(transport, *requests) == ["0", "2", "1", "3"]
    with pytest.raises(UnrecordedRequestError, match=r"recorded 3 times.*repeats=True"):
        await transport.send(get("/a"))


async def test_repeats_gives_the_last_answer_again(path: Path) -> None:
    await record(path, [get("/a"), get("/a")])
    transport = ReplayTransport(path, repeats=True)
    assert await play(transport, *[get("/a")] * 4) == ["0", "1", "1", "1"]
    with pytest.raises(UnrecordedRequestError):
        await transport.send(get("/b"))


async def test_ordered_demands_the_order_of_the_recording(path: Path) -> None:
    await record(path, [get("/a"), get("/b"), get("/a")])
    transport = ReplayTransport(path, ordered=True)
    assert await play(transport, get("/a")) == ["0"]
    with pytest.raises(UnrecordedRequestError, match=r"ordered, and the next is #2, GET .*/b"):
        await transport.send(get("/a"))
    assert await play(transport, get("/b"), get("/a")) == ["1", "2"]
    with pytest.raises(UnrecordedRequestError, match="recorded 2 times"):
        await transport.send(get("/a"))


async def test_ordered_repeats_only_the_answer_before(path: Path) -> None:
    await record(path, [get("/a"), get("/b")])
    transport = ReplayTransport(path, ordered=True, repeats=True)
    assert await play(transport, get("/a"), get("/a"), get("/b"), get("/b")) == [*"0011"]
    with pytest.raises(UnrecordedRequestError):
        await transport.send(get("/a"))


async def test_an_unused_answer_is_an_error_that_names_its_request(path: Path) -> None:
    await record(path, [get("/a"), get("/b?code=1")])
    transport = ReplayTransport(path)
    with pytest.raises(UnusedInteractionError, match=r"GET https://service.example/b\?\.\.\.") as e:
        async with transport:
            await transport.send(get("/a"))
    assert "code" not in str(e.value)
    assert transport.unused == ("GET https://service.example/b?...",)


async def test_unused_answers_hide_no_other_error_and_can_be_allowed(path: Path) -> None:
    await record(path, [get("/a")])
    with pytest.raises(KeyError):
        async with ReplayTransport(path):
            raise KeyError
    async with ReplayTransport(path, allow_unused=True):
        pass
    async with ReplayTransport(path, "new_episodes", MockTransport()):
        pass


async def test_a_recording_makes_the_transport_that_it_needs_and_closes_it(path: Path) -> None:
    async def real(_: Request) -> Response:
        return Response(200, {}, b"real")

    async with loopback(real) as url, ReplayTransport(path, "once") as transport:
        assert (await transport.send(Request("GET", f"{url}/"))).source == "network"
    async with ReplayTransport(path) as transport:
        assert await play(transport, Request("GET", f"{url}/")) == ["real"]


async def test_what_was_never_closed_says_that_its_recording_is_lost(path: Path) -> None:
    transport = ReplayTransport(path, "all", MockTransport(numbered()))
    await transport.send(get())
    with pytest.warns(ResourceWarning, match="was never closed: what it has recorded is lost"):
        del transport
    assert not path.exists()


async def test_save_writes_what_came_since_the_last_time(path: Path) -> None:
    transport = ReplayTransport(path, "all", MockTransport(numbered()))
    await transport.send(get("/a"))
    transport.save()
    assert len(interactions(path)) == 1
    await transport.send(get("/b"))
    await transport.aclose()
    await transport.aclose()
    assert [one["request"]["uri"][-2:] for one in interactions(path)] == ["/a", "/b"]


async def test_answers_are_in_the_order_of_their_requests(path: Path) -> None:
    async def slow_first(request: Request) -> Response:
        await anyio.sleep(0.05 if request.url.endswith("a") else 0)
        return Response(200, {}, request.url[-1:].encode())

    inner = MockTransport(slow_first)
    async with (
        ReplayTransport(path, "all", inner) as transport,
        anyio.create_task_group() as group,
    ):
        group.start_soon(transport.send, get("/a"))
        await anyio.wait_all_tasks_blocked()
        group.start_soon(transport.send, get("/b"))
    assert [one["request"]["uri"][-1:] for one in interactions(path)] == ["a", "b"]


async def test_a_request_that_was_cancelled_is_not_in_the_recording(path: Path) -> None:
    async def never(request: Request) -> Response:
        await anyio.sleep(0 if request.url.endswith("b") else 100)
        return Response(200)

    async with ReplayTransport(path, "all", MockTransport(never)) as transport:
        with anyio.move_on_after(0.01):
            await transport.send(get("/a"))
        await transport.send(get("/b"))
        assert transport.recorded == 1
    assert [one["request"]["uri"][-1:] for one in interactions(path)] == ["b"]


async def test_a_cancelled_close_writes_all_the_same(path: Path) -> None:
    transport = ReplayTransport(path, "all", MockTransport(numbered()))
    await transport.send(get("/a"))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await transport.aclose()
    assert len(interactions(path)) == 1


@pytest.mark.parametrize("mode", ["none", "all"])
async def test_a_closed_transport_says_so(path: Path, mode: Mode) -> None:
    await record(path, [get("/a")])
    transport = ReplayTransport(path, mode, MockTransport(numbered()))
    await transport.aclose()
    with pytest.raises(TransportClosedError, match="The replay transport is closed"):
        await transport.send(get("/a"))
    assert transport.played == 0


async def test_a_close_ends_what_is_under_way(path: Path) -> None:
    async def never(_: Request) -> Response:
        await anyio.sleep_forever()
        raise AssertionError

    transport = ReplayTransport(path, "all", MockTransport(never))
    errors: list[Exception] = []

    async def ask() -> None:
        try:
            await transport.send(get("/a"))
        except TransportClosedError as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        await transport.aclose()
    assert len(errors) == 1
    assert not path.exists()


async def test_a_refusal_that_the_program_swallowed_is_told_at_the_end(path: Path) -> None:
    await record(path, [get("/a")])
    transport = ReplayTransport(path, allow_unused=True)

    async def swallow() -> None:
        async with transport:
            with suppress(Exception):
                await transport.send(get("/b"))

    with pytest.raises(UnrecordedRequestError, match=r"no answer for\n    GET .*/b\nThe nearest"):
        await swallow()
    assert len(transport.unrecorded) == 1
    async with ReplayTransport(path) as transport:
        await transport.send(get("/a"))
        transport.assert_all_recorded()


async def test_what_is_discarded_is_not_written_and_what_comes_then_is(path: Path) -> None:
    begun, goes_on = anyio.Event(), anyio.Event()

    async def wait(request: Request) -> Response:
        if request.url.endswith("b"):
            begun.set()
            await goes_on.wait()
        return Response(200)

    async with ReplayTransport(path, "all", MockTransport(wait)) as transport:
        await transport.send(get("/a"))
        async with anyio.create_task_group() as group:
            group.start_soon(transport.send, get("/b"))
            await begun.wait()
            transport.discard()
            assert transport.recorded == 0
            goes_on.set()
    assert [one["request"]["uri"][-1:] for one in interactions(path)] == ["b"]

"""What the routes of a mock give, how often and when, and what it asks of a test in return."""

from collections.abc import Mapping
from contextlib import suppress

import anyio
import anyio.lowlevel
import pytest

from tests.loops import EVERY, VIRTUAL, on
from transports import (
    ConnectError,
    ReadTimeoutError,
    Request,
    Response,
    Timeouts,
    TransportClosedError,
    UnmatchedRequestError,
)
from transports.mock import MockTransport, Route, json_response

URL = "https://service.example"
OK = json_response({})


def get(path: str = "/a", **more: object) -> Request:
    return Request("GET", URL + path, **more)  # type: ignore[arg-type]


def numbered(count: int) -> list[Response]:
    return [Response(200 + number) for number in range(count)]


async def later(_: Request) -> Response:
    await anyio.lowlevel.checkpoint()
    return Response(299)


@on(EVERY)
async def test_a_sequence_gives_each_answer_once_whatever_it_is() -> None:
    transport = MockTransport()
    refused = ConnectError("No", method="GET", url=URL, phase="connect", maybe_sent=False)
    route = transport.route("GET", "/a", [*numbered(2), refused, later, lambda _: Response(298)])
    assert [(await transport.send(get())).status for _ in range(2)] == [200, 201]
    with pytest.raises(ConnectError):
        await transport.send(get())
    assert [(await transport.send(get())).status for _ in range(2)] == [299, 298]
    with pytest.raises(UnmatchedRequestError, match=r"GET /a matches, but has given its 5 answers"):
        await transport.send(get())
    assert len(route.calls) == 5


@on(EVERY)
async def test_a_list_that_changes_later_changes_no_route() -> None:
    transport, answers = MockTransport(), numbered(1)
    transport.route("GET", "/a", answers)
    answers.clear()
    assert (await transport.send(get())).status == 200


@on(EVERY)
async def test_calls_at_the_same_time_get_the_answers_in_the_order_in_which_they_came() -> None:
    transport = MockTransport()
    transport.route("GET", "/{number}", numbered(50), delay=0.01)
    got: dict[str, int] = {}

    async def send(path: str) -> None:
        got[path] = (await transport.send(get(path))).status

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(send, f"/{number}")
    assert [got[call.path] for call in transport.calls] == list(range(200, 250))


@on(EVERY)
async def test_a_request_that_nobody_waits_for_takes_no_answer() -> None:
    transport = MockTransport()
    transport.route("GET", "/a", numbered(1), times=1)
    with pytest.raises(TimeoutError):
        await transport.send(get(deadline=anyio.current_time() - 1))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await transport.send(get())
    assert scope.cancelled_caught
    assert (await transport.send(get())).status == 200


@on(EVERY)
async def test_a_route_that_is_used_up_leaves_the_rest_to_the_older_and_to_the_handler() -> None:
    transport = MockTransport(lambda _: Response(203))
    transport.route("GET", "/{any}", numbered(1))
    transport.route("GET", "/a", Response(202), times=2)
    transport.route("GET", "/{any:path}", Response(201), times=1)
    assert [(await transport.send(get())).status for _ in range(5)] == [201, 202, 202, 200, 203]
    transport.assert_all_called()


@on(VIRTUAL)
async def test_a_delay_passes_before_every_kind_of_answer() -> None:
    transport = MockTransport()
    refused = ConnectError("No", method="GET", url=URL, phase="connect", maybe_sent=False)
    transport.route("GET", "/a", [OK, later, refused], delay=20)
    for _ in range(2):
        assert (await transport.send(get())).elapsed == pytest.approx(20)
    began = anyio.current_time()
    with pytest.raises(ConnectError):
        await transport.send(get())
    assert anyio.current_time() - began == pytest.approx(20)


@on(VIRTUAL)
@pytest.mark.parametrize(
    ("read", "deadline", "ends", "says"),
    [
        (30.0, 1000, 30, "No answer came within 30.0 s"),
        (30.0, 7, 7, "No answer came before the deadline"),
        (None, 50, 50, "No answer came before the deadline"),
    ],
)
async def test_a_delay_ends_as_a_wait_for_a_slow_server_does(
    read: float | None, deadline: float, ends: float, says: str
) -> None:
    transport = MockTransport()
    transport.route("GET", "/a", OK, delay=60)
    began = anyio.current_time()
    request = get(timeouts=Timeouts(read=read), deadline=began + deadline)
    with pytest.raises(ReadTimeoutError, match=says) as caught:
        await transport.send(request)
    assert anyio.current_time() - began == pytest.approx(ends)
    assert (caught.value.phase, caught.value.maybe_sent) == ("headers", True)
    assert transport.calls[0].error is caught.value


@on(VIRTUAL)
async def test_a_delay_ends_with_its_caller_and_with_the_transport() -> None:
    transport = MockTransport()
    transport.route("GET", "/a", OK, delay=20)
    with anyio.move_on_after(5) as scope:
        await transport.send(get())
    assert scope.cancelled_caught
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(transport.aclose)
        with pytest.raises(TransportClosedError):
            await transport.send(get())
    assert anyio.current_time() == began


@on(EVERY)
@pytest.mark.parametrize(
    ("asked", "called", "missing"),
    [
        ({}, 0, "GET /a: 0 of at least 1 call"),
        ({}, 1, ""),
        ({}, 3, ""),
        ({"optional": True}, 0, ""),
        ({"times": 2}, 0, "GET /a: 0 of 2 calls"),
        ({"times": 2}, 1, "GET /a: 1 of 2 calls"),
        ({"times": 2}, 2, ""),
        ({"times": 1}, 0, "GET /a: 0 of 1 call"),
        ({"times": 2, "optional": True}, 1, ""),
    ],
)
async def test_a_route_must_be_called_as_often_as_it_says(
    asked: Mapping[str, int], called: int, missing: str
) -> None:
    transport = MockTransport()
    transport.route("GET", "/a", OK, **asked)  # type: ignore[arg-type]
    for _ in range(called):
        await transport.send(get())
    if not missing:
        transport.assert_all_called()
        return
    with pytest.raises(AssertionError) as caught:
        transport.assert_all_called()
    heading = "These routes were not called as often as they should:"
    assert str(caught.value) == f"{heading}\n  {missing}"


@on(EVERY)
async def test_a_route_with_times_answers_no_more_calls() -> None:
    transport = MockTransport()
    transport.route("GET", "/a", OK, times=1, optional=True)
    await transport.send(get())
    with pytest.raises(UnmatchedRequestError, match=r"GET /a matches, but has been called 1 time"):
        await transport.send(get())


@on(EVERY)
async def test_a_swallowed_failure_is_told_at_the_end_beside_what_was_not_called() -> None:
    transport = MockTransport()
    transport.route("GET", "/b?token=1", OK)

    async def application() -> None:
        async with transport:
            for path in ("/a", "/a", "/c"):
                with suppress(Exception):
                    await transport.send(get(path))

    with pytest.raises(AssertionError) as caught:
        await application()
    said = str(caught.value).splitlines()
    assert said[0] == f"2 times: No route of the mock transport answers GET {URL}/a."
    assert f"No route of the mock transport answers GET {URL}/c." in said
    assert said[-1] == "  GET /b?...: 0 of at least 1 call"


@on(EVERY)
async def test_a_block_closes_its_transport_and_its_own_error_comes_first() -> None:
    failing = MockTransport()
    failing.route("GET", "/a", OK)

    async def application() -> None:
        async with failing:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await application()
    async with MockTransport() as fine:
        pass
    for closed in (fine, failing):
        with pytest.raises(TransportClosedError):
            await closed.send(get())
        await closed.aclose()


@on(EVERY)
async def test_closing_alone_asks_for_nothing() -> None:
    transport = MockTransport()
    transport.route("GET", "/a", OK)
    with pytest.raises(UnmatchedRequestError):
        await transport.send(get("/b"))
    await transport.aclose()


@on(EVERY)
async def test_two_mocks_know_nothing_of_each_other() -> None:
    one, other = MockTransport(), MockTransport()
    assert isinstance(one.route("GET", "/a", Response(201)), Route)
    other.route("GET", "/a", Response(202))
    assert [(await mock.send(get())).status for mock in (one, other)] == [201, 202]
    assert len(one.calls) == 1

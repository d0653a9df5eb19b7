"""The loop: it sends, sleeps and stops as the schedule says, in virtual time."""

import time
from collections.abc import Callable, Iterator, MutableMapping
from email.utils import formatdate
from typing import TypeAlias

import anyio
import attrs
import pytest
import structlog

from connectors._retry import NO_RETRY, Outcome, RetryBudget, RetryPolicy, send_with_retries
from tests.loops import VIRTUAL, on
from tests.service import in_turn
from transports import (
    BodyTooLargeError,
    ConnectError,
    ReadTimeoutError,
    Request,
    Response,
    TLSError,
    TransportClosedError,
    TransportError,
    UnmatchedRequestError,
)
from transports.mock import Handler, MockTransport

pytestmark = on(VIRTUAL)

SECRET = "planted-3f9c2b7d15"
GET = Request("GET", f"https://x.example:8443/a?code={SECRET}", {"Authorization": SECRET})
POST = Request("POST", "https://x.example:8443/a", {"Authorization": SECRET}, SECRET.encode())
PATIENT = RetryPolicy(attempts=100, base_delay=1, busy_delay=1)
GOOD = Response(200, {"Retry-After": "9"}, source="mock")

Event: TypeAlias = MutableMapping[str, object]


@pytest.fixture
def events() -> Iterator[list[Event]]:
    written: list[Event] = []

    def keep(_logger: object, method: str, event: Event) -> str:
        written.append({**event, "level": method})
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    yield written
    structlog.reset_defaults()


def named(events: list[Event], name: str) -> list[Event]:
    return [event for event in events if event["event"] == f"connectors.{name}"]


def failure(
    kind: type[TransportError] = ConnectError, *, maybe_sent: bool = False
) -> TransportError:
    return kind("No", method="GET", url="u", phase="connect", maybe_sent=maybe_sent)


async def sent(
    transport: MockTransport,
    request: Request = GET,
    policy: RetryPolicy = PATIENT,
    budget: RetryBudget | None = None,
    *,
    patience: float | None = None,
) -> Outcome:
    if patience is not None:
        request = attrs.evolve(request, deadline=anyio.current_time() + patience)
    return await send_with_retries(
        transport, request, policy, budget or RetryBudget(), request_id="r-1"
    )


def after(seconds: str, status: int = 503) -> Response:
    return Response(status, {"Retry-After": seconds})


async def test_an_answer_that_is_good_is_the_outcome() -> None:
    transport = MockTransport(in_turn(GOOD))
    assert await sent(transport) == Outcome(GOOD, 1, None)
    assert len(transport.calls) == 1


async def test_it_is_sent_until_it_is_answered_well() -> None:
    transport = MockTransport(in_turn(failure(), Response(500), Response(429), GOOD))
    outcome = await sent(transport)
    assert (outcome.result, outcome.attempts) == (GOOD, 4)
    # The same request each time: nothing is consumed by an attempt.
    assert [call.request for call in transport.calls] == [GET] * 4


async def test_when_the_attempts_are_used_up_the_last_result_is_the_outcome() -> None:
    transport = MockTransport(in_turn(failure(), failure(), after("2")))
    outcome = await sent(transport, policy=RetryPolicy())
    assert (outcome.result, outcome.attempts) == (transport.calls[-1].response, 3)
    assert outcome.retry_after == 2
    last = failure()
    transport = MockTransport(in_turn(failure(), failure(), last))
    outcome = await sent(transport, policy=RetryPolicy())
    assert (outcome.result, outcome.attempts) == (last, 3)
    assert len(transport.calls) == 3


@pytest.mark.parametrize("result", [Response(503), failure()], ids=["503", "unreachable"])
async def test_one_attempt_is_no_retry(result: Response | TransportError) -> None:
    transport = MockTransport(in_turn(result))
    began = anyio.current_time()
    assert (await sent(transport, policy=NO_RETRY)).attempts == 1
    assert anyio.current_time() == began


LASTING: dict[str, Response | TransportError] = {
    **{str(status): Response(status) for status in (301, 400, 401, 402, 403, 404, 409, 422, 501)},
    "TLS": failure(TLSError),
    "too large": failure(BodyTooLargeError, maybe_sent=True),
    "closed": failure(TransportClosedError),
}


@pytest.mark.parametrize("result", LASTING.values(), ids=LASTING.keys())
async def test_what_will_not_pass_is_told_at_once(result: Response | TransportError) -> None:
    transport = MockTransport(in_turn(result))
    assert (await sent(transport)).attempts == 1


@pytest.mark.parametrize(
    "result",
    [failure(ReadTimeoutError, maybe_sent=True), Response(500), Response(504)],
    ids=["read timeout", "500", "504"],
)
async def test_a_post_that_may_have_been_executed_is_sent_once(
    result: Response | TransportError,
) -> None:
    transport = MockTransport(in_turn(result))
    assert (await sent(transport, POST)).attempts == 1


@pytest.mark.parametrize(
    "result", [failure(), after("1"), after("1", 429)], ids=["unreachable", "503", "429"]
)
async def test_a_post_that_was_not_executed_is_sent_again(
    result: Response | TransportError,
) -> None:
    transport = MockTransport(in_turn(result, GOOD))
    assert (await sent(transport, POST)).result == GOOD
    assert [call.request.body for call in transport.calls] == [SECRET.encode()] * 2


@pytest.mark.parametrize(
    "error",
    [UnmatchedRequestError("Not in the mock"), AssertionError("No"), ZeroDivisionError("Oh")],
    ids=lambda error: type(error).__name__,
)
async def test_what_is_no_failure_of_a_transport_passes_through(error: Exception) -> None:
    transport = MockTransport(in_turn(error, GOOD))
    with pytest.raises(type(error)) as caught:
        await sent(transport)
    assert caught.value is error
    assert len(transport.calls) == 1


async def test_a_mock_without_an_answer_is_not_asked_twice() -> None:
    transport = MockTransport()
    with pytest.raises(UnmatchedRequestError):
        await sent(transport)
    assert len(transport.calls) == 1


@pytest.mark.parametrize(
    "headers",
    [
        lambda: {"Retry-After": "3600"},
        lambda: {"retry-after-ms": "3600000"},
        lambda: {"Retry-After": formatdate(3600, usegmt=True), "Date": formatdate(0, usegmt=True)},
    ],
    ids=["seconds", "milliseconds", "date"],
)
async def test_an_hour_that_a_server_asks_for_is_waited_and_takes_no_time(
    headers: Callable[[], dict[str, str]],
) -> None:
    transport = MockTransport(in_turn(Response(429, headers()), GOOD))
    began, clock = time.monotonic(), anyio.current_time()
    policy = RetryPolicy(max_retry_after=3600)
    assert (await sent(transport, policy=policy)).attempts == 2
    assert 3600 <= anyio.current_time() - clock <= 3600 * 1.1 + 0.001
    assert time.monotonic() - began < 5


async def test_a_date_without_the_server_s_clock_is_compared_with_ours() -> None:
    headers = {"Retry-After": formatdate(time.time() + 30, usegmt=True)}
    transport = MockTransport(in_turn(Response(429, headers), GOOD))
    clock = anyio.current_time()
    await sent(transport)
    assert 25 <= anyio.current_time() - clock <= 34


@pytest.mark.parametrize("asked", ["61", "3600000", formatdate(4e9, usegmt=True)])
async def test_more_patience_than_there_is_ends_the_call_at_once(asked: str) -> None:
    transport = MockTransport(in_turn(after(asked)))
    clock = anyio.current_time()
    outcome = await sent(transport)
    assert outcome.attempts == 1
    assert outcome.retry_after is not None
    assert outcome.retry_after > 60
    assert anyio.current_time() == clock


@pytest.mark.parametrize("asked", ["inf", "-5", "soon", "1e9", formatdate(1, usegmt=True)])
async def test_a_wait_that_makes_no_sense_is_none(asked: str) -> None:
    transport = MockTransport(in_turn(after(asked), GOOD))
    clock = anyio.current_time()
    assert (await sent(transport)).attempts == 2
    assert anyio.current_time() - clock <= 1


async def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    transport = MockTransport(in_turn(after("20")))
    clock = anyio.current_time()
    outcome = await sent(transport, patience=15)
    assert (outcome.attempts, outcome.retry_after) == (1, 20.0)
    assert anyio.current_time() == clock


async def test_one_deadline_spans_all_attempts_and_the_sleeps_between_them() -> None:
    async def slow(_: Request) -> Response:
        await anyio.sleep(4)
        return after("3")

    transport = MockTransport(slow)
    clock = anyio.current_time()
    outcome = await sent(transport, patience=20)
    # Each takes 4 s and 3.0 to 3.3 s of sleep: the third begins after 14 s, and a fourth can't.
    assert outcome.attempts == 3
    assert {call.request.deadline for call in transport.calls} == {clock + 20}
    assert 18 <= anyio.current_time() - clock <= 18.7


async def test_an_attempt_that_the_deadline_ends_is_the_last() -> None:
    async def never(_: Request) -> Response:
        await anyio.sleep_forever()
        raise AssertionError

    clock = anyio.current_time()
    outcome = await sent(MockTransport(never), patience=7)
    assert isinstance(outcome.result, ReadTimeoutError)
    assert outcome.attempts == 1
    assert anyio.current_time() - clock == pytest.approx(7)


async def test_the_sleep_is_the_caller_s_to_cancel() -> None:
    transport = MockTransport(in_turn(after("50"), GOOD))
    clock = anyio.current_time()
    with anyio.move_on_after(5) as scope:
        await sent(transport)
    assert scope.cancelled_caught
    assert anyio.current_time() - clock == pytest.approx(5)
    assert len(transport.calls) == 1


async def test_an_attempt_is_the_caller_s_to_cancel_and_is_not_repeated() -> None:
    async def never(_: Request) -> Response:
        await anyio.sleep_forever()
        raise AssertionError

    transport = MockTransport(never)
    with anyio.move_on_after(5) as scope:
        await sent(transport)
    assert scope.cancelled_caught
    assert len(transport.calls) == 1


async def test_the_delays_of_many_callers_are_spread() -> None:
    woken: list[float] = []

    def handler(_: Request) -> Response:
        woken.append(anyio.current_time())
        return after("10", 503)

    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            transport = MockTransport(handler)
            tasks.start_soon(sent, transport, GET, RetryPolicy(attempts=2))
    second = [moment - began for moment in woken[20:]]
    assert len(second) == 20
    assert all(10 <= moment <= 11.001 for moment in second)
    assert len({round(moment, 3) for moment in second}) > 10


async def test_a_budget_allows_ten_retries_and_then_one_for_ten_successes(
    events: list[Event],
) -> None:
    budget = RetryBudget()

    async def attempts(handler: Handler) -> int:
        return (await sent(MockTransport(handler), GET, PATIENT, budget)).attempts

    def down(_: Request) -> Response:
        return Response(500)

    def up(_: Request) -> Response:
        return Response(204)

    assert await attempts(down) == 11
    assert await attempts(down) == 1
    for _ in range(9):
        assert await attempts(up) == 1
    assert await attempts(down) == 1
    # Of one exhaustion there is one word, however many calls it ends.
    told = named(events, "retry_budget_exhausted")
    assert told == [
        {
            "event": "connectors.retry_budget_exhausted",
            "level": "warning",
            "origin": "https://x.example:8443",
        }
    ]
    await attempts(up)
    assert await attempts(down) == 2
    assert len(named(events, "retry_budget_exhausted")) == 2
    for _ in range(500):
        await attempts(up)
    assert await attempts(down) == 11


async def test_a_refusal_is_no_success_and_earns_nothing() -> None:
    budget = RetryBudget()
    assert (await sent(MockTransport(lambda _: Response(500)), budget=budget)).attempts == 11
    for _ in range(50):
        await sent(MockTransport(lambda _: Response(404)), budget=budget)
    assert (await sent(MockTransport(lambda _: Response(500)), budget=budget)).attempts == 1


async def test_each_origin_has_a_budget_of_its_own() -> None:
    budget = RetryBudget()
    down = MockTransport(lambda _: Response(500))
    assert (await sent(down, budget=budget)).attempts == 11
    assert (await sent(down, budget=budget)).attempts == 1
    for url in ("https://x.example/a", "http://x.example:8443/a", "https://y.example:8443/a"):
        assert (await sent(down, Request("GET", url), budget=budget)).attempts == 11


async def test_what_is_not_retried_costs_nothing() -> None:
    budget = RetryBudget()
    for _ in range(50):
        await sent(MockTransport(lambda _: Response(404)), budget=budget)
        await sent(MockTransport(lambda _: Response(503)), policy=NO_RETRY, budget=budget)
    assert (await sent(MockTransport(lambda _: Response(500)), budget=budget)).attempts == 11


async def test_every_attempt_is_an_event_with_the_one_id_of_the_call(events: list[Event]) -> None:
    transport = MockTransport(in_turn(failure(), after("2"), GOOD))
    await sent(transport)
    common = {"method": "GET", "url": "https://x.example:8443/a", "request_id": "r-1"}
    requests = named(events, "request")
    shown = [{name: event[name] for name in common} for event in events]
    assert shown == [common] * 5
    assert [event["level"] for event in requests] == ["debug"] * 3
    facts = [(event["attempt"], event["status"], event["failure"]) for event in requests]
    assert facts == [(1, None, "ConnectError"), (2, 503, None), (3, 200, None)]
    elapsed = [event["elapsed"] for event in requests]
    assert elapsed[0] is None
    assert all(isinstance(seconds, float) for seconds in elapsed[1:])


async def test_every_retry_is_an_event_that_says_when(events: list[Event]) -> None:
    await sent(MockTransport(in_turn(failure(), after("2"), GOOD)))
    retries = named(events, "retry")
    facts = [(event["attempt"], event["status"], event["failure"]) for event in retries]
    assert facts == [(1, None, "ConnectError"), (2, 503, None)]
    assert [event["level"] for event in retries] == ["info", "info"]
    first, second = (event["delay"] for event in retries)
    assert isinstance(first, float)
    assert 0 <= first <= 1
    assert isinstance(second, float)
    assert 2 <= second <= 2.2


async def test_no_event_holds_a_header_a_query_or_a_body(events: list[Event]) -> None:
    await sent(MockTransport(in_turn(after("2"), Response(200, {"a": SECRET}, SECRET.encode()))))
    await sent(MockTransport(in_turn(after("2"), GOOD)), POST)
    assert len(events) == 6
    assert SECRET not in repr(events)

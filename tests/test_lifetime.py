"""Closing a client, cancelling its calls, and who owns what."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from connectors import (
    Client,
    ClientClosedError,
    ClientUsageError,
    Connection,
    InterruptedCallError,
    ServiceError,
    TimedOutError,
    UnreachableError,
)
from connectors._engine import Engine
from tests.loops import REAL, REAL_ASYNCIO, VIRTUAL, on
from tests.service import CONNECTED, SLACK, answers, client
from transports import (
    ConnectError,
    Request,
    Response,
    TransportClosedError,
    UnmatchedRequestError,
)
from transports.mock import MockTransport, json_response


def never() -> MockTransport:
    async def handler(_: Request) -> Response:
        await anyio.sleep_forever()
        raise AssertionError

    return MockTransport(handler)


Call = Callable[[Client], Awaitable[object]]

CALLS: dict[str, Call] = {
    "get_connection": lambda c: c.as_service_role.connectors.get_connection("slack"),
    "call_api": lambda c: c.as_service_role.connectors.call_api("slack", path="/x"),
    "disconnect_app_user": lambda c: c.connectors.disconnect_app_user("c"),
    "list_connectors": lambda c: c.management.list_connectors(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_closing_ends_every_call_with_its_own_error(
    call: Call,
) -> None:
    transport, ended = never(), 0
    ours = client(transport)

    async def one() -> None:
        nonlocal ended
        with pytest.raises(ClientClosedError, match="closed"):
            await call(ours)
        ended += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        await ours.aclose()
        # Nothing runs once aclose has returned: what was cancelled has unwound.
        assert {(call.response, call.error) for call in transport.calls} == {(None, None)}
    assert ended == 3


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_closed_client_sends_nothing(call: Call) -> None:
    transport = answers(CONNECTED)
    ours = client(transport)
    view = ours.for_request({"Authorization": "Bearer u"})
    await ours.aclose()
    await ours.aclose()
    for closed in (ours, view):
        with pytest.raises(ClientClosedError, match="make a new one"):
            await call(closed)
    assert transport.calls == []
    assert repr(ours).endswith("closed>")


async def test_what_was_fetched_is_forgotten_on_closing() -> None:
    ours = client(answers(CONNECTED))
    await ours.as_service_role.connectors.get_connection("slack")
    await ours.aclose()
    with pytest.raises(ClientClosedError):
        await ours.as_service_role.connectors.get_connection("slack", max_age=60)


async def test_a_transport_that_was_passed_in_stays_open() -> None:
    transport = answers(CONNECTED)
    async with client(transport) as first:
        await first.as_service_role.connectors.get_connection("slack")
    async with client(transport) as second:
        await second.as_service_role.connectors.get_connection("slack")
    assert len(transport.calls) == 2


async def test_closing_a_view_closes_nothing() -> None:
    ours = client(answers(CONNECTED))
    async with ours.for_request({}) as view:
        await view.as_service_role.connectors.get_connection("slack")
    await ours.as_service_role.connectors.get_connection("slack")


@on(REAL_ASYNCIO)
async def test_a_client_is_closed_in_another_task_than_it_was_opened_in() -> None:
    ours = await asyncio.create_task(client(answers(CONNECTED)).__aenter__())
    await ours.as_service_role.connectors.get_connection("slack")
    await asyncio.create_task(ours.__aexit__(None, None, None))
    with pytest.raises(ClientClosedError):
        await ours.as_service_role.connectors.get_connection("slack")


async def test_a_cancelled_caller_touches_no_other() -> None:
    release = anyio.Event()

    async def handler(_: Request) -> Response:
        await release.wait()
        return json_response(CONNECTED)

    transport = MockTransport(handler)
    connectors = client(transport).as_service_role.connectors
    got: list[Connection] = []

    async def patient() -> None:
        got.append(await connectors.get_connection("slack"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(patient)
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01) as scope:
            await connectors.get_connection("slack")
        assert scope.cancelled_caught
        release.set()
    assert len(got) == len(transport.calls) == 1


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_cancelling_the_only_caller_ends_the_request(
    call: Call,
) -> None:
    transport = never()
    ours = client(transport)
    with anyio.move_on_after(0.01) as scope:
        await call(ours)
    assert scope.cancelled_caught
    assert (transport.calls[0].response, transport.calls[0].error) == (None, None)
    await ours.aclose()


@on(REAL_ASYNCIO)
async def test_callers_whose_shared_request_is_cancelled_from_outside_may_call_again() -> None:
    transport = never()
    connectors = client(transport).as_service_role.connectors
    before = asyncio.all_tasks()
    calls = [asyncio.create_task(connectors.get_connection("slack")) for _ in range(3)]
    await anyio.wait_all_tasks_blocked()
    [shared] = asyncio.all_tasks() - before.union(calls)
    shared.cancel()
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert len({id(error) for error in errors}) == 3
    for error in errors:
        assert isinstance(error, InterruptedCallError)
        assert not isinstance(error, ClientUsageError)
        assert (error.method, error.url, error.maybe_sent) == ("GET", SLACK, True)
        assert "it may be repeated" in str(error)


@on(VIRTUAL)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_the_timeout_spans_all_attempts(call: Call) -> None:
    began = anyio.current_time()
    with pytest.raises(TimedOutError, match="deadline") as caught:
        await call(client(never(), timeout=10))
    assert anyio.current_time() - began == pytest.approx(10)
    assert caught.value.maybe_sent
    assert isinstance(caught.value, TimeoutError)


async def test_an_error_of_the_transport_is_the_cause_of_ours() -> None:
    failure = ConnectError("No", method="GET", url="u", phase="connect", maybe_sent=False)
    transport = MockTransport()
    transport.route("GET", "/api/apps/my-app/external-auth/tokens/slack", failure)
    ours = client(transport, retry=False)
    with pytest.raises(UnreachableError) as caught:
        await ours.as_service_role.connectors.get_connection("slack")
    assert isinstance(caught.value.__cause__, ConnectError)
    assert not caught.value.maybe_sent


async def test_a_transport_that_its_owner_has_closed_says_so() -> None:
    transport = answers(CONNECTED)
    await transport.aclose()
    with pytest.raises(ClientClosedError) as caught:
        await client(transport).as_service_role.connectors.get_connection("slack")
    assert isinstance(caught.value.__cause__, TransportClosedError)


async def test_a_bug_in_a_test_is_no_error_of_ours() -> None:
    with pytest.raises(UnmatchedRequestError):
        await client(MockTransport()).as_service_role.connectors.get_connection("slack")


async def test_a_client_closed_from_within_a_call_does_not_hang() -> None:
    async def closes(_: Request) -> Response:
        await ours.aclose()
        await anyio.lowlevel.checkpoint()
        return json_response({"success": True, "phase": "responded", "access_token": "t"})

    ours = client(closes)
    for call in (CALLS["get_connection"], CALLS["call_api"]):
        ours = client(closes)
        with anyio.fail_after(5), pytest.raises(ClientClosedError):
            await call(ours)


class Owned:
    """A transport that remembers whether it was closed, and takes its time for it."""

    def __init__(self) -> None:
        self.closed = False

    async def send(self, request: Request, /) -> Response:
        await anyio.sleep_forever()
        raise AssertionError

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed = True


async def test_a_transport_of_its_own_is_closed_even_when_closing_is_cancelled() -> None:
    owned = Owned()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await Engine(owned, owns_transport=True).aclose()
    assert owned.closed


@on(REAL)
async def test_without_a_transport_it_is_aiohttp_and_is_closed_with_the_client() -> None:
    ours = Client(app_id="a", service_token="s", server_url="http://127.0.0.1:9", retry=False)
    with pytest.raises(UnreachableError):
        await ours.as_service_role.connectors.get_connection("slack")
    await ours.aclose()
    with pytest.raises(ClientClosedError):
        await ours.as_service_role.connectors.get_connection("slack")


async def test_a_huge_refusal_holds_nobody_up() -> None:
    huge = Response(400, {"content-type": "application/json"}, b"[" + b"1," * 520_000 + b"1]")
    began = time.perf_counter()
    with pytest.raises(ServiceError, match="400 Bad Request") as caught:
        await client(lambda _: huge).as_service_role.connectors.get_connection("slack")
    assert caught.value.data is None
    assert time.perf_counter() - began < 0.5

"""Reading connections: shared while in flight, never cached unasked, and never mixed up."""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from itertools import count

import anyio
import attrs
import pytest

from connectors import (
    Client,
    ClientUsageError,
    Connection,
    NotConnectedError,
    RetryPolicy,
    ServerError,
)
from tests.loops import VIRTUAL, on
from tests.service import ACCESS_TOKEN, CONNECTED, SLACK, answers, client, counted, in_turn
from transports import Headers, Request, Response, Secret
from transports.mock import MockTransport, json_response

Get = Callable[[Client], Awaitable[Connection]]


def numbered() -> MockTransport:
    """A service that gives a new token each time."""
    numbers = count(1)
    return MockTransport(lambda _: json_response({"access_token": f"token-{next(numbers)}"}))


async def together(count: int, call: Callable[[], Awaitable[Connection]]) -> list[Connection]:
    got: list[Connection] = []

    async def one() -> None:
        got.append(await call())

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(one)
    return got


async def test_a_connection_has_the_token_and_the_config() -> None:
    data = {**CONNECTED, "connection_config": {"subdomain": "acme"}}
    connection = await client(answers(data)).as_service_role.connectors.get_connection("slack")
    assert connection == Connection(ACCESS_TOKEN, {"subdomain": "acme"}, "slack")


async def test_a_thousand_types_are_a_thousand_requests_and_each_its_own_again() -> None:
    transport = answers(CONNECTED)
    connectors = client(transport).as_service_role.connectors
    for name in (*map(str, range(1000)), "0", "999"):
        await connectors.get_connection(name)
    asked = [url.rpartition("/")[2] for url in counted(transport)]
    assert asked == [*map(str, range(1000)), "0", "999"]


@pytest.mark.parametrize("identifier", [None, b"slack", 1, ["slack"], {"slack"}], ids=repr)
async def test_what_is_no_string_is_refused_by_its_name(identifier: object) -> None:
    transport = answers(CONNECTED)
    connectors = client(transport).as_service_role.connectors
    with pytest.raises(TypeError, match="integration_type must be a str, not "):
        await connectors.get_connection(identifier)  # type: ignore[arg-type]
    assert not transport.calls


async def test_ten_thousand_concurrent_calls_are_one_request() -> None:
    transport = answers(CONNECTED)
    connectors = client(transport).as_service_role.connectors
    got = await together(10_000, lambda: connectors.get_connection("slack"))
    assert counted(transport) == [f"GET {SLACK}"]
    assert {connection.access_token for connection in got} == {ACCESS_TOKEN}
    assert len(got) == 10_000


@pytest.mark.parametrize(
    "get",
    [
        lambda c: c.as_service_role.connectors.get_connection("slack"),
        lambda c: c.as_service_role.connectors.get_workspace_connection("c"),
        lambda c: c.as_service_role.connectors.get_current_app_user_connection("c"),
    ],
    ids=["get_connection", "get_workspace_connection", "get_current_app_user_connection"],
)
async def test_every_read_of_a_connection_is_coalesced(get: Get) -> None:
    transport = answers(CONNECTED)
    ours = client(transport)
    await together(50, lambda: get(ours))
    assert len(transport.calls) == 1


async def test_views_for_all_users_of_an_app_share_a_fetch() -> None:
    transport = answers(CONNECTED)
    ours = client(transport)
    views = iter([ours.for_request({"Authorization": f"Bearer user-{n}"}) for n in range(50)])
    await together(50, lambda: next(views).as_service_role.connectors.get_connection("slack"))
    assert len(transport.calls) == 1


async def test_one_users_token_is_never_handed_to_another() -> None:
    async def whose(request: Request) -> Response:
        await anyio.sleep(0.001)
        user = request.headers["on-behalf-of"].removeprefix("Bearer ")
        return json_response({"access_token": f"token-of-{user}"})

    ours = client(whose)
    wrong: list[str] = []

    async def ask(user: str) -> None:
        role = ours.for_request({"Authorization": f"Bearer {user}"}).as_service_role
        connection = await role.connectors.get_current_app_user_connection("c")
        if connection.access_token != f"token-of-{user}":
            wrong.append(user)

    async with anyio.create_task_group() as tasks:
        for n in range(1000):
            tasks.start_soon(ask, f"user-{n % 50}")
    assert wrong == []


@pytest.mark.parametrize(
    "other",
    [
        {"app_id": "other"},
        {"service_token": Secret("other")},
        {"server_url": "https://other.example"},
        {"headers": Headers({"X-Other": "1"})},
        {"passed_on": Headers({"Base44-State": "1"})},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_what_goes_over_the_wire_keeps_calls_apart(other: dict[str, object]) -> None:
    transport = answers(CONNECTED)
    ours = client(transport)
    theirs = ours._derived(identity=attrs.evolve(ours._view.identity, **other))  # type: ignore[arg-type]
    both = iter([ours, theirs])
    await together(2, lambda: next(both).as_service_role.connectors.get_connection("slack"))
    assert len(transport.calls) == 2


async def test_the_data_environment_keeps_calls_apart() -> None:
    transport = answers(CONNECTED)
    ours = client(transport)
    views = iter([ours.for_request({"X-Data-Env": env}) for env in ("dev", "prod")])
    await together(2, lambda: next(views).as_service_role.connectors.get_connection("slack"))
    assert len(transport.calls) == 2


async def test_other_options_keep_calls_apart() -> None:
    transport = answers(CONNECTED)
    ours = client(transport)
    views = iter([ours, ours.with_options(timeout=1), ours.with_options(retry=False)])
    await together(3, lambda: next(views).as_service_role.connectors.get_connection("slack"))
    assert len(transport.calls) == 3


async def test_calls_of_the_user_scope_and_call_api_are_never_coalesced() -> None:
    transport = answers(
        {"redirect_url": "https://c.example", "success": True, "phase": "responded"}
    )
    ours = client(transport)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ours.connectors.connect_app_user, "c")
            tasks.start_soon(ours.connectors.disconnect_app_user, "c")
            tasks.start_soon(lambda: ours.as_service_role.connectors.call_api("slack", path="/x"))
    assert len(transport.calls) == 15


async def test_a_later_call_asks_again() -> None:
    transport = numbered()
    connectors = client(transport).as_service_role.connectors
    first = await connectors.get_connection("slack")
    second = await connectors.get_connection("slack")
    assert (first.access_token, second.access_token) == ("token-1", "token-2")


@on(VIRTUAL)
async def test_max_age_accepts_a_connection_that_is_young_enough() -> None:
    transport = numbered()
    connectors = client(transport).as_service_role.connectors
    first = await connectors.get_connection("slack")
    await anyio.sleep(59)
    assert await connectors.get_connection("slack", max_age=60) is first
    await anyio.sleep(1)
    assert (await connectors.get_connection("slack", max_age=60)).access_token == "token-2"
    assert (await connectors.get_connection("slack", max_age=0)).access_token == "token-3"


@on(VIRTUAL)
async def test_the_age_of_a_connection_counts_from_the_question() -> None:
    async def slow(_: Request) -> Response:
        await anyio.sleep(10)
        return json_response(CONNECTED)

    transport = MockTransport(slow)
    connectors = client(transport).as_service_role.connectors
    await connectors.get_connection("slack")
    await connectors.get_connection("slack", max_age=10)
    assert len(transport.calls) == 2


async def test_max_age_of_another_integration_is_its_own() -> None:
    transport = numbered()
    connectors = client(transport).as_service_role.connectors
    await connectors.get_connection("slack")
    github = await connectors.get_connection("github", max_age=60)
    assert github.access_token == "token-2"


async def test_a_hundred_rejections_of_one_connection_are_one_fetch() -> None:
    transport = numbered()
    connectors = client(transport).as_service_role.connectors
    refused = await connectors.get_connection("slack")
    at_once = await together(50, lambda: connectors.get_connection("slack", rejected=refused))
    after = await together(50, lambda: connectors.get_connection("slack", rejected=refused))
    assert {connection.access_token for connection in at_once + after} == {"token-2"}
    assert len(transport.calls) == 2


REJECTED = "base44-rejected-token"


def the_digest_of(token: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode()
    return f"sha256={digest.rstrip('=')}"


@pytest.mark.parametrize(
    "get",
    [
        lambda c, **given: c.get_connection("slack", **given),
        lambda c, **given: c.get_workspace_connection("c", **given),
        lambda c, **given: c.get_current_app_user_connection("c", **given),
    ],
    ids=["get_connection", "get_workspace_connection", "get_current_app_user_connection"],
)
async def test_the_service_is_told_which_token_was_refused_and_by_no_other_call(
    get: Callable[..., Awaitable[Connection]],
) -> None:
    transport = numbered()
    connectors = client(transport).as_service_role.connectors
    refused = await get(connectors)
    await get(connectors, max_age=0)
    await get(connectors, max_age=0, rejected=refused)
    sent = [call.request.headers for call in transport.calls]
    assert [headers.get(REJECTED) for headers in sent] == [None, None, the_digest_of("token-1")]
    assert "token-1" not in repr(sent[2].fields)
    plain = [field for field in sent[2].fields if field[0].lower() != REJECTED]
    assert Headers(plain) == sent[0]


class Rotating:
    """A service that keeps a token until it hears that it was refused; it answers when told to."""

    def __init__(self) -> None:
        self.token = 1
        self.transport = MockTransport(self._answer)
        self._held: dict[str | None, anyio.Event] = {}

    def hold(self, rejected: str | None) -> anyio.Event:
        self._held[rejected] = anyio.Event()
        return self._held[rejected]

    async def _answer(self, request: Request) -> Response:
        rejected = request.headers.get(REJECTED)
        if rejected == the_digest_of(f"token-{self.token}"):
            self.token += 1
        answer = json_response({"access_token": f"token-{self.token}"})
        if rejected in self._held:
            await self._held[rejected].wait()
        return answer


@on(VIRTUAL)
async def test_a_refused_caller_does_not_get_what_was_asked_for_before_the_refusal() -> None:
    service, got = Rotating(), []
    connectors = client(service.transport).as_service_role.connectors
    refused = await connectors.get_connection("slack")
    landing = service.hold(None)

    async def plain() -> None:
        got.append(await connectors.get_connection("slack"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(plain)
        await anyio.sleep(1)
        fresh = await connectors.get_connection("slack", rejected=refused)
        landing.set()
    assert (refused.access_token, fresh.access_token) == ("token-1", "token-2")
    assert [connection.access_token for connection in got] == ["token-1"]
    # What landed last began first: it does not hide the newer one.
    assert await connectors.get_connection("slack", max_age=60) is fresh
    assert await connectors.get_connection("slack", rejected=refused) is fresh
    assert len(service.transport.calls) == 3


async def test_only_those_who_were_refused_the_same_token_share_a_fetch() -> None:
    service = Rotating()
    connectors = client(service.transport).as_service_role.connectors
    released = [service.hold(the_digest_of(token)) for token in ("token-a", "token-b")]
    refused = [Connection(f"token-{which}", {"n": str(n)}) for which in "ab" for n in range(50)]
    waiting = iter(refused)
    async with anyio.create_task_group() as tasks:
        for _ in refused:
            tasks.start_soon(lambda: connectors.get_connection("slack", rejected=next(waiting)))
        await anyio.wait_all_tasks_blocked()
        for event in released:
            event.set()
    assert len(service.transport.calls) == 2


async def test_who_was_refused_an_older_token_gets_the_newer_one_without_a_fetch() -> None:
    service = Rotating()
    connectors = client(service.transport).as_service_role.connectors
    first = await connectors.get_connection("slack")
    second = await connectors.get_connection("slack", rejected=first)
    assert await connectors.get_connection("slack", rejected=first) is second
    third = await connectors.get_connection("slack", rejected=second)
    assert await connectors.get_connection("slack", rejected=first) is third
    assert third.access_token == "token-3"
    assert len(service.transport.calls) == 3


@pytest.mark.parametrize("token", ["tok\u00e9n", "\ud800", ""])
async def test_whatever_token_was_refused_can_be_named(token: str) -> None:
    transport = answers(CONNECTED)
    connectors = client(transport).as_service_role.connectors
    await connectors.get_connection("slack", rejected=Connection(token))
    assert transport.calls[0].request.headers[REJECTED].startswith("sha256=")


async def test_a_rejected_connection_is_not_served_by_max_age() -> None:
    transport = numbered()
    connectors = client(transport).as_service_role.connectors
    refused = await connectors.get_connection("slack")
    fresh = await connectors.get_connection("slack", max_age=3600, rejected=refused)
    assert fresh.access_token == "token-2"


@on(VIRTUAL)
async def test_max_age_limits_what_replaces_a_rejected_connection() -> None:
    transport = numbered()
    connectors = client(transport).as_service_role.connectors
    refused = await connectors.get_connection("slack")
    await connectors.get_connection("slack")
    await anyio.sleep(100)
    fresh = await connectors.get_connection("slack", max_age=60, rejected=refused)
    assert fresh.access_token == "token-3"


@pytest.mark.parametrize("max_age", [-1, float("nan"), "60", [1]])
async def test_max_age_is_a_number_of_seconds(max_age: float) -> None:
    transport = answers(CONNECTED)
    with pytest.raises(ValueError, match="max_age must be a number"):
        await client(transport).as_service_role.connectors.get_connection("slack", max_age=max_age)
    assert transport.calls == []


async def test_rejected_is_a_connection_and_its_error_does_not_show_a_token() -> None:
    connectors = client(answers(CONNECTED)).as_service_role.connectors
    with pytest.raises(TypeError, match="rejected must be the Connection") as caught:
        await connectors.get_connection("slack", rejected="planted")  # type: ignore[arg-type]
    assert "planted" not in str(caught.value)


async def test_every_caller_raises_an_error_of_its_own() -> None:
    missing = answers({"detail": "Connector connection not found", "code": "NOT_FOUND"}, 404)
    connectors = client(missing).as_service_role.connectors
    errors: list[NotConnectedError] = []

    async def one() -> None:
        with pytest.raises(NotConnectedError) as caught:
            await connectors.get_connection("slack")
        errors.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(one)
    assert len({id(error) for error in errors}) == 100
    assert {(error.status, error.code, error.request_id) for error in errors} == {
        (404, "NOT_FOUND", errors[0].request_id)
    }
    assert len(missing.calls) == 1


@on(VIRTUAL)
async def test_a_herd_shares_one_sequence_of_attempts() -> None:
    busy = json_response({}, 503)
    transport = MockTransport(in_turn(busy, busy, json_response(CONNECTED)))
    connectors = client(transport).as_service_role.connectors
    await together(100, lambda: connectors.get_connection("slack"))
    assert len(transport.calls) == 3


@on(VIRTUAL)
async def test_a_view_can_turn_retries_off() -> None:
    transport = answers({}, 503)
    once = client(transport).with_options(retry=False)
    with pytest.raises(ServerError):
        await once.as_service_role.connectors.get_connection("slack")
    assert len(transport.calls) == 1


async def test_a_fetch_that_asks_for_itself_is_told_so() -> None:
    async def recursive(_: Request) -> Response:
        await connectors.get_connection("slack")
        raise AssertionError

    connectors = client(recursive).as_service_role.connectors
    with pytest.raises(ClientUsageError, match="fetch"):
        await connectors.get_connection("slack")


@on(VIRTUAL)
async def test_a_policy_says_how_often_it_is_tried() -> None:
    transport = answers({}, 503)
    ours = client(transport, retry=RetryPolicy(attempts=5))
    with pytest.raises(ServerError):
        await ours.as_service_role.connectors.get_connection("slack")
    assert len(transport.calls) == 5

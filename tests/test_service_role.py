"""`call_api` and the deprecated methods."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine

import pytest

from connectors import ApiResponse, RateLimitedError, UnreachableError
from tests.loops import REAL_ASYNCIO, VIRTUAL, on
from tests.service import ACCESS_TOKEN, APP, CONNECTED, answers, client, counted, in_turn
from transports import ConnectError, DisconnectedError
from transports.mock import MockTransport, json_response

DONE = {"success": True, "phase": "responded", "status_code": 200, "data": {"ok": True}}


async def test_call_api_sends_every_field_and_no_host_unless_there_is_one() -> None:
    transport = answers(DONE)
    await client(transport).as_service_role.connectors.call_api("slack", path="/users")
    [call] = transport.calls
    assert (call.request.method, call.request.url) == ("POST", f"{APP}/connectors/slack/call")
    assert json.loads(call.request.body or b"") == {
        "method": "GET",
        "path": "/users",
        "query": {},
        "headers": {},
        "body": None,
    }


async def test_call_api_sends_what_it_is_given() -> None:
    transport = answers(DONE)
    await client(transport).as_service_role.connectors.call_api(
        "slack",
        path="/users",
        method="PATCH",
        host="api.example",
        query={"q": "a", "n": 1, "x": 1.5, "f": True, "many": ["a", 2], "pair": (1, 2)},
        headers={"X-A": "b"},
        body={"deep": [None, {"a": 1}]},
    )
    assert json.loads(transport.calls[0].request.body or b"") == {
        "method": "PATCH",
        "path": "/users",
        "host": "api.example",
        "query": {"q": "a", "n": 1, "x": 1.5, "f": True, "many": ["a", 2], "pair": [1, 2]},
        "headers": {"X-A": "b"},
        "body": {"deep": [None, {"a": 1}]},
    }


async def test_call_api_returns_the_envelope() -> None:
    envelope = {
        **DONE,
        "success": False,
        "status_code": 404,
        "data_base64": "AAE=",
        "content_type": "image/png",
        "headers": {"x-rate": "1"},
        "credits_charged": 2,
    }
    answer = await client(answers(envelope)).as_service_role.connectors.call_api("s", path="/")
    assert answer == ApiResponse(
        success=False,
        phase="responded",
        status=404,
        data={"ok": True},
        data_base64="AAE=",
        content_type="image/png",
        headers={"x-rate": "1"},
        credits_charged=2,
    )


async def test_call_api_takes_the_largest_answer_that_a_provider_may_give() -> None:
    data = {"a": "\0" * 3_000_000}
    response = json_response({**DONE, "data": data})
    assert len(response.body) > 16 * 1024 * 1024
    answer = await client(lambda _: response).as_service_role.connectors.call_api("s", path="/")
    assert answer.data == data


async def test_call_api_fills_in_what_is_absent() -> None:
    bare = {"success": False, "phase": "timed_out"}
    answer = await client(answers(bare)).as_service_role.connectors.call_api("s", path="/")
    assert answer == ApiResponse(success=False, phase="timed_out")
    assert (answer.status, answer.data, answer.data_base64, answer.content_type) == (None,) * 4
    assert (answer.headers, answer.credits_charged) == ({}, 0)


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"path": ""}, ValueError, "path must not be empty"),
        ({"path": None}, TypeError, "path must be a str"),
        ({"method": "get"}, ValueError, "method must be one of GET"),
        ({"method": "TRACE"}, ValueError, "method must be one of GET"),
        ({"method": None}, ValueError, "method must be one of GET"),
        ({"host": 1}, TypeError, "host must be a str or None"),
        ({"host": "a\r\nb"}, ValueError, "host holds a control character"),
        ({"headers": {"a": "b\r\nc"}}, ValueError, "header field 'a'"),
        ({"query": {"a": None}}, TypeError, r"query\['a'\] must be"),
        ({"query": {"a": {"b": 1}}}, TypeError, r"query\['a'\] must be"),
        ({"query": {"a": [None]}}, TypeError, r"query\['a'\] must be"),
        ({"query": {1: "a"}}, TypeError, "names of query must be str"),
        ({"query": {"a": float("nan")}}, ValueError, "cannot be sent as JSON"),
        ({"headers": {"a": 1}}, TypeError, r"headers\['a'\] must be a str"),
        ({"headers": {1: "a"}}, TypeError, "names of headers must be str"),
        ({"body": b"bytes"}, TypeError, "must be made of JSON values"),
        ({"body": float("inf")}, ValueError, "cannot be sent as JSON"),
    ],
)
async def test_call_api_refuses_what_no_call_can_be(
    wrong: dict[str, object], error: type[Exception], says: str
) -> None:
    transport = answers(DONE)
    arguments = {"path": "/x", **wrong}
    with pytest.raises(error, match=says):
        await client(transport).as_service_role.connectors.call_api("slack", **arguments)  # type: ignore[arg-type]
    assert transport.calls == []


@on(VIRTUAL)
async def test_call_api_is_not_sent_again_once_it_may_have_been_seen() -> None:
    lost = DisconnectedError("Lost", method="POST", url="u", phase="headers", maybe_sent=True)
    transport = MockTransport(in_turn(lost))
    with pytest.raises(UnreachableError) as caught:
        await client(transport).as_service_role.connectors.call_api("slack", path="/x")
    assert caught.value.maybe_sent
    assert len(transport.calls) == 1


@on(VIRTUAL)
async def test_call_api_is_sent_again_when_it_certainly_was_not_seen() -> None:
    refused = ConnectError("No", method="POST", url="u", phase="connect", maybe_sent=False)
    transport = MockTransport(in_turn(refused, json_response({}, 503), json_response(DONE)))
    answer = await client(transport).as_service_role.connectors.call_api("slack", path="/x")
    assert answer.success
    assert len(transport.calls) == 3


async def test_a_wait_that_is_too_long_is_told_and_not_waited() -> None:
    transport = answers({"message": "Slow down"}, 429, **{"Retry-After": "3600"})
    with pytest.raises(RateLimitedError) as caught:
        await client(transport).as_service_role.connectors.call_api("slack", path="/x")
    assert caught.value.retry_after == 3600
    assert len(transport.calls) == 1


async def awaited(call: Coroutine[object, object, str]) -> str:
    return await call


async def gathered(call: Coroutine[object, object, str]) -> str:
    [token] = await asyncio.gather(call)
    return token


async def in_a_task(call: Coroutine[object, object, str]) -> str:
    return await asyncio.create_task(call)


@on(REAL_ASYNCIO)
@pytest.mark.parametrize("wait", [awaited, gathered, in_a_task])
@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("get_access_token", "get_connection", "external-auth/tokens/c"),
        (
            "get_current_app_user_access_token",
            "get_current_app_user_connection",
            "app-user-auth/connectors/c/token",
        ),
    ],
)
async def test_deprecated_methods_warn_where_they_are_called(
    old: str, new: str, path: str, wait: Callable[[Coroutine[object, object, str]], Awaitable[str]]
) -> None:
    transport = answers(CONNECTED)
    connectors = client(transport).as_service_role.connectors
    with pytest.warns(DeprecationWarning, match=rf"{old}\(\) is deprecated, use {new}") as caught:
        token = await wait(getattr(connectors, old)("c"))
    assert token == ACCESS_TOKEN
    assert counted(transport) == [f"GET {APP}/{path}"]
    assert caught[0].filename == __file__


async def test_a_deprecated_method_sends_nothing_until_it_is_awaited() -> None:
    transport = answers(CONNECTED)
    with pytest.warns(DeprecationWarning, match="get_access_token"):
        call = client(transport).as_service_role.connectors.get_access_token("slack")
    assert transport.calls == []
    assert await call == ACCESS_TOKEN

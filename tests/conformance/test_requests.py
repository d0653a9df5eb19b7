"""Both SDKs send the same requests.

What of a request is compared stands in `wire.py`. Reads of the app's own connections differ in one
field: they have `on-behalf-of` only when `always_on_behalf_of` is set, so that the users of an app
share a fetch.
"""

from typing import Final

import attrs
import pytest

from tests.conformance.sdks import (
    CALLS,
    Call,
    Official,
    Refused,
    Settings,
    Success,
    ours,
    service,
    user,
)
from tests.conformance.stub import Sent, Stub
from tests.conformance.wire import GOOD, compared

APP_READS: Final = ["get_connection", "get_access_token", "get_workspace_connection"]
USER_READS: Final = ["get_current_app_user_connection", "get_current_app_user_access_token"]

IDENTIFIERS: Final = [
    "a/b c",
    "%2e",
    "%2F",
    "ü",
    "日本語 🎉",
    "../x",
    "x/..",
    "...",
    "!~*'()",
    "-_.",
    "a?b#c&d=e+f;g:h@i,j$",
    '"<>\\^`{|}[]',
]

METHODS: Final[list[object]] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
BODIES: Final[list[object]] = [{}, [], "", "text", 0, False, "ü🎉", {"a": [{"b": "\n", "c": None}]}]
API_CALLS: Final[list[dict[str, object]]] = [
    {"path": "/x"},
    *({"path": "/x", "method": method} for method in METHODS),
    *({"path": "/x", "body": body} for body in BODIES),
    {"path": "/x", "host": "files.example.com"},
    {"path": "/x", "host": None},
    {"path": "/x?a=b c", "query": {}, "headers": {}, "body": None},
    {"path": "/x", "query": {"text": "a&b", "whole": 7, "part": 0.5, "yes": True, "no": False}},
    {"path": "/x", "query": {"texts": ["a", "b"], "numbers": [1, 2.5], "empty": []}},
    {"path": "/x", "headers": {"X-Case": "kept", "x-empty": ""}},
]


@pytest.fixture
def settings(stub: Stub) -> Settings:
    stub.answer = GOOD
    return Settings(stub.url)


@attrs.frozen
class Exchange:
    """What each of the two sent for the same call."""

    official: Sent
    ours: Sent


async def exchange(
    call: Call, settings: Settings, official: Official, stub: Stub, *, always: bool = True
) -> Exchange:
    """Make a call with both; each sends one request."""
    stub.take()
    assert isinstance(await official(call, settings), Success)
    [theirs] = stub.take()
    assert isinstance(await ours(call, settings, always_on_behalf_of=always), Success)
    [mine] = stub.take()
    return Exchange(theirs, mine)


@pytest.mark.parametrize("method", CALLS)
async def test_every_method_sends_the_same_request(
    method: str, settings: Settings, official: Official, stub: Stub
) -> None:
    both = await exchange(CALLS[method], settings, official, stub)
    assert compared(both.ours) == compared(both.official)


@pytest.mark.parametrize("method", [name for name in CALLS if name not in USER_READS])
async def test_without_a_user_token_every_method_sends_the_same_request(
    method: str, settings: Settings, official: Official, stub: Stub
) -> None:
    anonymous = attrs.evolve(settings, user_token=None)
    both = await exchange(CALLS[method], anonymous, official, stub)
    assert compared(both.ours) == compared(both.official)


@pytest.mark.parametrize("method", APP_READS)
async def test_reads_of_the_app_differ_in_on_behalf_of_and_in_nothing_else(
    method: str, settings: Settings, official: Official, stub: Stub
) -> None:
    both = await exchange(CALLS[method], settings, official, stub, always=False)
    line, fields, body = compared(both.official)
    fields.remove(("on-behalf-of", "Bearer user-token"))
    assert compared(both.ours) == (line, fields, body)


@pytest.mark.parametrize("method", [name for name in CALLS if name not in APP_READS])
async def test_all_other_methods_name_the_user_whatever_the_setting(
    method: str, settings: Settings, official: Official, stub: Stub
) -> None:
    both = await exchange(CALLS[method], settings, official, stub, always=False)
    assert compared(both.ours) == compared(both.official)


async def test_the_fields_that_are_compared_are_those_of_the_protocol(
    settings: Settings, official: Official, stub: Stub
) -> None:
    settings = attrs.evolve(settings, headers={"Base44-State": "state-1", "X-Trace": "abc"})
    both = await exchange(CALLS["call_api"], settings, official, stub)
    _, fields, _ = compared(both.ours)
    assert fields == compared(both.official)[1]
    assert dict(fields) == {
        "host": stub.url.removeprefix("http://"),
        "accept": "application/json",
        "content-type": "application/json",
        "x-app-id": "my-app",
        "authorization": "Bearer service-token",
        "on-behalf-of": "Bearer user-token",
        "base44-state": "state-1",
        "x-trace": "abc",
    }


@pytest.mark.parametrize("identifier", IDENTIFIERS)
@pytest.mark.parametrize("method", CALLS)
async def test_an_identifier_goes_over_the_wire_in_the_same_bytes(
    method: str, identifier: str, settings: Settings, official: Official, stub: Stub
) -> None:
    usual = CALLS[method]
    call = attrs.evolve(usual, args=(identifier, *usual.args[1:]))
    both = await exchange(call, settings, official, stub)
    assert compared(both.ours) == compared(both.official)


@pytest.mark.parametrize("call", API_CALLS, ids=str)
async def test_a_call_of_the_api_has_the_same_body(
    call: dict[str, object], settings: Settings, official: Official, stub: Stub
) -> None:
    both = await exchange(service("call_api", "slack", call), settings, official, stub)
    assert compared(both.ours) == compared(both.official)


@pytest.mark.parametrize("path", ["", "/base", "/a/b"])
async def test_a_server_may_stand_below_a_path(
    path: str, settings: Settings, official: Official, stub: Stub
) -> None:
    below = attrs.evolve(settings, server_url=stub.url + path)
    both = await exchange(user("connect_app_user", "c"), below, official, stub)
    assert both.ours.line.startswith(f"POST {path}/api/apps/my-app/")
    assert compared(both.ours) == compared(both.official)


@pytest.mark.parametrize(
    "call",
    [
        service("get_connection", ""),
        service("get_access_token", None),
        service("get_workspace_connection", 7),
        service("get_current_app_user_connection", ""),
        service("get_current_app_user_access_token", ["c"]),
        service("call_api", "", {"path": "/x"}),
        service("call_api", "slack", {"path": ""}),
        service("call_api", "slack", {"path": 7}),
        service("call_api", "slack", {"path": "/x", "method": "get"}),
        service("call_api", "slack", {"path": "/x", "method": "TRACE"}),
        user("connect_app_user", ""),
        user("disconnect_app_user", ["c"]),
    ],
    ids=str,
)
async def test_what_can_not_be_right_is_refused_before_anything_is_sent(
    call: Call, settings: Settings, official: Official, stub: Stub
) -> None:
    stub.take()
    assert isinstance(await official(call, settings), Refused)
    assert isinstance(await ours(call, settings), Refused)
    assert stub.take() == []


async def test_without_a_service_token_the_service_role_is_refused_when_it_is_used(
    settings: Settings, official: Official, stub: Stub
) -> None:
    stub.take()
    powerless = attrs.evolve(settings, service_token=None)
    assert isinstance(await official(CALLS["get_connection"], powerless), Refused)
    assert isinstance(await ours(CALLS["get_connection"], powerless), Refused)
    assert isinstance(await official(CALLS["connect_app_user"], powerless), Success)
    assert isinstance(await ours(CALLS["connect_app_user"], powerless), Success)
    assert len(stub.take()) == 2

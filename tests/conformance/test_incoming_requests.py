"""Both SDKs make the same client of an incoming request: `createClientFromRequest`, `from_request`.

What a client is made of is seen in what it sends.
"""

from collections.abc import Mapping
from typing import Final

import pytest

from tests.conformance.sdks import CALLS, Incoming, Official, Refused, Success, ours
from tests.conformance.stub import Stub
from tests.conformance.wire import GOOD, compared

SERVICE: Final = {"Base44-Service-Authorization": "Bearer their-service"}
USER: Final = {"Authorization": "Bearer their-user"}

TAKEN: Final = {
    "app, service token and user token": {**SERVICE, **USER},
    "a state": {**SERVICE, **USER, "Base44-State": "state-1"},
    "a state that is empty": {**SERVICE, **USER, "Base44-State": ""},
    **{
        f"the environment {name!r}": {**SERVICE, **USER, "X-Data-Env": name}
        for name in ("dev", "prod", "Dev", "staging", "dev, prod", "")
    },
    "the version of the functions": {**SERVICE, **USER, "Base44-Functions-Version": "v9"},
    "fields that are not for the service": {
        **SERVICE,
        **USER,
        "Cookie": "a=b",
        "X-App-Id": "another-app",
        "on-behalf-of": "Bearer somebody",
        "X-Forwarded-For": "192.0.2.7",
        "Accept": "text/html",
    },
}

MALFORMED: Final = [
    "",
    "Bearer",
    "Bearer a b",
    "Bearer  a",
    "bearer a",
    "Basic a",
    "a",
    "Bearer\ta",
    "Token Bearer a",
]


def incoming(stub: Stub, fields: Mapping[str, str]) -> Incoming:
    stub.answer = GOOD
    stub.take()
    return Incoming({"Base44-App-Id": "their-app", "Base44-Api-Url": stub.url, **fields})


async def assert_same_request(
    request: Incoming, method: str, official: Official, stub: Stub
) -> Mapping[str, str]:
    """Both send the same; its fields are returned."""
    assert isinstance(await official(CALLS[method], request), Success)
    assert isinstance(await ours(CALLS[method], request), Success)
    theirs, mine = map(compared, stub.take())
    assert mine == theirs
    return dict(mine[1])


# Not the reads of the app: there the two differ in `on-behalf-of`, which `test_requests` holds.
@pytest.mark.parametrize("method", ["get_current_app_user_connection", "call_api"])
@pytest.mark.parametrize("taken", TAKEN)
async def test_the_service_role_sends_what_the_request_said(
    taken: str, method: str, official: Official, stub: Stub
) -> None:
    request = incoming(stub, TAKEN[taken])
    sent = await assert_same_request(request, method, official, stub)
    assert sent["authorization"] == "Bearer their-service"
    assert sent["on-behalf-of"] == "Bearer their-user"
    assert sent["x-app-id"] == "their-app"


@pytest.mark.parametrize("taken", TAKEN)
async def test_the_user_scope_sends_what_the_request_said(
    taken: str, official: Official, stub: Stub
) -> None:
    request = incoming(stub, TAKEN[taken])
    sent = await assert_same_request(request, "connect_app_user", official, stub)
    assert sent["authorization"] == "Bearer their-user"


@pytest.mark.parametrize("method", ["get_connection", "get_workspace_connection", "call_api"])
async def test_a_request_of_nobody_in_particular_names_no_user(
    method: str, official: Official, stub: Stub
) -> None:
    request = incoming(stub, SERVICE)
    sent = await assert_same_request(request, method, official, stub)
    assert "on-behalf-of" not in sent


async def test_a_request_without_credentials_sends_none(official: Official, stub: Stub) -> None:
    request = incoming(stub, {})
    sent = await assert_same_request(request, "disconnect_app_user", official, stub)
    assert "authorization" not in sent


@pytest.mark.parametrize("spelling", [str.lower, str.upper])
async def test_names_of_fields_have_no_case(
    spelling: object, official: Official, stub: Stub
) -> None:
    assert callable(spelling)
    named = incoming(stub, {**SERVICE, **USER, "Base44-State": "s", "X-Data-Env": "dev"})
    request = Incoming({spelling(name): value for name, value in named.headers.items()})
    sent = await assert_same_request(request, "call_api", official, stub)
    assert sent["base44-state"] == "s"
    assert sent["x-data-env"] == "dev"


@pytest.mark.parametrize("value", MALFORMED)
@pytest.mark.parametrize("name", ["Authorization", "Base44-Service-Authorization"])
async def test_a_malformed_credential_is_refused(
    name: str, value: str, official: Official, stub: Stub
) -> None:
    request = incoming(stub, {**SERVICE, **USER, name: value})
    for outcome in (
        await official(CALLS["call_api"], request),
        await ours(CALLS["call_api"], request),
    ):
        assert isinstance(outcome, Refused)
        assert outcome.message.startswith("Invalid authorization header format")
    assert stub.take() == []


@pytest.mark.parametrize("app_id", [None, ""])
async def test_a_request_without_an_app_is_refused(
    app_id: str | None, official: Official, stub: Stub
) -> None:
    fields = {**incoming(stub, {**SERVICE, **USER}).headers, "Base44-App-Id": app_id}
    request = Incoming({name: value for name, value in fields.items() if value is not None})
    for outcome in (
        await official(CALLS["call_api"], request),
        await ours(CALLS["call_api"], request),
    ):
        assert isinstance(outcome, Refused)
        assert outcome.message.startswith("Base44-App-Id header is required")
    assert stub.take() == []


@pytest.mark.parametrize("fields", [{}, USER])
async def test_without_a_service_token_there_is_no_service_role(
    fields: Mapping[str, str], official: Official, stub: Stub
) -> None:
    request = incoming(stub, fields)
    for outcome in (
        await official(CALLS["call_api"], request),
        await ours(CALLS["call_api"], request),
    ):
        assert isinstance(outcome, Refused)
        assert "service token" in outcome.message.lower()
    assert stub.take() == []

"""Every method sends exactly the request of the protocol."""

from collections.abc import Awaitable, Callable

import pytest

from connectors import Client, MissingCredentialsError
from tests.service import API_KEY, APP, SERVICE_TOKEN, USER_TOKEN, answers, client
from transports import Request

GOOD = {
    "access_token": "t",
    "integration_type": "slack",
    "redirect_url": "https://consent.example/",
    "success": True,
    "phase": "responded",
    "integrations": [],
    "status": "ACTIVE",
}

Call = Callable[[Client], Awaitable[object]]

SERVICE_READS: dict[str, tuple[Call, str]] = {
    "get_connection": (
        lambda c: c.as_service_role.connectors.get_connection("slack"),
        "/external-auth/tokens/slack",
    ),
    "get_workspace_connection": (
        lambda c: c.as_service_role.connectors.get_workspace_connection("c-1"),
        "/external-auth/tokens/connectors/c-1",
    ),
    "get_current_app_user_connection": (
        lambda c: c.as_service_role.connectors.get_current_app_user_connection("c-1"),
        "/app-user-auth/connectors/c-1/token",
    ),
}
USER_CALLS: dict[str, tuple[Call, str, str]] = {
    "connect_app_user": (
        lambda c: c.connectors.connect_app_user("c-1"),
        "POST",
        "/app-user-auth/connectors/c-1/initiate",
    ),
    "disconnect_app_user": (
        lambda c: c.connectors.disconnect_app_user("c-1"),
        "DELETE",
        "/app-user-auth/connectors/c-1",
    ),
}
MANAGEMENT: dict[str, tuple[Call, str, str, bytes | None]] = {
    "available_integrations": (
        lambda c: c.management.available_integrations(),
        "GET",
        "/external-auth/available-integrations",
        None,
    ),
    "list_connectors": (
        lambda c: c.management.list_connectors(),
        "GET",
        "/external-auth/list",
        None,
    ),
    "authorize": (
        lambda c: c.management.authorize("slack", scopes=["chat:write"]),
        "PUT",
        "/external-auth/integrations/slack",
        b'{"scopes":["chat:write"]}',
    ),
    "status": (
        lambda c: c.management.status("slack", connection_id="a&b"),
        "GET",
        "/external-auth/status?integration_type=slack&connection_id=a%26b",
        None,
    ),
    "status without an id": (
        lambda c: c.management.status("slack"),
        "GET",
        "/external-auth/status?integration_type=slack",
        None,
    ),
    "remove": (
        lambda c: c.management.remove("slack"),
        "DELETE",
        "/external-auth/integrations/slack/remove",
        None,
    ),
}


async def sent_by(call: Call, **settings: object) -> Request:
    transport = answers(GOOD)
    await call(client(transport, **settings))
    [logged] = transport.calls
    return logged.request


def fields(request: Request) -> dict[str, str]:
    """The fields that are not the same in every request."""
    common = {"accept", "content-type", "user-agent"}
    assert request.headers["accept"] == request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("base44-connectors/")
    return {name: request.headers[name] for name in request.headers if name not in common}


@pytest.mark.parametrize("method", SERVICE_READS)
async def test_service_role_reads(method: str) -> None:
    call, path = SERVICE_READS[method]
    request = await sent_by(call)
    assert (request.method, request.url, request.body) == ("GET", APP + path, None)
    expected = {"x-app-id": "my-app", "authorization": f"Bearer {SERVICE_TOKEN}"}
    if method == "get_current_app_user_connection":
        expected["on-behalf-of"] = f"Bearer {USER_TOKEN}"
    assert fields(request) == expected


@pytest.mark.parametrize("method", SERVICE_READS)
async def test_a_setting_names_the_user_with_every_read(method: str) -> None:
    request = await sent_by(SERVICE_READS[method][0], always_on_behalf_of=True)
    assert request.headers["on-behalf-of"] == f"Bearer {USER_TOKEN}"


async def test_without_a_user_there_is_no_on_behalf_of() -> None:
    call = SERVICE_READS["get_connection"][0]
    request = await sent_by(call, always_on_behalf_of=True, user_token=None)
    assert "on-behalf-of" not in request.headers


@pytest.mark.parametrize("method", USER_CALLS)
async def test_user_scope_sends_the_users_token(method: str) -> None:
    call, verb, path = USER_CALLS[method]
    request = await sent_by(call)
    assert (request.method, request.url, request.body) == (verb, APP + path, None)
    assert fields(request) == {"x-app-id": "my-app", "authorization": f"Bearer {USER_TOKEN}"}


@pytest.mark.parametrize("method", USER_CALLS)
async def test_user_scope_without_a_token_asks_without_one(method: str) -> None:
    request = await sent_by(USER_CALLS[method][0], user_token=None)
    assert fields(request) == {"x-app-id": "my-app"}


@pytest.mark.parametrize("method", MANAGEMENT)
async def test_management_sends_the_key_and_a_request_id_and_no_app_id(method: str) -> None:
    call, verb, path, body = MANAGEMENT[method]
    request = await sent_by(call)
    assert (request.method, request.url, request.body) == (verb, APP + path, body)
    sent = fields(request)
    assert len(sent.pop("x-request-id")) == 36
    assert sent == {"api_key": API_KEY}


async def test_management_without_a_key_sends_the_users_token() -> None:
    sent = fields(await sent_by(MANAGEMENT["list_connectors"][0], api_key=None))
    del sent["x-request-id"]
    assert sent == {"authorization": f"Bearer {USER_TOKEN}"}


async def test_management_needs_a_credential() -> None:
    transport = answers(GOOD)
    with pytest.raises(MissingCredentialsError, match="api_key"):
        await client(transport, api_key=None, user_token=None).management.list_connectors()
    assert transport.calls == []


async def test_the_connection_of_the_current_user_needs_a_user() -> None:
    transport = answers(GOOD)
    role = client(transport, user_token=None).as_service_role
    with pytest.raises(MissingCredentialsError, match="for_request"):
        await role.connectors.get_current_app_user_connection("c-1")
    assert transport.calls == []


async def test_the_service_role_needs_a_service_token_when_it_is_used() -> None:
    without = client(answers(GOOD), service_token=None)
    with pytest.raises(MissingCredentialsError, match="service_token"):
        without.as_service_role  # noqa: B018 - the access is the use.


async def test_headers_of_the_program_are_sent_with_every_request() -> None:
    for call in (SERVICE_READS["get_connection"][0], MANAGEMENT["list_connectors"][0]):
        request = await sent_by(call, headers={"X-Trace": "abc"})
        assert request.headers["x-trace"] == "abc"


IDENTIFIERS = {
    "a/b c": "a%2Fb%20c",
    "../x": "..%2Fx",
    "%2e": "%252e",
    "ü": "%C3%BC",
    "...": "...",
    "!~*'()-_.": "!~*'()-_.",
    "a?b#c&d=e+f": "a%3Fb%23c%26d%3De%2Bf",
}


@pytest.mark.parametrize("identifier", IDENTIFIERS)
@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda c, i: c.as_service_role.connectors.get_connection(i), "/external-auth/tokens/{}"),
        (
            lambda c, i: c.as_service_role.connectors.get_workspace_connection(i),
            "/external-auth/tokens/connectors/{}",
        ),
        (
            lambda c, i: c.as_service_role.connectors.get_current_app_user_connection(i),
            "/app-user-auth/connectors/{}/token",
        ),
        (
            lambda c, i: c.as_service_role.connectors.call_api(i, path="/x"),
            "/connectors/{}/call",
        ),
        (lambda c, i: c.connectors.connect_app_user(i), "/app-user-auth/connectors/{}/initiate"),
        (lambda c, i: c.connectors.disconnect_app_user(i), "/app-user-auth/connectors/{}"),
        (lambda c, i: c.management.authorize(i), "/external-auth/integrations/{}"),
        (lambda c, i: c.management.remove(i), "/external-auth/integrations/{}/remove"),
    ],
)
async def test_an_identifier_selects_a_connector_and_never_another_route(
    identifier: str, call: Callable[[Client, str], Awaitable[object]], path: str
) -> None:
    request = await sent_by(lambda c: call(c, identifier))
    assert request.url == APP + path.format(IDENTIFIERS[identifier])


@pytest.mark.parametrize("identifier", [".", "..", "", "\ud800", "a\nb", "a\0", "\x7f", "\x85"])
@pytest.mark.parametrize("method", ["get_connection", "get_workspace_connection"])
async def test_an_identifier_that_no_path_can_hold_is_refused(method: str, identifier: str) -> None:
    transport = answers(GOOD)
    connectors = client(transport).as_service_role.connectors
    with pytest.raises(ValueError, match=r"integration_type|connector_id"):
        await getattr(connectors, method)(identifier)
    assert transport.calls == []


@pytest.mark.parametrize("identifier", [None, 1, b"slack", ["slack"]])
async def test_an_identifier_that_is_no_string_is_refused(identifier: object) -> None:
    transport = answers(GOOD)
    with pytest.raises(TypeError, match="integration_type must be a str"):
        await client(transport).as_service_role.connectors.get_connection(identifier)  # type: ignore[arg-type]
    assert transport.calls == []


async def test_an_app_id_is_encoded_too() -> None:
    call = SERVICE_READS["get_connection"][0]
    request = await sent_by(call, app_id="../ü", server_url="http://localhost:8044/base/")
    assert (
        request.url == "http://localhost:8044/base/api/apps/..%2F%C3%BC/external-auth/tokens/slack"
    )
    assert request.headers["x-app-id"] == "../%C3%BC"

"""Configuration and incoming requests: what is taken, and what is refused before it is sent."""

from collections.abc import Mapping
from types import SimpleNamespace

import pytest

from connectors import Client
from connectors._identity import IncomingRequest
from tests.service import CONNECTED, SERVICE_TOKEN, USER_TOKEN, answers, client
from transports import Secret
from transports.mock import MockTransport

FROM_REQUEST = {
    "Base44-App-Id": "their-app",
    "Base44-Service-Authorization": "Bearer their-service",
    "Authorization": "Bearer their-user",
    "Base44-Api-Url": "https://their.example",
    "Base44-Functions-Version": "v9",
    "Base44-State": "state-1",
    "X-Data-Env": "dev",
    "Cookie": "a=b",
}


async def sent(view: Client, transport: MockTransport) -> Mapping[str, str]:
    await view.as_service_role.connectors.get_current_app_user_connection("c")
    headers = transport.calls[-1].request.headers
    unsaid = {"accept", "content-type", "user-agent"}
    return {name: headers[name] for name in headers if name not in unsaid}


async def test_from_request_takes_app_credentials_server_state_and_environment() -> None:
    transport = answers(CONNECTED)
    async with Client.from_request(FROM_REQUEST, transport=transport) as theirs:
        assert await sent(theirs, transport) == {
            "x-app-id": "their-app",
            "authorization": "Bearer their-service",
            "on-behalf-of": "Bearer their-user",
            "base44-state": "state-1",
            "x-data-env": "dev",
        }
    url = transport.calls[0].request.url
    assert url == "https://their.example/api/apps/their-app/app-user-auth/connectors/c/token"


async def test_from_request_takes_headers_and_always_on_behalf_of() -> None:
    transport = answers(CONNECTED)
    view = Client.from_request(
        FROM_REQUEST, transport=transport, headers={"X-Trace": "t"}, always_on_behalf_of=True
    )
    await view.as_service_role.connectors.get_connection("slack")
    headers = transport.calls[0].request.headers
    assert (headers["x-trace"], headers["on-behalf-of"]) == ("t", "Bearer their-user")
    assert headers["base44-state"] == "state-1"


@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.title])
async def test_headers_are_found_in_any_case(spelling: object) -> None:
    assert callable(spelling)
    request = {spelling(name): value for name, value in FROM_REQUEST.items()}
    transport = answers(CONNECTED)
    await sent(Client.from_request(request, transport=transport), transport)


async def test_a_request_is_anything_with_headers() -> None:
    request = SimpleNamespace(headers=SimpleNamespace(items=FROM_REQUEST.items))
    transport = answers(CONNECTED)
    await sent(Client.from_request(request, transport=transport), transport)


async def test_without_a_server_in_the_request_it_is_the_hosted_one() -> None:
    transport = answers(CONNECTED)
    request = {**FROM_REQUEST, "Base44-Api-Url": ""}
    await sent(Client.from_request(request, transport=transport), transport)
    assert transport.calls[0].request.url.startswith("https://base44.app/api/")


@pytest.mark.parametrize("environment", ["dev", "prod"])
async def test_a_known_data_environment_is_passed_on(environment: str) -> None:
    transport = answers(CONNECTED)
    request = {**FROM_REQUEST, "X-Data-Env": environment}
    view = Client.from_request(request, transport=transport)
    assert (await sent(view, transport))["x-data-env"] == environment


@pytest.mark.parametrize("environment", ["", "DEV", "staging", "dev, prod", " dev"])
async def test_an_unknown_data_environment_is_dropped(environment: str) -> None:
    transport = answers(CONNECTED)
    request = {**FROM_REQUEST, "X-Data-Env": environment}
    view = Client.from_request(request, transport=transport)
    assert "x-data-env" not in await sent(view, transport)


@pytest.mark.parametrize("app_id", [None, ""])
def test_a_request_without_an_app_id_is_refused(app_id: str | None) -> None:
    request = {**FROM_REQUEST, "Base44-App-Id": app_id}
    if app_id is None:
        del request["Base44-App-Id"]
    with pytest.raises(ValueError, match="Base44-App-Id header is required"):
        Client.from_request(request)  # type: ignore[arg-type]


BAD_CREDENTIALS = [
    "",
    "Bearer",
    "Bearer ",
    "bearer planted-token",
    "Basic planted-token",
    "Bearer  planted-token",
    "Bearer planted-token more",
    "Bearer planted-token ",
    "Bearer planted\ttoken",
    "Bearer planted\ntoken",
    "planted-token",
]


@pytest.mark.parametrize("credential", BAD_CREDENTIALS)
@pytest.mark.parametrize("name", ["Authorization", "Base44-Service-Authorization"])
def test_a_credential_is_bearer_and_one_word(name: str, credential: str) -> None:
    with pytest.raises(ValueError, match="Invalid authorization header format") as caught:
        Client.from_request({**FROM_REQUEST, name: credential})
    assert "planted" not in str(caught.value)


def test_a_header_that_comes_twice_is_refused() -> None:
    pairs = [*FROM_REQUEST.items(), ("authorization", "Bearer another")]
    request = SimpleNamespace(headers=SimpleNamespace(items=lambda: pairs))
    with pytest.raises(ValueError, match="'authorization' twice"):
        Client.from_request(request)


def test_what_is_not_read_may_come_twice() -> None:
    pairs = [*FROM_REQUEST.items(), ("Cookie", "c=d")]
    request = SimpleNamespace(headers=SimpleNamespace(items=lambda: pairs))
    assert "their-app" in repr(Client.from_request(request, transport=answers(CONNECTED)))


@pytest.mark.parametrize("request_", [None, 5, "headers", SimpleNamespace(headers=None)])
def test_what_has_no_headers_is_no_request(request_: IncomingRequest) -> None:
    with pytest.raises(TypeError, match="must have headers"):
        Client.from_request(request_)


async def test_for_request_takes_the_users_identity_and_keeps_the_clients() -> None:
    transport = answers(CONNECTED)
    ours = client(transport, headers={"X-Trace": "t"})
    view = ours.for_request({"Authorization": "Bearer other-user", "Base44-State": "s"})
    assert await sent(view, transport) == {
        "x-app-id": "my-app",
        "authorization": f"Bearer {SERVICE_TOKEN}",
        "on-behalf-of": "Bearer other-user",
        "base44-state": "s",
        "x-trace": "t",
    }


async def test_for_request_prefers_the_requests_service_token() -> None:
    transport = answers(CONNECTED)
    request = {
        "Authorization": "Bearer u",
        "Base44-Service-Authorization": "Bearer s",
        "Base44-App-Id": "my-app",
    }
    view = client(transport).for_request(request)
    assert (await sent(view, transport))["authorization"] == "Bearer s"


async def test_for_request_never_lends_the_clients_user_to_a_request_without_one() -> None:
    transport = answers(CONNECTED)
    view = client(transport).for_request({})
    await view.connectors.disconnect_app_user("c")
    assert "authorization" not in transport.calls[0].request.headers
    assert USER_TOKEN not in repr(transport.calls[0].request.headers.fields)


async def test_for_request_forgets_what_an_earlier_request_carried() -> None:
    transport = answers(CONNECTED)
    first = Client.from_request(FROM_REQUEST, transport=transport)
    second = first.for_request({"Authorization": "Bearer u"})
    headers = await sent(second, transport)
    assert "base44-state" not in headers
    assert "x-data-env" not in headers


async def test_for_request_sends_credentials_only_to_the_clients_own_server() -> None:
    transport = answers(CONNECTED)
    request = {"Authorization": "Bearer u", "Base44-Api-Url": "https://evil.example"}
    await sent(client(transport).for_request(request), transport)
    assert transport.calls[0].request.url.startswith("https://base44.app/")


def test_for_request_refuses_another_app() -> None:
    with pytest.raises(ValueError, match=r"another|for the app 'theirs'"):
        client(answers({})).for_request({"Base44-App-Id": "theirs"})


@pytest.mark.parametrize("name", ["service_token", "user_token", "api_key"])
@pytest.mark.parametrize("token", ["", " ", "planted token", "planted\r\ntoken", "plantedé", "a\0"])
def test_a_token_that_no_header_can_hold_is_refused(name: str, token: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} ") as caught:
        client(answers({}), **{name: token})
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("name", ["service_token", "user_token", "api_key"])
def test_a_token_is_a_string(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a str, not bytes"):
        client(answers({}), **{name: b"planted"})


async def test_a_token_may_come_wrapped() -> None:
    transport = answers(CONNECTED)
    view = client(transport, service_token=Secret("wrapped"))
    assert (await sent(view, transport))["authorization"] == "Bearer wrapped"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "base44.app",
        "ftp://base44.app",
        "https://",
        "https:///api",
        "https://user:planted@base44.app",
        "https://base44.app?x=planted",
        "https://base44.app?",
        "https://base44.app#planted",
        "https://base44.app:port",
        "https://base44.app:99999",
        "https://[::1",
        "https://base44.app/a/../b",
        "https://base44 .app",
        "https://base44.app\n",
        "https://bäse44.app",
        "https://base44.app/api",
        "https://base44.app/api/",
        "https://base44.app/base/api//",
    ],
)
def test_a_server_url_is_scheme_host_port_and_path(url: str) -> None:
    with pytest.raises(ValueError, match="server_url must look like") as caught:
        client(answers({}), server_url=url)
    assert "planted" not in str(caught.value)


def test_a_server_url_is_given_without_api() -> None:
    with pytest.raises(ValueError, match="leave out the /api at its end"):
        client(answers({}), server_url="http://127.0.0.1:8044/api")
    with pytest.raises(ValueError, match="leave out the /api at its end"):
        Client.from_request({**FROM_REQUEST, "Base44-Api-Url": "https://their.example/api/"})


@pytest.mark.parametrize(
    "url", ["https://api", "https://api.example/", "https://x/api/v2", "https://x/my-api"]
)
def test_a_server_url_may_have_api_elsewhere(url: str) -> None:
    assert url.rstrip("/") in repr(client(answers({}), server_url=url))


def test_a_server_url_is_a_string() -> None:
    with pytest.raises(TypeError, match="server_url must be a str, not bytes"):
        client(answers({}), server_url=b"https://base44.app")


@pytest.mark.parametrize("app_id", ["", "..", "a\nb", "\ud800"])
def test_an_app_id_is_a_path_segment(app_id: str) -> None:
    with pytest.raises(ValueError, match="app_id"):
        client(answers({}), app_id=app_id)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "x"},
        {"x-app-id": "x"},
        {"Base44-Rejected-Token": "sha256=x"},
        {"a b": "c"},
        {"X": "a\nb"},
    ],
)
def test_headers_that_the_client_sets_itself_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="header"):
        client(answers({}), headers=headers)


@pytest.mark.parametrize("value", ["planted-é", "planted\n", "planted-\u20ac", "planted\0"])
def test_a_header_that_cannot_be_sent_is_refused_before_any_call(value: str) -> None:
    for given in (value, Secret(value)):
        with pytest.raises(ValueError, match=r"header field '(?i:x-trace)'") as caught:
            client(answers({}), headers={"X-Trace": given})
        assert "planted" not in str(caught.value)


@pytest.mark.parametrize("value", ["planted-é", "planted\r\nX: y", "planted-\u20ac"])
def test_a_state_that_cannot_be_sent_on_is_refused_before_any_call(value: str) -> None:
    request = {**FROM_REQUEST, "Base44-State": value}
    with pytest.raises(ValueError, match=r"header field '(?i:base44-state)'") as caught:
        Client.from_request(request)
    assert "planted" not in str(caught.value)
    with pytest.raises(ValueError, match=r"header field '(?i:base44-state)'"):
        client(answers({}), app_id="their-app").for_request(request)


@pytest.mark.parametrize("headers", [[("X", "y")], "X: y", 5, {"X": 1}, {1: "y"}])
def test_headers_are_a_mapping_of_str(headers: object) -> None:
    with pytest.raises(TypeError, match=r"headers must be a mapping|must be a str"):
        client(answers({}), headers=headers)


def test_headers_of_from_request_are_a_mapping() -> None:
    with pytest.raises(TypeError, match="headers must be a mapping of names to values, not list"):
        Client.from_request(FROM_REQUEST, headers=[("X", "y")])  # type: ignore[arg-type]


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "30", None, 10**400])
def test_a_timeout_is_a_number_of_seconds(timeout: object) -> None:
    with pytest.raises(ValueError, match="timeout must be a number"):
        client(answers({}), timeout=timeout)


@pytest.mark.parametrize("retry", [3, None, "yes"])
def test_retry_is_a_policy_or_a_bool(retry: object) -> None:
    with pytest.raises(TypeError, match="retry must be a RetryPolicy"):
        client(answers({}), retry=retry)


def test_a_transport_has_send_and_aclose() -> None:
    with pytest.raises(TypeError, match=r"send\(\) and aclose\(\)"):
        Client(app_id="a", transport="https://base44.app")  # type: ignore[arg-type]

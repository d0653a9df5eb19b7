"""Both SDKs get the same from `connectors dev`, run as a process over a vault in a file.

A program that was written for the official SDK has the local backend by nothing but an address.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, TypeAlias

import attrs
import pytest

from connectors.local import Grant, Owner, Vault
from connectors.local._oauth import OAuthClient
from connectors.local._oauth_records import OAuthApp
from connectors.local._records import StoredConnection
from tests.conformance.backend import APP, Backend, fill, local_backend
from tests.conformance.sdks import (
    CALLS,
    Call,
    Failure,
    Identity,
    Incoming,
    Official,
    Outcome,
    Success,
    ours,
    service,
    user,
)

NOT_CONNECTED: Final = {"detail": "Connector connection not found", "code": "NOT_FOUND"}
ONLY_SERVICE: Final = {"detail": "This endpoint is only accessible to service tokens"}
ONLY_USERS: Final = {"detail": "This endpoint is only accessible to user tokens"}
UNAUTHORIZED: Final = {"detail": "Unauthorized"}

CONFIG: Final = {"subdomain": "acme", "größe": "7"}
SERVICE_ROLE: Final = [name for name, call in CALLS.items() if call.scope == "service"]
USER_SCOPE: Final = [name for name, call in CALLS.items() if call.scope == "user"]


@pytest.fixture(scope="module")
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    async with local_backend(tmp_path_factory.mktemp("backend")) as running:
        yield running


async def same(call: Call, identity: Identity, official: Official) -> Outcome:
    """What both get, which is the same."""
    theirs = await official(call, identity)
    assert await ours(call, identity) == theirs
    return theirs


def connection(token: str, config: dict[str, str] | None = None) -> Success:
    return Success({"accessToken": token, "connectionConfig": config})


def failure(status: int, body: dict[str, str]) -> Failure:
    return Failure(body["detail"], status, body.get("code"), body)


CONNECTED: Final = {
    service("get_connection", "slack"): connection("xoxb-1"),
    service("get_connection", "zendesk"): connection("app-2", CONFIG),
    service("get_connection", "a/b c"): connection("app-3", {}),
    service("get_access_token", "zendesk"): Success("app-2"),
    service("get_workspace_connection", "c-1"): connection("workspace-1"),
    service("get_current_app_user_connection", "c-1"): connection("user-1", CONFIG),
    service("get_current_app_user_access_token", "c-1"): Success("user-1"),
}


@pytest.mark.parametrize("call", CONNECTED, ids=str)
async def test_a_connection_is_the_same(call: Call, backend: Backend, official: Official) -> None:
    assert await same(call, backend.settings, official) == CONNECTED[call]


async def test_a_disconnected_account_is_gone_for_both(
    backend: Backend, official: Official
) -> None:
    read = service("get_current_app_user_connection", "c-1")
    for disconnect in (official, ours):
        await fill(backend.vault)
        assert isinstance(await same(read, backend.settings, official), Success)
        gone = await disconnect(user("disconnect_app_user", "c-1"), backend.settings)
        assert gone == Success(None)
        assert await same(read, backend.settings, official) == failure(404, NOT_CONNECTED)
    await fill(backend.vault)


async def test_to_disconnect_what_is_not_connected_is_no_error(
    backend: Backend, official: Official
) -> None:
    call = user("disconnect_app_user", "nowhere")
    assert await same(call, backend.settings, official) == Success(None)


@pytest.mark.parametrize(
    "call",
    [
        service("get_connection", "github"),
        service("get_access_token", "github"),
        service("get_connection", "notion"),
        service("get_workspace_connection", "slack"),
        service("get_current_app_user_connection", "c-2"),
        service("get_current_app_user_access_token", "c-2"),
        service("call_api", "github", {"path": "/user"}),
    ],
    ids=str,
)
async def test_what_is_not_connected_is_the_same_error(
    call: Call, backend: Backend, official: Official
) -> None:
    assert await same(call, backend.settings, official) == failure(404, NOT_CONNECTED)


async def ended(vault: Vault, connection: StoredConnection) -> None:
    await vault.refreshes.fail(connection, "invalid_grant", "invalid_grant")


async def put_off(vault: Vault, connection: StoredConnection) -> None:
    await vault.apps.configure(OAuthApp("box", OAuthClient("client-1")))
    await vault.refreshes.postpone(
        connection, marker=None, failures=1, next_attempt_at=time.time() + 3000, last_error="busy"
    )


async def without_client(vault: Vault, _: StoredConnection) -> None:
    await vault.apps.remove("box")


async def with_a_wrong_client(vault: Vault, _: StoredConnection) -> None:
    app = await vault.apps.configure(OAuthApp("box", OAuthClient("client-1")))
    now = time.time()
    await vault.apps.reject(app, problem="invalid_client", at=now, retry_at=now + 3000)


Spoil: TypeAlias = Callable[[Vault, StoredConnection], Awaitable[None]]

WITHOUT_TOKEN: Final[Mapping[Spoil, tuple[int, str, str]]] = {
    ended: (409, "RECONNECT_REQUIRED", "run: connectors connect box --app-id my-app"),
    put_off: (503, "REFRESH_POSTPONED", "can't be renewed now: busy; try again in "),
    without_client: (409, "OAUTH_CLIENT_MISSING", "run: connectors configure box"),
    with_a_wrong_client: (409, "OAUTH_CLIENT_REJECTED", "run: connectors configure box"),
}


@pytest.mark.parametrize("spoil", WITHOUT_TOKEN)
@pytest.mark.parametrize("method", ["get_connection", "call_api"])
async def test_what_has_no_good_token_is_the_same_error(
    method: str,
    spoil: Spoil,
    backend: Backend,
    official: Official,
) -> None:
    status, code, words = WITHOUT_TOKEN[spoil]
    grant = Grant("box", "planted", refresh_token="planted", source="oauth", expires_at=0.0)
    owner = Owner.app(APP, "box")
    await spoil(backend.vault, await backend.vault.put(owner, grant))
    call = attrs.evolve(CALLS[method], args=("box", *CALLS[method].args[1:]))
    for outcome in (await official(call, backend.settings), await ours(call, backend.settings)):
        assert isinstance(outcome, Failure)
        assert (outcome.status, outcome.code) == (status, code)
        assert words in outcome.message
        assert "planted" not in str(outcome)
    await backend.vault.disconnect(owner)


@pytest.mark.parametrize("method", SERVICE_ROLE)
async def test_a_wrong_service_token_is_the_same_error(
    method: str, backend: Backend, official: Official
) -> None:
    wrong = attrs.evolve(backend.settings, service_token="b44s_wrong")
    assert await same(CALLS[method], wrong, official) == failure(401, UNAUTHORIZED)


@pytest.mark.parametrize("method", SERVICE_ROLE)
async def test_a_user_token_for_a_service_token_is_the_same_error(
    method: str, backend: Backend, official: Official
) -> None:
    confused = attrs.evolve(backend.settings, service_token=backend.settings.user_token)
    assert await same(CALLS[method], confused, official) == failure(403, ONLY_SERVICE)


@pytest.mark.parametrize("method", USER_SCOPE)
async def test_a_service_token_for_a_user_token_is_the_same_error(
    method: str, backend: Backend, official: Official
) -> None:
    confused = attrs.evolve(backend.settings, user_token=backend.settings.service_token)
    assert await same(CALLS[method], confused, official) == failure(403, ONLY_USERS)


@pytest.mark.parametrize("token", [None, "b44u_wrong"])
@pytest.mark.parametrize("method", USER_SCOPE)
async def test_no_user_token_and_a_wrong_one_are_the_same_error(
    method: str, token: str | None, backend: Backend, official: Official
) -> None:
    nobody = attrs.evolve(backend.settings, user_token=token)
    assert await same(CALLS[method], nobody, official) == failure(401, UNAUTHORIZED)


@pytest.mark.parametrize("method", SERVICE_ROLE)
async def test_a_wrong_user_token_is_the_same_error_wherever_the_user_is_named(
    method: str, backend: Backend, official: Official
) -> None:
    wrong = attrs.evolve(backend.settings, user_token="b44u_wrong")
    theirs = await official(CALLS[method], wrong)
    mine = await ours(CALLS[method], wrong, always_on_behalf_of=True)
    assert mine == theirs == failure(401, UNAUTHORIZED)


async def test_a_wrong_user_token_is_no_error_here_where_the_user_is_not_named(
    backend: Backend, official: Official
) -> None:
    wrong = attrs.evolve(backend.settings, user_token="b44u_wrong")
    assert await official(CALLS["get_connection"], wrong) == failure(401, UNAUTHORIZED)
    assert await ours(CALLS["get_connection"], wrong) == connection("xoxb-1")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            service("call_api", "zendesk", {"path": "/api/v2/tickets"}),
            (501, "NOT_SUPPORTED", "The local backend"),
        ),
        (
            user("connect_app_user", "c-1"),
            (409, "OAUTH_CLIENT_MISSING", "The vault has no OAuth client"),
        ),
    ],
    ids=["call_api", "connect_app_user"],
)
async def test_what_the_local_backend_does_not_do_is_the_same_error(
    call: Call, expected: tuple[int, str, str], backend: Backend, official: Official
) -> None:
    outcome = await same(call, backend.settings, official)
    assert isinstance(outcome, Failure)
    assert (outcome.status, outcome.code) == expected[:2]
    assert outcome.message.startswith(expected[2])


@pytest.mark.parametrize(
    "identifier", ["..x", "../slack", "%2e", "ü", "!~*'()", "slack?", "slack#"]
)
@pytest.mark.parametrize("method", ["get_connection", "get_workspace_connection", "call_api"])
async def test_no_identifier_reaches_another_connection(
    method: str, identifier: str, backend: Backend, official: Official
) -> None:
    usual = CALLS[method]
    call = attrs.evolve(usual, args=(identifier, *usual.args[1:]))
    assert await same(call, backend.settings, official) == failure(404, NOT_CONNECTED)


async def test_an_identifier_that_nobody_can_read_is_the_same_error(
    backend: Backend, official: Official
) -> None:
    outcome = await same(service("get_connection", "a\u00adb"), backend.settings, official)
    assert isinstance(outcome, Failure)
    assert outcome.status == 400


def incoming(backend: Backend, **fields: str) -> Incoming:
    """A request as the platform would forward it to the app's backend."""
    settings = backend.settings
    return Incoming(
        {
            "Base44-App-Id": settings.app_id,
            "Base44-Api-Url": settings.server_url,
            "Base44-Service-Authorization": f"Bearer {settings.service_token}",
            "Authorization": f"Bearer {settings.user_token}",
            "Base44-State": "state-1",
            "X-Data-Env": "dev",
            **{name.replace("_", "-"): value for name, value in fields.items()},
        }
    )


async def test_a_client_of_an_incoming_request_gets_the_same(
    backend: Backend, official: Official
) -> None:
    request = incoming(backend)
    assert await same(CALLS["get_connection"], request, official) == connection("xoxb-1")
    users = await same(CALLS["get_current_app_user_connection"], request, official)
    assert users == connection("user-1", CONFIG)


async def test_a_request_of_another_user_gets_that_users_account(
    backend: Backend, official: Official
) -> None:
    request = incoming(backend, Authorization=f"Bearer {backend.stranger}")
    call = service("get_current_app_user_connection", "c-2")
    assert await same(call, request, official) == connection("user-2")
    assert await same(call, incoming(backend), official) == failure(404, NOT_CONNECTED)


async def test_a_request_for_another_app_gets_that_apps_account(
    backend: Backend, official: Official
) -> None:
    request = incoming(backend, Base44_App_Id="another-app")
    assert await same(service("get_connection", "notion"), request, official) == connection("app-4")
    slack = await same(CALLS["get_connection"], request, official)
    assert slack == failure(404, NOT_CONNECTED)

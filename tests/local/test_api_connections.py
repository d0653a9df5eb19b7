"""What an app's backend and its users get from the local backend."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.local import Grant, Owner
from tests.local.backends import (
    APP,
    CONFIG,
    NOT_CONNECTED,
    SERVICE_ONLY,
    TOKENS,
    UNAUTHORIZED,
    USERS_ONLY,
    Local,
    local_backend,
    told,
)
from tests.loops import REAL, on

pytestmark = on(REAL)

SLACK = "external-auth/tokens/slack"
WORKSPACE = "external-auth/tokens/connectors/c-1"
APP_USER = "app-user-auth/connectors/c-1/token"


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_backend(tmp_path) as local:
        yield local


@pytest.mark.parametrize(
    ("path", "user", "account", "integration_type"),
    [
        (SLACK, None, "slack", "slack"),
        (SLACK, "ann", "slack", "slack"),
        (WORKSPACE, None, "workspace", "googleads"),
        (APP_USER, "ann", "ann", "gmail"),
        (APP_USER, "ben", "ben", "gmail"),
    ],
)
async def test_a_connection_is_handed_out_to_the_apps_backend(
    local: Local, path: str, user: str | None, account: str, integration_type: str
) -> None:
    response = await local.ask("GET", path, local.service(user))
    assert response.status == 200
    assert told(response) == {
        "access_token": TOKENS[account],
        "integration_type": integration_type,
        "connection_config": CONFIG if account == "workspace" else None,
    }


async def test_a_new_token_is_handed_out_from_its_put_on(local: Local) -> None:
    await local.vault.put(Owner.app(APP, "slack"), Grant("slack", "xoxb-planted-new"))
    body = told(await local.ask("GET", SLACK, local.service()))
    assert isinstance(body, dict)
    assert body["access_token"] == "xoxb-planted-new"


@pytest.mark.parametrize(
    "path",
    [
        "external-auth/tokens/github",
        "external-auth/tokens/Slack",
        "external-auth/tokens/c-1",
        "external-auth/tokens/connectors/slack",
        "app-user-auth/connectors/c-2/token",
        "/api/apps/app-2/external-auth/tokens/slack",
        "/api/apps/app-2/external-auth/tokens/connectors/c-1",
        "/api/apps/app-2/app-user-auth/connectors/c-1/token",
    ],
)
async def test_what_nobody_has_connected_is_not_found(local: Local, path: str) -> None:
    response = await local.ask("GET", path, local.service("ann"))
    assert (response.status, told(response)) == (404, NOT_CONNECTED)


async def test_what_was_disconnected_is_not_found(local: Local) -> None:
    await local.vault.disconnect(Owner.app(APP, "slack"))
    response = await local.ask("GET", SLACK, local.service())
    assert (response.status, told(response)) == (404, NOT_CONNECTED)


async def test_every_app_has_connections_of_its_own(local: Local) -> None:
    await local.vault.put(Owner.app("app 2/é", "slack"), Grant("slack", "xoxb-planted-other"))
    response = await local.ask(
        "GET", "/api/apps/app%202%2F%C3%A9/external-auth/tokens/slack", local.service()
    )
    body = told(response)
    assert isinstance(body, dict)
    assert body["access_token"] == "xoxb-planted-other"


async def test_the_token_of_an_app_user_needs_one(local: Local) -> None:
    response = await local.ask("GET", APP_USER, local.service())
    assert (response.status, told(response)) == (401, UNAUTHORIZED)


@pytest.mark.parametrize("path", [SLACK, WORKSPACE, APP_USER])
async def test_tokens_are_for_the_service_token_alone(local: Local, path: str) -> None:
    for headers in (local.user("ann"), local.workspace()):
        response = await local.ask("GET", path, headers)
        assert (response.status, told(response)) == (403, SERVICE_ONLY)


async def test_a_users_account_is_forgotten_for_that_user_alone(local: Local) -> None:
    path = "app-user-auth/connectors/c-1"
    response = await local.ask("DELETE", path, local.user("ann"))
    assert (response.status, told(response)) == (200, {"status": "disconnected"})
    assert (await local.ask("GET", APP_USER, local.service("ann"))).status == 404
    assert (await local.ask("GET", APP_USER, local.service("ben"))).status == 200
    assert (await local.ask("GET", WORKSPACE, local.service())).status == 200


async def test_to_forget_what_is_not_there_is_fine(local: Local) -> None:
    for _ in range(2):
        response = await local.ask("DELETE", "app-user-auth/connectors/c-9", local.user("ann"))
        assert response.status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "app-user-auth/connectors/c-1"),
        ("POST", "app-user-auth/connectors/c-1/initiate"),
    ],
)
async def test_the_user_scope_is_for_user_tokens_alone(
    local: Local, method: str, path: str
) -> None:
    for headers in (local.service("ann"), local.workspace()):
        response = await local.ask(method, path, headers)
        assert (response.status, told(response)) == (403, USERS_ONLY)


async def test_a_consent_that_has_no_client_is_refused_in_plain_words(local: Local) -> None:
    response = await local.ask("POST", "app-user-auth/connectors/c-1/initiate", local.user("ann"))
    assert response.status == 409
    assert told(response) == {
        "detail": "The vault has no OAuth client for gmail; run: connectors configure gmail",
        "code": "OAUTH_CLIENT_MISSING",
    }


async def test_a_connector_of_which_nobody_has_said_what_it_is_is_refused(local: Local) -> None:
    response = await local.ask("POST", "app-user-auth/connectors/c-9/initiate", local.user("ann"))
    assert response.status == 404
    assert told(response) == {
        "detail": "Nobody has said of which type the connector 'c-9' is; run: connectors configure "
        "TYPE --connector c-9",
        "code": "UNKNOWN_CONNECTOR",
    }


async def test_a_call_without_a_connection_is_not_found(local: Local) -> None:
    response = await local.ask("POST", "connectors/github/call", local.service(), b"{}")
    assert (response.status, told(response)) == (404, NOT_CONNECTED)


async def test_a_token_that_is_no_text_survives(local: Local) -> None:
    odd = "odd\ud800\u2028token"
    await local.vault.put(Owner.app(APP, "slack"), Grant("slack", odd))
    body = told(await local.ask("GET", SLACK, local.service()))
    assert isinstance(body, dict)
    assert body["access_token"] == odd

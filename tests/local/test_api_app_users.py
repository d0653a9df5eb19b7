"""An app's users connect accounts of their own, and each of them gets no other one's token."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors.local import Grant, Owner
from tests.local.backends import APP, NOT_CONNECTED, USERS_ONLY, told
from tests.local.dropbox import ACCESS, REDIRECT_URI, REFRESH, World, consent_at, world
from tests.local.steps import due
from tests.loops import REAL, on
from transports import ConnectError

pytestmark = on(REAL)

INITIATE = "app-user-auth/connectors/dropbox/initiate"
TOKEN = "app-user-auth/connectors/dropbox/token"
DISCONNECT = "app-user-auth/connectors/dropbox"
ANN, BEN = (Owner.app_user(APP, "dropbox", user) for user in ("ann", "ben"))


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, redirect_uri=REDIRECT_URI) as here:
        yield here


async def begun(here: World, user: str = "ann", path: str = INITIATE) -> dict[str, Any]:
    response = await here.local.ask("POST", path, here.local.user(user))
    assert response.status == 200, response.body
    body = told(response)
    assert isinstance(body, dict)
    return body


async def refused(here: World, path: str) -> tuple[int, Any]:
    response = await here.local.ask("POST", path, here.local.user("ann"))
    return response.status, told(response)


async def token_of(here: World, user: str, path: str = TOKEN) -> object:
    response = await here.local.ask("GET", path, here.local.service(user))
    body = told(response)
    assert isinstance(body, dict)
    return body.get("access_token", response.status)


async def test_a_user_is_sent_to_the_consent_page_of_the_provider(here: World) -> None:
    await here.configure(scopes=["files.content.read", "account_info.read"])
    answer = await begun(here)
    assert set(answer) == {"redirect_url", "connection_id", "already_authorized"}
    assert answer["already_authorized"] is False
    consent = consent_at(answer["redirect_url"])
    assert consent.address == "https://www.dropbox.com/oauth2/authorize"
    assert consent.query["client_id"] == "client-1"
    assert consent.query["redirect_uri"] == REDIRECT_URI
    assert consent.query["scope"] == "files.content.read account_info.read"
    assert consent.query["code_challenge_method"] == "S256"
    assert await token_of(here, "ann") == 404


async def test_a_consent_that_was_given_connects_the_one_who_gave_it(here: World) -> None:
    answer = await begun(here)
    page = await here.come_back(answer["redirect_url"])
    assert page.status == 200
    [exchanged] = here.dropbox.token_calls
    assert exchanged["code"] == "planted-code"
    assert exchanged["redirect_uri"] == REDIRECT_URI
    assert await token_of(here, "ann") == "planted-access-token-1"
    assert await token_of(here, "ben") == 404
    kept = await here.vault.get(ANN)
    assert kept is not None
    assert (kept.id, kept.source, kept.has_refresh_token) == (
        answer["connection_id"],
        "oauth",
        True,
    )


async def test_users_who_connect_at_the_same_time_get_what_each_has_consented_to(
    here: World,
) -> None:
    ann, ben = await begun(here, "ann"), await begun(here, "ben")
    assert ann["connection_id"] != ben["connection_id"]
    await here.come_back(ben["redirect_url"])
    of_ben = await token_of(here, "ben")
    assert await token_of(here, "ann") == 404
    await here.come_back(ann["redirect_url"])
    assert (await token_of(here, "ann"), await token_of(here, "ben")) != (of_ben, of_ben)
    assert await token_of(here, "ben") == of_ben


async def test_to_connect_again_keeps_the_id_and_replaces_the_token(here: World) -> None:
    first = await begun(here)
    await here.come_back(first["redirect_url"])
    second = await begun(here)
    assert second["already_authorized"] is True
    assert second["connection_id"] == first["connection_id"]
    assert second["redirect_url"] != first["redirect_url"]
    assert await token_of(here, "ann") == "planted-access-token-1"
    await here.come_back(second["redirect_url"])
    assert await token_of(here, "ann") == "planted-access-token-2"


async def test_a_connection_that_has_ended_is_not_authorized_already(here: World) -> None:
    kept = await here.connect(ANN)
    await here.vault.refreshes.fail(kept, "invalid_grant", "invalid_grant")
    answer = await begun(here)
    assert (answer["already_authorized"], answer["connection_id"]) == (False, kept.id)


@pytest.mark.parametrize("kind", ["own", "another user's", "the workspace's", "of the past"])
async def test_the_type_of_a_connector_is_that_of_its_connections(here: World, kind: str) -> None:
    await here.configure("box")
    owner = {
        "own": Owner.app_user(APP, "c-1", "ann"),
        "the workspace's": Owner.workspace(APP, "c-1"),
    }.get(kind, Owner.app_user(APP, "c-1", "ben"))
    await here.vault.put(owner, Grant("dropbox", ACCESS))
    if kind == "of the past":
        await here.vault.disconnect(owner)
    elif kind == "own":
        # Whoever is listed before and after has another one.
        for user in ("aaron", "ben"):
            await here.vault.put(Owner.app_user(APP, "c-1", user), Grant("box", ACCESS))
    elif kind == "another user's":
        await here.vault.put(Owner.workspace(APP, "c-1"), Grant("box", ACCESS))
    answer = await begun(here, path="app-user-auth/connectors/c-1/initiate")
    assert "www.dropbox.com" in answer["redirect_url"]


async def test_a_connection_of_another_app_says_nothing_of_a_connector(here: World) -> None:
    await here.vault.put(Owner.workspace("app-2", "c-1"), Grant("dropbox", ACCESS))
    await here.vault.put(Owner.app(APP, "c-1"), Grant("c-1", ACCESS))
    status, body = await refused(here, "app-user-auth/connectors/c-1/initiate")
    assert (status, body["code"]) == (404, "UNKNOWN_CONNECTOR")


async def test_a_connector_may_be_declared_for_a_type(here: World) -> None:
    await here.configure(connectors=["c-7", "c-8"])
    await here.configure("box")
    answer = await begun(here, path="app-user-auth/connectors/c-8/initiate")
    assert "www.dropbox.com" in answer["redirect_url"]
    await here.come_back(answer["redirect_url"])
    token = await token_of(here, "ann", "app-user-auth/connectors/c-8/token")
    assert token == "planted-access-token-1"


async def test_a_connector_that_nobody_knows_is_told_with_the_way_to_declare_it(
    here: World,
) -> None:
    assert await refused(here, "app-user-auth/connectors/c%209/initiate") == (
        404,
        {
            "detail": "Nobody has said of which type the connector 'c 9' is; "
            "run: connectors configure TYPE --connector 'c 9'",
            "code": "UNKNOWN_CONNECTOR",
        },
    )


async def test_without_a_client_there_is_no_consent(here: World) -> None:
    assert await refused(here, "app-user-auth/connectors/box/initiate") == (
        409,
        {
            "detail": "The vault has no OAuth client for box; run: connectors configure box",
            "code": "OAUTH_CLIENT_MISSING",
        },
    )


async def test_a_type_whose_callback_anybody_could_make_up_is_refused(here: World) -> None:
    await here.configure("wix")
    status, body = await refused(here, "app-user-auth/connectors/wix/initiate")
    assert (status, body["code"]) == (409, "NOT_FOR_APP_USERS")


async def test_without_what_the_type_needs_there_is_no_consent(here: World) -> None:
    await here.configure("bamboohr")
    status, body = await refused(here, "app-user-auth/connectors/bamboohr/initiate")
    assert (status, body["code"]) == (422, "CONNECTION_CONFIG")
    assert body["detail"].startswith("bamboohr: connection_config['subdomain'] is missing. ")
    assert body["detail"].endswith("run: connectors configure bamboohr")
    await here.configure("bamboohr", config={"subdomain": "acme"})
    answer = await begun(here, path="app-user-auth/connectors/bamboohr/initiate")
    assert answer["redirect_url"].startswith("https://acme.bamboohr.com/")


async def test_without_an_address_to_come_back_to_there_is_no_consent(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        status, body = await refused(here, INITIATE)
        assert (status, body["code"]) == (409, "CALLBACK_MISSING")
        assert "connectors dev" in body["detail"]
        await here.configure(redirect_uri="https://app.example/back")
        answer = await begun(here)
        assert (
            consent_at(answer["redirect_url"]).query["redirect_uri"] == "https://app.example/back"
        )


async def test_a_user_disconnects_an_account_of_their_own_and_the_provider_is_told(
    here: World,
) -> None:
    await here.connect(ANN)
    await here.connect(BEN)
    for _ in range(2):
        response = await here.local.ask("DELETE", DISCONNECT, here.local.user("ann"))
        assert (response.status, told(response)) == (200, {"status": "disconnected"})
    assert await token_of(here, "ann") == 404
    assert await token_of(here, "ben") == ACCESS
    await here.local.backend._services.keeper.revoke()
    assert here.dropbox.revoked == [f"Bearer {ACCESS}"]


async def test_a_provider_that_cant_be_told_keeps_nobody_connected(here: World) -> None:
    await here.connect(ANN)
    here.transport.route(
        "POST",
        "https://api.dropboxapi.com/2/auth/token/revoke",
        ConnectError("no", method="POST", url="http://x", phase="connect", maybe_sent=False),
    )
    response = await here.local.ask("DELETE", DISCONNECT, here.local.user("ann"))
    assert response.status == 200
    assert await token_of(here, "ann") == 404
    await here.local.backend._services.keeper.revoke()
    [job] = await due(here.vault)
    assert job.attempts == 1


async def test_the_users_routes_are_for_user_tokens_alone(here: World) -> None:
    for headers in (here.local.service("ann"), here.local.workspace()):
        for method, path in (("POST", INITIATE), ("DELETE", DISCONNECT)):
            response = await here.local.ask(method, path, headers)
            assert (response.status, told(response)) == (403, USERS_ONLY)
    assert here.transport.calls == []


async def test_what_a_user_has_not_connected_is_not_found(here: World) -> None:
    response = await here.local.ask("GET", TOKEN, here.local.service("ann"))
    assert (response.status, told(response)) == (404, NOT_CONNECTED)


async def test_no_secret_of_a_consent_is_told_but_its_address_to_its_user(here: World) -> None:
    answer = await begun(here)
    shown = json.dumps(answer)
    assert REFRESH not in shown
    assert "planted" not in shown
    assert consent_at(answer["redirect_url"]).query["state"] not in answer["connection_id"]

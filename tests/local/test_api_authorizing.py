"""A workspace connects an app's account, and hears how far that has come."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from connectors.local import Owner
from tests.local.backends import APP, told
from tests.local.dropbox import ACCESS, OWNER, REDIRECT_URI, World, consent_at, says, world
from tests.loops import REAL, on
from transports import ConnectError

pytestmark = on(REAL)

INTEGRATION = "external-auth/integrations/dropbox"
ANSWER = {
    "redirect_url",
    "connection_id",
    "already_authorized",
    "error",
    "error_message",
    "other_user_email",
}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, redirect_uri=REDIRECT_URI) as here:
        yield here


@attrs.frozen
class Authorization:
    """What the official CLI gets."""

    url: str | None
    connection_id: str


async def authorize(here: World, *scopes: str, path: str = INTEGRATION) -> Authorization:
    body = await here.manage("PUT", path, {"scopes": scopes})
    assert set(body) == ANSWER
    assert (body["redirect_url"] is None) == body["already_authorized"]
    assert body["error"] is body["error_message"] is body["other_user_email"] is None
    return Authorization(body["redirect_url"], body["connection_id"])


async def progress(here: World, connection_id: str | None = None, name: str = "dropbox") -> Any:
    of = "" if connection_id is None else f"&connection_id={connection_id}"
    body = await here.manage("GET", f"external-auth/status?integration_type={name}{of}")
    return body["status"]


async def test_it_is_pending_until_consent_is_given_and_active_then(here: World) -> None:
    begun = await authorize(here, "files.content.read")
    assert begun.url is not None
    assert consent_at(begun.url).query["scope"] == "files.content.read"
    assert await progress(here, begun.connection_id) == "PENDING"
    # Without its id nobody knows of it: there is no connection yet.
    assert await progress(here) == "FAILED"
    await here.come_back(begun.url)
    assert await progress(here, begun.connection_id) == "ACTIVE"
    assert await progress(here) == "ACTIVE"
    here.clock.now += 3600
    assert await progress(here, begun.connection_id) == "ACTIVE"


async def test_the_same_scopes_are_authorized_already(here: World) -> None:
    begun = await authorize(here, "b", "a")
    assert begun.url is not None
    await here.come_back(begun.url)
    assert await authorize(here, "a", "b", "a") == Authorization(None, begun.connection_id)


async def test_scopes_that_the_provider_calls_otherwise_are_authorized_by_both_names(
    here: World,
) -> None:
    granted = {"access_token": "planted", "scope": "account.openid account.email"}
    here.dropbox.next_token = [says(200, granted)]
    begun = await authorize(here, "openid", "email")
    assert begun.url is not None
    await here.come_back(begun.url)
    body = await here.manage("GET", "external-auth/list")
    assert body["integrations"][0]["scopes"] == ["account.openid", "account.email"]
    # What the CLI has in its file, before and after it has pulled.
    for scopes in (["email", "openid"], ["account.email", "account.openid"]):
        assert (await authorize(here, *scopes)).url is None
    for scopes in (["openid"], ["account.openid"], ["openid", "account.email"]):
        assert (await authorize(here, *scopes)).url is not None


async def test_other_scopes_replace_the_old_ones(here: World) -> None:
    first = await authorize(here, "a", "b")
    assert first.url is not None
    await here.come_back(first.url)
    for scopes in (["a"], ["a", "b", "c"]):
        again = await authorize(here, *scopes)
        assert again.url is not None
        assert again.connection_id == first.connection_id
        assert consent_at(again.url).query["scope"] == " ".join(scopes)
        assert await progress(here, again.connection_id) == "PENDING"
        await here.come_back(again.url)
        assert await progress(here, again.connection_id) == "ACTIVE"
        kept = await here.vault.get(OWNER)
        assert kept is not None
        assert kept.scopes == tuple(scopes)


async def test_who_names_no_scopes_gets_those_of_the_client(here: World) -> None:
    await here.configure(scopes=["a", "b"])
    begun = await authorize(here)
    assert begun.url is not None
    assert consent_at(begun.url).query["scope"] == "a b"
    await here.come_back(begun.url)
    assert (await authorize(here)).url is None
    assert (await authorize(here, "b", "a")).url is None
    await here.vault.apps.remove("dropbox")
    assert (await authorize(here, "b", "a")).url is None


async def test_a_connection_that_only_its_owner_can_help_is_authorized_again(here: World) -> None:
    kept = await here.connect(scopes=["a"])
    assert (await authorize(here, "a")).url is None
    await here.vault.refreshes.fail(kept, "invalid_grant", "invalid_grant")
    assert await progress(here) == "FAILED"
    begun = await authorize(here, "a")
    assert begun.url is not None
    assert begun.connection_id == kept.id
    await here.come_back(begun.url)
    assert await progress(here, kept.id) == "ACTIVE"
    await here.connect(scopes=["a"], refresh_token=None, expires_at=here.clock.now)
    assert (await authorize(here, "a")).url is not None


@pytest.mark.parametrize("end", ["denied", "refused by the provider", "too late"])
async def test_a_consent_that_comes_to_nothing_has_failed_and_costs_nothing(
    here: World, end: str
) -> None:
    kept = await here.connect(scopes=["a"])
    begun = await authorize(here, "a", "b")
    assert begun.url is not None
    if end == "denied":
        await here.come_back(begun.url, code=None, error="access_denied")
    elif end == "too late":
        here.clock.now += 601
    else:
        here.dropbox.next_token = [lambda _: _unanswered()]
        await here.come_back(begun.url)
    assert await progress(here, begun.connection_id) == "FAILED"
    # Who does not ask about it hears of the connection, which is there as before.
    assert await progress(here) == "ACTIVE"
    found = await here.vault.get(OWNER)
    assert found == kept
    here.clock.now += 1300
    await here.vault.consent_rows.forget(here.clock.now)
    assert await progress(here, begun.connection_id) == "ACTIVE"


def _unanswered() -> Any:
    raise ConnectError("no", method="POST", url="http://x", phase="connect", maybe_sent=False)


async def test_what_was_removed_is_not_active_though_its_consent_went_well(here: World) -> None:
    begun = await authorize(here, "a")
    assert begun.url is not None
    await here.come_back(begun.url)
    await here.manage("DELETE", f"{INTEGRATION}/remove")
    assert await progress(here, begun.connection_id) == "FAILED"
    again = await authorize(here, "a")
    assert again.connection_id == begun.connection_id
    assert await progress(here, again.connection_id) == "PENDING"


async def test_removing_tells_the_provider(here: World) -> None:
    await here.connect()
    assert await here.manage("DELETE", f"{INTEGRATION}/remove") == {
        "status": "removed",
        "integration_type": "dropbox",
    }
    await here.local.backend._services.keeper.revoke()
    assert here.dropbox.revoked == [f"Bearer {ACCESS}"]


async def test_a_consent_of_somebody_else_is_nobodys_business(here: World) -> None:
    begun = await authorize(here, "a")
    ann = Owner.app_user(APP, "dropbox", "ann")
    of_ann = await here.local.backend._services.consents.begin(ann, "dropbox")
    other = await authorize(here, "a", path=f"/api/apps/app-2/{INTEGRATION}")
    assert await progress(here, begun.connection_id) == "PENDING"
    for connection_id in (of_ann.connection_id, other.connection_id, "no-such", ""):
        assert await progress(here, connection_id) == "FAILED"
    assert await progress(here, begun.connection_id, name="box") == "FAILED"


async def refused(here: World, path: str, *scopes: str) -> tuple[int, Any]:
    response = await here.ask_to_manage("PUT", path, {"scopes": scopes})
    return response.status, told(response)


async def test_a_type_that_nobody_knows_is_not_found(here: World) -> None:
    status, body = await refused(here, "external-auth/integrations/no%20type")
    assert (status, body["code"]) == (404, "UNKNOWN_INTEGRATION")
    assert "'no type'" in body["detail"]


async def test_without_a_client_there_is_no_consent(here: World) -> None:
    status, body = await refused(here, "external-auth/integrations/box")
    assert (status, body["code"]) == (409, "OAUTH_CLIENT_MISSING")
    assert body["detail"].endswith("run: connectors configure box")


async def test_a_type_that_refuses_this_machine_needs_an_address_of_its_own(here: World) -> None:
    await here.configure("slack")
    status, body = await refused(here, "external-auth/integrations/slack")
    assert (status, body["code"]) == (409, "CALLBACK_MISSING")
    assert "`connectors configure slack --redirect-uri URL`" in body["detail"]
    await here.configure("slack", redirect_uri="https://example.com/back")
    assert (await refused(here, "external-auth/integrations/slack"))[0] == 200


async def test_a_scope_that_is_none_is_refused(here: World) -> None:
    status, body = await refused(here, INTEGRATION, "a b")
    assert (status, body["code"]) == (422, "CONNECTION_CONFIG")
    assert "'a b' is no scope" in body["detail"]

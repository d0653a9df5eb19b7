"""Consents through the API: begun by an app or its workspace, given there, completed here.

The provider is the sandbox, in this process; a person's browser is what approves or denies there.
"""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import pytest

from connectors.local import Authority, LocalBackend, Owner, Vault
from connectors.local._oauth_records import OAuthApp
from connectors.local._sandbox import SandboxProvider, SandboxTransport
from tests.local.backends import APP, bearer
from tests.loops import REAL, on
from transports import FieldValue, Request, Response, Secret

pytestmark = on(REAL)

ORIGIN = "http://127.0.0.1:8045"
HERE = "http://localhost:8044"
TYPE = "linear"
STATUS = f"external-auth/status?integration_type={TYPE}"


@attrs.define
class World:
    vault: Vault
    authority: Authority
    backend: LocalBackend
    provider: SandboxProvider

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, FieldValue],
        body: object = None,
    ) -> tuple[int, dict[str, object]]:
        raw = None if body is None else json.dumps(body).encode()
        request = Request(method, f"{HERE}/api/apps/{APP}/{path}", headers, raw)
        response = await self.backend.handle(request)
        return response.status, json.loads(response.body)

    async def manage(
        self, method: str, path: str, body: object = None
    ) -> tuple[int, dict[str, object]]:
        return await self.ask(method, path, {"api_key": self.authority.api_key}, body)

    async def as_user(self, name: str, method: str, path: str) -> tuple[int, dict[str, object]]:
        token = bearer(self.authority.issue_user_token(name))
        return await self.ask(method, path, {"Authorization": token})

    async def token_of(self, name: str) -> tuple[int, dict[str, object]]:
        headers = {
            "Authorization": bearer(self.authority.service_token),
            "on-behalf-of": bearer(self.authority.issue_user_token(name)),
        }
        return await self.ask("GET", f"app-user-auth/connectors/{TYPE}/token", headers)

    async def service(self, path: str) -> tuple[int, dict[str, object]]:
        return await self.ask("GET", path, {"Authorization": bearer(self.authority.service_token)})

    async def begin(self, *scopes: str) -> tuple[Secret, str]:
        path = f"external-auth/integrations/{TYPE}"
        status, told = await self.manage("PUT", path, {"scopes": list(scopes)})
        assert status == 200
        assert told["already_authorized"] is False
        return Secret(str(told["redirect_url"])), str(told["connection_id"])

    async def come_back(self, address: Secret, method: str = "GET", **headers: str) -> Response:
        """The browser follows the redirect of the provider."""
        assert address.reveal().startswith(f"{HERE}/oauth/callback?")
        return await self.backend.handle(Request(method, address.reveal(), headers))


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    provider = SandboxProvider()
    async with Vault(tmp_path / "vault.db") as vault:
        await vault.apps.configure(
            OAuthApp(TYPE, provider.client(TYPE), connectors=("our-linear",))
        )
        authority = Authority.ephemeral()
        async with LocalBackend(
            vault,
            authority,
            transport=SandboxTransport(provider),
            catalog=provider.integrations(ORIGIN),
            redirect_uri=f"{HERE}/oauth/callback",
            allow_local_hosts=True,
        ) as backend:
            yield World(vault, authority, backend, provider)


async def test_a_consent_is_pending_until_it_is_given_and_then_there_is_a_token(
    here: World,
) -> None:
    url, connection_id = await here.begin("read", "write")
    assert urlsplit(url.reveal()).netloc == urlsplit(ORIGIN).netloc
    asked = f"{STATUS}&connection_id={connection_id}"
    assert await here.manage("GET", asked) == (200, {"status": "PENDING"})
    page = await here.come_back(here.provider.approve(url))
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert await here.manage("GET", asked) == (200, {"status": "ACTIVE"})
    status, told = await here.service(f"external-auth/tokens/{TYPE}")
    assert (status, told["integration_type"], told["connection_config"]) == (200, TYPE, None)
    # With the same scopes there is nothing to consent to; with others there is, for the same one.
    path = f"external-auth/integrations/{TYPE}"
    status, told = await here.manage("PUT", path, {"scopes": ["write", "read"]})
    assert (status, told["already_authorized"], told["redirect_url"]) == (200, True, None)
    _, again = await here.begin("read")
    assert again == connection_id


async def test_a_consent_that_is_denied_has_failed_and_nothing_is_stored(here: World) -> None:
    url, connection_id = await here.begin("read")
    page = await here.come_back(here.provider.deny(url))
    assert page.status == 400
    asked = f"{STATUS}&connection_id={connection_id}"
    assert await here.manage("GET", asked) == (200, {"status": "FAILED"})
    assert (await here.service(f"external-auth/tokens/{TYPE}"))[0] == 404


async def test_who_denies_a_new_consent_keeps_the_connection_that_there_was(here: World) -> None:
    url, _ = await here.begin("read")
    await here.come_back(here.provider.approve(url))
    _, before = await here.service(f"external-auth/tokens/{TYPE}")
    url, _ = await here.begin("write")
    await here.come_back(here.provider.deny(url))
    assert await here.service(f"external-auth/tokens/{TYPE}") == (200, before)


async def test_a_browser_that_looks_ahead_uses_nothing_up(here: World) -> None:
    url, _ = await here.begin("read")
    address = here.provider.approve(url)
    for headers in ({"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}):
        assert (await here.come_back(address, **headers)).status == 403
    assert (await here.come_back(address, "HEAD")).status == 405
    assert (await here.come_back(address)).status == 200
    # A reload says what has become of it.
    assert (await here.come_back(address)).status == 200


async def test_each_user_has_a_token_of_their_own(here: World) -> None:
    for user, account in (("ann", "ada"), ("ben", "ben")):
        status, told = await here.as_user(user, "POST", f"app-user-auth/connectors/{TYPE}/initiate")
        assert (status, told["already_authorized"]) == (200, False)
        url = Secret(str(told["redirect_url"]))
        await here.come_back(here.provider.approve(url, account))
    tokens = [(await here.token_of(user))[1]["access_token"] for user in ("ann", "ben")]
    assert len(set(tokens)) == 2
    assert (await here.token_of("cleo"))[0] == 404
    path = f"app-user-auth/connectors/{TYPE}"
    status, told = await here.as_user("ann", "POST", f"{path}/initiate")
    assert told["already_authorized"] is True
    assert await here.as_user("ann", "DELETE", path) == (200, {"status": "disconnected"})
    assert (await here.token_of("ann"))[0] == 404
    assert (await here.token_of("ben"))[1]["access_token"] == tokens[1]
    assert await here.as_user("ann", "DELETE", path) == (200, {"status": "disconnected"})


@pytest.mark.parametrize("earlier", ["none", "another user's", "the workspace's"])
async def test_the_type_of_a_connector_is_what_somebody_has_said_it_is(
    here: World, earlier: str
) -> None:
    name = "our-linear"
    if earlier != "none":
        user = None if earlier == "the workspace's" else "ben"
        owner = Owner.workspace(APP, name) if user is None else Owner.app_user(APP, name, user)
        status, told = await here.as_user(
            "ben", "POST", f"app-user-auth/connectors/{name}/initiate"
        )
        await here.come_back(here.provider.approve(Secret(str(told["redirect_url"]))))
        assert owner.name == name
        await here.vault.apps.configure(OAuthApp(TYPE, here.provider.client(TYPE)))
    status, told = await here.as_user("ann", "POST", f"app-user-auth/connectors/{name}/initiate")
    assert status == 200
    assert f"/{TYPE}/authorize" in str(told["redirect_url"])


async def test_without_an_address_to_come_back_to_no_consent_can_be_begun(
    tmp_path: Path,
) -> None:
    provider = SandboxProvider()
    async with Vault(tmp_path / "vault.db") as vault:
        await vault.apps.configure(OAuthApp(TYPE, provider.client(TYPE)))
        await vault.apps.configure(OAuthApp("gitlab", provider.client("gitlab")))
        await vault.apps.configure(OAuthApp("bamboohr", provider.client("bamboohr")))
        authority = Authority.ephemeral()
        async with LocalBackend(vault, authority, transport=SandboxTransport(provider)) as backend:
            here = World(vault, authority, backend, provider)
            path = f"external-auth/integrations/{TYPE}"
            status, told = await here.manage("PUT", path, {"scopes": []})
            assert (status, told["code"]) == (409, "CALLBACK_MISSING")
            assert "connectors dev" in str(told["detail"])


async def test_a_value_that_the_type_needs_and_nobody_gave_is_asked_for(here: World) -> None:
    await here.vault.apps.configure(OAuthApp("bamboohr", here.provider.client("bamboohr")))
    path = "external-auth/integrations/bamboohr"
    status, told = await here.manage("PUT", path, {"scopes": []})
    assert (status, told["code"]) == (422, "CONNECTION_CONFIG")
    assert "subdomain" in str(told["detail"])
    assert "connectors configure bamboohr" in str(told["detail"])


async def test_removing_tells_the_provider(here: World) -> None:
    url, _ = await here.begin("read")
    await here.come_back(here.provider.approve(url))
    removed = await here.manage("DELETE", f"external-auth/integrations/{TYPE}/remove")
    assert removed == (200, {"status": "removed", "integration_type": TYPE})
    await here.backend._services.keeper.revoke()
    assert here.provider.stats.revocations == 1
    assert (await here.manage("DELETE", f"external-auth/integrations/{TYPE}/remove"))[0] == 404

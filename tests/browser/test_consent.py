"""Connecting an account in a browser: the page that asks, and the one to come back to."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import attrs
import pytest

from connectors import Client
from connectors.local import Owner, Server, StoredConnection, Vault, serve
from connectors.local._callback import CallbackPage
from connectors.local._connecting import Consents
from connectors.local._oauth_records import OAuthApp
from connectors.local._redirects import CALLBACK_PATH
from connectors.local._sandbox import SandboxProvider, serve_sandbox
from tests.browser.chromium import Browser, Page
from tests.conformance.backend import local_backend
from tests.local.sandbox.players import Clock
from transports.aiohttp import AiohttpTransport

TYPE: Final = "gitlab"
OWNER: Final = Owner.app("my-app", TYPE)
ALLOW: Final = "Allow"
DENY: Final = "Deny"
LOADED: Final = "document.querySelectorAll('script, img, link, iframe, object, embed').length"


@attrs.frozen
class Desk:
    """A vault and a provider that a person can connect, and the address to come back to."""

    vault: Vault
    provider: SandboxProvider
    sandbox: Server
    clock: Clock
    consents: Consents
    home: str

    async def begin(self) -> str:
        """The address that a person is sent to."""
        begun = await self.consents.begin(OWNER, TYPE, scopes=["read_user"], redirect_uri=self.home)
        return begun.url.reveal()

    async def connection(self) -> StoredConnection | None:
        return await self.vault.get(OWNER)

    def is_home(self, url: str) -> bool:
        """Is this where a provider sends a person back to?"""
        return url.partition("?")[0] == self.home


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    # The provider's own clock goes on, so who is late is late here.
    clock, provider = Clock(), SandboxProvider()
    async with (
        Vault(tmp_path / "vault.db") as vault,
        aclosing(AiohttpTransport()) as transport,
        serve_sandbox(provider) as sandbox,
    ):
        await vault.apps.configure(OAuthApp(TYPE, provider.client(TYPE)))
        consents = Consents(
            vault,
            transport,
            catalog=provider.integrations(sandbox.url),
            redirect_uri=None,
            clock=clock,
            allow_local_hosts=True,
        )
        async with serve(CallbackPage(consents)) as server:
            # By its name, as it is registered, and not by the address on which it listens.
            home = f"http://localhost:{server.port}{CALLBACK_PATH}"
            yield Desk(vault, provider, sandbox, clock, consents, home)


async def test_a_person_connects_an_account(desk: Desk, page: Page) -> None:
    await page.open(await desk.begin())
    asked = await page.text()
    assert "to use your GitLab account?" in asked
    assert "read_user" in asked
    await page.press("Ben Example (ben@acme.example)")
    await page.click(ALLOW)
    assert desk.is_home(await page.url())
    assert "GitLab is connected" in await page.text()
    assert "You can close this page." in await page.text()
    connection = await desk.connection()
    assert connection is not None
    assert (connection.state, connection.scopes) == ("active", ("read_user",))


async def test_a_person_says_no(desk: Desk, page: Page) -> None:
    await page.open(await desk.begin())
    await page.click(DENY)
    assert desk.is_home(await page.url())
    assert "Not connected" in await page.text()
    assert await desk.connection() is None
    await page.reload()
    assert "Not connected" in await page.text()
    assert await desk.connection() is None


async def test_a_person_comes_back_late(desk: Desk, page: Page) -> None:
    await page.open(await desk.begin())
    desk.clock.now += 601
    await page.click(ALLOW)
    told = await page.text()
    assert "Not connected" in told
    assert "more than ten minutes ago: begin again" in told
    assert await desk.connection() is None


async def test_a_person_reloads_the_last_page(desk: Desk, page: Page) -> None:
    await page.open(await desk.begin())
    await page.click(ALLOW)
    connected = await desk.connection()
    stats = desk.provider.stats
    for _ in range(2):
        await page.reload()
        told = await page.text()
        assert "GitLab is connected" in told
        assert "completed before" in told
    assert await desk.connection() == connected
    assert desk.provider.stats == stats


async def test_a_person_goes_back_and_allows_again(desk: Desk, page: Page) -> None:
    await page.open(await desk.begin())
    await page.click(ALLOW)
    connected = await desk.connection()
    await page.back()
    await page.click(ALLOW)
    assert await desk.connection() == connected


async def test_a_person_who_has_connected_connects_again(desk: Desk, page: Page) -> None:
    for generation in (1, 2):
        await page.open(await desk.begin())
        await page.click(ALLOW)
        assert "GitLab is connected" in await page.text()
        connection = await desk.connection()
        assert connection is not None
        assert connection.generation == generation


async def test_somebody_opens_the_address_who_was_not_sent_there(desk: Desk, page: Page) -> None:
    for query in ("", "?code=c", "?code=c&state=s", "?error=access_denied&state=<script>"):
        await page.open(f"{desk.home}{query}")
        told = await page.text()
        assert "Not connected" in told
        assert "begin again" in told
    assert await desk.connection() is None


async def test_two_windows_at_once_are_two_consents(desk: Desk, browser: Browser) -> None:
    first, second = await browser.page(), await browser.page()
    await first.open(await desk.begin())
    await second.open(await desk.begin())
    await first.click(DENY)
    await second.click(ALLOW)
    assert "Not connected" in await first.text()
    assert "GitLab is connected" in await second.text()
    assert await desk.connection() is not None


async def test_no_page_loads_or_runs_anything(desk: Desk, page: Page) -> None:
    begin = await desk.begin()
    await page.open(begin)
    assert await page.evaluate(LOADED) == 0
    await page.click(ALLOW)
    assert await page.evaluate(LOADED) == 0
    places = [url.partition("?")[0] for url in page.requested]
    assert places == [begin.partition("?")[0], f"{desk.sandbox.url}/{TYPE}/authorize", desk.home]


async def test_no_page_learns_the_address_of_the_one_before(desk: Desk, page: Page) -> None:
    await page.open(await desk.begin())
    await page.click(ALLOW)
    # The address before has a state in it; of the provider it says its origin at most.
    assert await page.evaluate("document.referrer") in {"", f"{desk.sandbox.url}/"}


async def test_an_apps_user_is_sent_there_and_comes_back_to_the_server_of_the_command(
    page: Page, tmp_path: Path
) -> None:
    async with local_backend(tmp_path, sandbox=True) as dev:
        told = dev.settings
        async with Client(
            app_id=told.app_id,
            service_token=told.service_token,
            user_token=told.user_token,
            server_url=told.server_url,
        ) as base44:
            begun = await base44.connectors.connect_app_user(TYPE)
            await page.open(begun)
            await page.press("Cleo Example (cleo@globex.example)")
            await page.click(ALLOW)
            assert "GitLab is connected" in await page.text()
            connectors = base44.as_service_role.connectors
            assert (await connectors.get_current_app_user_connection(TYPE)).access_token

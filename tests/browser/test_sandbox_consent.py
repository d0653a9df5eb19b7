"""The sandbox's consent page in a browser: its policy lets a person answer, and nothing else."""

from collections.abc import AsyncIterator
from html import escape

import attrs
import pytest
from aiohttp import web

from connectors.local._sandbox import SandboxProvider, serve_sandbox
from tests.browser.chromium import Page
from tests.local.sandbox.players import STATE, player, query_of


@attrs.define
class Client:
    """Where the browser comes back to, and where it is sent from."""

    provider: SandboxProvider
    redirect_uri: str = ""
    authorization_url: str = ""
    came: list[str] = attrs.field(factory=list)

    async def start(self, _: web.Request) -> web.Response:
        link = f'<a href="{escape(self.authorization_url)}">Connect</a>'
        return web.Response(text=link, content_type="text/html")

    async def callback(self, request: web.Request) -> web.Response:
        self.came.append(str(request.url))
        return web.Response(text="<p>Back in the application.</p>", content_type="text/html")


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client(SandboxProvider())
    app = web.Application()
    app.router.add_get("/callback", client.callback)
    app.router.add_get("/", client.start)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client.redirect_uri = f"http://localhost:{runner.addresses[0][1]}/callback"
    async with serve_sandbox(client.provider) as server:
        gmail = player("gmail", client.provider)
        gmail.integration = client.provider.integrations(server.url)["gmail"]
        client.authorization_url = gmail.authorization_url(redirect_uri=client.redirect_uri)
        yield client
    await runner.cleanup()


async def test_a_person_allows_it(page: Page, client: Client) -> None:
    await page.open(client.authorization_url)
    assert "to use your Gmail account?" in await page.text()
    await page.press("Ben Example (ben@acme.example)")
    await page.click("Allow")
    assert await page.text() == "Back in the application."
    told = query_of(client.came[0])
    assert told["state"] == STATE
    assert told["code"].startswith("sandbox-code-")
    assert client.provider.stats.consents == 1


async def test_an_application_leads_a_person_here(page: Page, client: Client) -> None:
    await page.open(client.redirect_uri.removesuffix("callback"))
    await page.click("Connect")
    await page.click("Allow")
    assert await page.text() == "Back in the application."


async def test_a_person_denies_it(page: Page, client: Client) -> None:
    await page.open(client.authorization_url)
    await page.click("Deny")
    assert query_of(client.came[0])["error"] == "access_denied"


async def test_a_person_goes_back_and_answers_again(page: Page, client: Client) -> None:
    await page.open(client.authorization_url)
    await page.click("Deny")
    await page.back()
    await page.click("Allow")
    # The page that was kept is used up, and one that was loaded again is not.
    again = await page.text()
    assert again == "Back in the application." or "answered before" in again
    assert client.provider.stats.consents <= 1


async def test_the_page_asks_for_nothing_and_has_its_style(page: Page, client: Client) -> None:
    await page.open(client.authorization_url)
    assert page.requested == [client.authorization_url]
    width = await page.evaluate("getComputedStyle(document.body).maxWidth")
    assert width == "544px"
    refused = "document.body.appendChild(document.createElement('script')).text = 'window.ran = 1'"
    await page.evaluate(refused)
    assert await page.evaluate("window.ran") is None

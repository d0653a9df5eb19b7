"""The browser of these tests does what a person does, shows what they see, and stays at home."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import anyio
import pytest
from aiohttp import web

from tests.browser.chromium import Browser, Page

PIXEL: Final = "http://elsewhere.example/pixel.png"

FORM: Final = """
<!doctype html><title>Consent</title>
<h1>May it?</h1>
<form method="post" action="/answer">
  <label>Name <input name="name"></label>
  <button name="answer" value="yes" disabled>Allow</button>
  <button name="answer" value="no" hidden>Deny</button>
  <button name="answer" value="yes">Allow</button>
  <button name="answer" value="no">Deny</button>
</form>
<button type="button" onclick="document.querySelector('h1').innerText = 'Later'">Wait</button>
<a href="/moved">Elsewhere</a>
"""


class Site:
    """A few pages, and how often each was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: list[dict[str, object]] = []
        self.url = ""

    async def show(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        match request.path:
            case "/":
                return page(FORM)
            case "/answer":
                self.answers.append(dict(await request.post()))
                raise web.HTTPSeeOther("/thanks?from=form")
            case "/moved":
                raise web.HTTPFound(f"{self.url}/thanks")
            case "/thanks":
                # Counted by its path: a browser also asks for an icon, when it likes.
                times = self.asked.count(request.path)
                return page(f"<p>Thanks, {times}.</p><img src='{PIXEL}'>")
            case _:
                raise web.HTTPNotFound


def page(html: str) -> web.Response:
    return web.Response(text=html, content_type="text/html")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.show)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    site.url = f"http://{host}:{port}"
    yield site
    await runner.cleanup()


async def test_it_reads_a_page_and_fills_in_a_form(page: Page, site: Site) -> None:
    await page.open(f"{site.url}/")
    assert (await page.text()).startswith("May it?")
    await page.type("Name", "Ada ü")
    await page.click("Deny")
    assert site.answers == [{"name": "Ada ü", "answer": "no"}]


async def test_it_follows_redirects(page: Page, site: Site) -> None:
    await page.open(f"{site.url}/")
    await page.click("Elsewhere")
    assert await page.url() == f"{site.url}/thanks"
    await page.open(f"{site.url}/")
    await page.click("Allow")
    assert await page.url() == f"{site.url}/thanks?from=form"


async def test_it_reloads_and_goes_back(page: Page, site: Site) -> None:
    await page.open(f"{site.url}/thanks")
    await page.reload()
    assert "Thanks, 2." in await page.text()
    await page.open(f"{site.url}/")
    await page.back()
    assert await page.url() == f"{site.url}/thanks"


async def test_it_sees_what_a_script_changes(page: Page, site: Site) -> None:
    await page.open(f"{site.url}/")
    await page.press("Wait")
    await page.expect("Later")


async def test_it_keeps_every_address_and_reaches_none_elsewhere(page: Page, site: Site) -> None:
    await page.open(f"{site.url}/moved")
    assert page.requested == [f"{site.url}/moved", f"{site.url}/thanks", PIXEL]
    with pytest.raises(AssertionError, match="ERR_NAME_NOT_RESOLVED"):
        await page.open(PIXEL)


async def test_a_page_that_nobody_serves_is_a_failure(page: Page) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
    with pytest.raises(AssertionError, match="ERR_CONNECTION_REFUSED"):
        await page.open(f"http://{host}:{port}/")


async def test_two_pages_share_no_cookie(browser: Browser, site: Site) -> None:
    first, second = await browser.page(), await browser.page()
    await first.open(site.url)
    await first.evaluate("document.cookie = 'a=1'")
    await second.open(site.url)
    assert await second.evaluate("document.cookie") == ""


async def test_it_makes_a_picture(page: Page, site: Site, tmp_path: Path) -> None:
    await page.open(site.url)
    await page.screenshot(tmp_path / "page.png")
    picture = await anyio.Path(tmp_path / "page.png").read_bytes()
    assert picture.startswith(b"\x89PNG")

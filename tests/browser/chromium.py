"""A headless Chromium, driven as a person drives it: look, click, type, reload, go back.

It is told what to do through the DevTools protocol, so nothing is needed but the browser. It has a
profile of its own and resolves no name but this machine's, and every address that a page asks for
is kept: what it loads from elsewhere is seen.
"""

import base64
import itertools
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

CHROMIUM: Final = "BASE44_BROWSER"
"""The environment variable that says which browser to run."""

_PATIENCE: Final = 30.0
_POLL: Final = 0.02
_LONGEST_LINE: Final = 64 * 1024
_LISTENING: Final = b"DevTools listening on "

# What it does by itself would otherwise go to the network, or wait for somebody.
_FLAGS: Final = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--password-store=basic",
    "--use-mock-keychain",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)

# Run in the page: the middle of the first visible thing that is marked so and can be used.
_FIND: Final = """
(() => {
  const wanted = %s;
  const things = document.querySelectorAll("a, button, input, label, select, summary, textarea");
  for (const thing of things) {
    const labels = [...(thing.labels ?? [])].map((label) => label.innerText);
    const marks = [thing.innerText, thing.value, thing.placeholder, thing.ariaLabel, ...labels];
    if (!marks.some((mark) => mark?.trim() === wanted)) continue;
    if (thing.disabled || !thing.checkVisibility()) continue;
    thing.scrollIntoView({ block: "center" });
    const { x, y, width, height } = thing.getBoundingClientRect();
    return { x: x + width / 2, y: y + height / 2 };
  }
  return null;
})()
"""

Message = dict[str, Any]


class Browser:
    """A browser that runs. One task at a time speaks to one of its pages."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, Message] = {}
        self._pages: dict[str, Page] = {}
        self._news = anyio.Event()

    async def page(self) -> "Page":
        """Open a tab that shares nothing with the others, as a private window does."""
        context = await self.call("Target.createBrowserContext")
        target = await self.call(
            "Target.createTarget",
            url="about:blank",
            browserContextId=context["browserContextId"],
        )
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        page = Page(self, attached["sessionId"])
        self._pages[attached["sessionId"]] = page
        for domain in ("Page", "Network", "Runtime"):
            await page.call(f"{domain}.enable")
        return page

    async def call(self, method: str, session: str | None = None, **parameters: object) -> Message:
        """Have it execute a method of the protocol, and return what comes of it."""
        number = next(self._numbers)
        message: Message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        await self._socket.send_json(message)
        await self.until(lambda: number in self._answers, f"{method} has no answer")
        answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: Message = answer["result"]
        return result

    async def until(self, holds: Callable[[], bool], complaint: str) -> None:
        """Wait for something that only a message from the browser can bring about."""
        with anyio.move_on_after(_PATIENCE):
            while not holds():
                await self._news.wait()
            return
        raise AssertionError(f"{complaint} after {_PATIENCE:.0f} s")

    async def listen(self) -> None:
        """Take what it says, as long as it says something."""
        async for message in self._socket:
            told: Message = json.loads(message.data)
            if "id" in told:
                self._answers[told["id"]] = told
            elif told.get("sessionId") in self._pages:
                self._pages[told["sessionId"]].happened(told["method"], told["params"])
            self._news.set()
            self._news = anyio.Event()


class Page:
    """What a person has in front of them."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self._loads = 0
        self.requested: list[str] = []
        """Every address that this page has asked for, redirects and pictures among them."""

    async def open(self, url: str) -> None:
        """Type an address, and wait until the page is there.

        Raises:
            AssertionError: Nothing answers there.
        """
        async with self._loading():
            went = await self.call("Page.navigate", url=url)
            assert not went.get("errorText"), f"{url}: {went['errorText']}"

    async def click(self, mark: str) -> None:
        """Click what bears this text, and wait until the page is there that it leads to."""
        async with self._loading():
            await self.press(mark)

    async def press(self, mark: str) -> None:
        """Click what bears this text and leads nowhere."""
        at = await self._find(mark)
        for kind in ("mousePressed", "mouseReleased"):
            await self.call(
                "Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at
            )

    async def type(self, mark: str, text: str) -> None:
        """Click into the field with this label, and type."""
        await self.press(mark)
        await self.call("Input.insertText", text=text)

    async def reload(self) -> None:
        """Load the same again; what a form has sent is sent again."""
        async with self._loading():
            await self.call("Page.reload")

    async def back(self) -> None:
        """Go back to the page before this one."""
        history = await self.call("Page.getNavigationHistory")
        before = history["entries"][history["currentIndex"] - 1]
        async with self._loading():
            await self.call("Page.navigateToHistoryEntry", entryId=before["id"])

    async def text(self) -> str:
        """What can be read on it."""
        return str(await self.evaluate("document.body.innerText"))

    async def expect(self, text: str) -> None:
        """Wait until something can be read on it."""
        with anyio.move_on_after(_PATIENCE):
            while text not in await self.text():  # noqa: ASYNC110 - the page tells nobody.
                await anyio.sleep(_POLL)
            return
        raise AssertionError(f"{text!r} is not in {await self.text()!r}")

    async def url(self) -> str:
        """What the address bar shows."""
        return str(await self.evaluate("location.href"))

    async def evaluate(self, script: str) -> object:
        """The value of an expression of JavaScript in the page."""
        done = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, f"{script}: {done['exceptionDetails']}"
        value: object = done["result"].get("value")
        return value

    async def screenshot(self, file: Path) -> None:
        """Write what it looks like to a file, as PNG."""
        picture = await self.call("Page.captureScreenshot")
        await anyio.Path(file).write_bytes(base64.b64decode(picture["data"]))

    async def call(self, method: str, **parameters: object) -> Message:
        """Have the browser execute a method of the protocol on this page."""
        return await self._browser.call(method, self._session, **parameters)

    def happened(self, event: str, facts: Message) -> None:
        """Take note of something that has happened to it."""
        match event:
            case "Network.requestWillBeSent" if not _is_icon(facts["request"]["url"]):
                self.requested.append(facts["request"]["url"])
            case "Page.loadEventFired":
                self._loads += 1
            case "Page.frameNavigated" if facts["type"] == "BackForwardCacheRestore":
                # Kept as it was when it was left, so nothing of it is loaded.
                self._loads += 1

    async def _find(self, mark: str) -> Message:
        with anyio.move_on_after(_PATIENCE):
            while True:
                at = await self.evaluate(_FIND % json.dumps(mark))
                if isinstance(at, dict):
                    return at
                await anyio.sleep(_POLL)
        raise AssertionError(f"nothing to click bears {mark!r} in {await self.text()!r}")

    @asynccontextmanager
    async def _loading(self) -> AsyncIterator[None]:
        before = self._loads
        yield
        await self._browser.until(lambda: self._loads > before, "the page has not been loaded")


def _is_icon(url: str) -> bool:
    # What the browser looks for by itself, and not each time.
    return urlsplit(url).path == "/favicon.ico"


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Browser]:
    """Start a browser; it has ended when this is left."""
    command = [os.environ[CHROMIUM], *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    if os.geteuid() == 0:
        # Its sandbox refuses to be set up by root; what it shows here is our own.
        command.insert(1, "--no-sandbox")
    async with (
        await anyio.open_process(command, stdout=subprocess.DEVNULL) as process,
        aiohttp.ClientSession() as http,
        anyio.create_task_group() as tasks,
    ):
        try:
            assert process.stderr is not None
            lines = BufferedByteReceiveStream(process.stderr)
            with anyio.fail_after(_PATIENCE):
                address = await _address(lines)
            tasks.start_soon(_drain, lines)
            async with http.ws_connect(address, max_msg_size=0) as socket:
                browser = Browser(socket)
                tasks.start_soon(browser.listen)
                yield browser
                await browser.call("Browser.close")
        finally:
            tasks.cancel_scope.cancel()
            process.terminate()


async def _address(lines: BufferedByteReceiveStream) -> str:
    line = b""
    while not line.startswith(_LISTENING):
        line = await lines.receive_until(b"\n", _LONGEST_LINE)
    return line.removeprefix(_LISTENING).decode().strip()


async def _drain(lines: BufferedByteReceiveStream) -> None:
    # It complains of buses and screens that a server does not have; unread it would have to wait.
    async for _ in lines:
        pass

"""The pages of the local backend in a real browser, as a person sees and uses them.

`nox -s browser` runs these tests where there is a Chromium, and says which one in the environment
variable `BASE44_BROWSER`; without that they are not collected. The browser has no network beyond
this machine. When a test fails, what was on the page is said, and there is a picture of it.
"""

import os
from collections.abc import AsyncIterator, Generator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.browser.chromium import CHROMIUM, Browser, Page, chromium

collect_ignore_glob = [] if CHROMIUM in os.environ else ["test_*.py"]

_FAILED = pytest.StashKey[bool]()


def pytest_report_header() -> str | None:
    if CHROMIUM in os.environ:
        return None
    return f"browser: not run without {CHROMIUM}; `nox -s browser` sets it"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
async def page(
    browser: Browser, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Page]:
    page = await browser.page()
    yield page
    if request.node.stash.get(_FAILED, False):
        # A page of the browser's own, in the place of one that it can't show, may have no look.
        with suppress(AssertionError):
            picture = tmp_path / "page.png"
            print(f"{await page.url()} said:\n{await page.text()}")  # noqa: T201 - pytest shows it.
            await page.screenshot(picture)
            print(f"It looked like {picture}")  # noqa: T201 - the same.

"""The page to which a provider sends a person back."""

import html
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import attrs
import pytest

from connectors.local._redirects import CALLBACK_PATH
from tests.local.consents import TYPE, world
from tests.local.vaults import database
from tests.loops import REAL, on
from transports import Request, Response, Secret
from transports.mock import MockTransport, json_response

pytestmark = on(REAL)


def text_of(page: Response) -> str:
    """What a person reads, after a look at what every page must have."""
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    text = page.body.decode()
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    allowed = b64encode(sha256(style[1].encode()).digest()).decode()
    assert page.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{allowed}'; form-action 'none'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    assert not re.search(
        r"<(script|img|link|iframe|form|a)\b|<[^>]*\b(src|href|on\w+)=|url\(", text
    )
    return html.unescape(re.sub(r"<[^>]*>", "\n", text.replace(style[0], "")))


async def test_it_says_what_was_connected_and_that_it_lasts(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        page = await it.visit(it.allow(await it.begin()))
        assert page.status == 200
        told = text_of(page)
        assert "GitLab is connected" in told
        assert "is renewed by itself" in told
        assert await it.row() is not None


async def test_it_says_that_a_token_will_end(tmp_path: Path) -> None:
    answer = json_response({"access_token": "t", "expires_in": 3600})
    async with world(tmp_path) as it:
        await it.configure()
        query = it.allow(await it.begin())
        it.consents = it.over(MockTransport(lambda _: answer))
        page = await it.visit(query)
        assert page.status == 200
        assert "has to be connected again when it ends" in text_of(page)


async def test_a_reload_says_that_it_was_completed_and_does_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        query = it.allow(await it.begin())
        await it.visit(query)
        before = await it.row()
        page = await it.visit(query)
        assert page.status == 200
        told = text_of(page)
        assert "GitLab is connected" in told
        assert "completed before, and is not done again" in told
        assert await it.row() == before


async def test_a_reload_in_a_release_without_the_type_still_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        query = it.allow(await it.begin())
        await it.visit(query)
        del it.catalog[TYPE]
        assert "gitlab is connected" in text_of(await it.visit(query))


async def test_a_reload_after_a_failure_says_again_what_it_was(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        query = it.deny(await it.begin())
        pages = [await it.visit(query) for _ in range(2)]
        assert [page.status for page in pages] == [400, 400]
        assert pages[0].body == pages[1].body
        told = text_of(pages[0])
        assert "Not connected" in told
        assert "the consent was not given (access_denied" in told


async def test_who_comes_too_late_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        query = it.allow(await it.begin())
        it.clock.now += 600
        page = await it.visit(query)
        assert page.status == 400
        assert "more than ten minutes ago" in text_of(page)
        assert await it.row() is None


async def test_what_a_provider_says_is_shown_as_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>&amp;\"'<img src=x onerror=y>"
    async with world(tmp_path) as it:
        await it.configure()
        query = it.allow(await it.begin(), error="denied_by", error_description=hostile)
        page = await it.visit(query)
        assert hostile in text_of(page)
        assert b"<script>" not in page.body


async def test_the_name_of_a_type_is_shown_as_text(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        hostile = "<b>&\ud800"
        it.catalog[TYPE] = attrs.evolve(it.catalog[TYPE], display_name=hostile)
        await it.configure()
        page = await it.visit(it.allow(await it.begin()))
        assert "<b>&? is connected" in text_of(page)


async def test_what_the_address_brings_is_not_on_the_page(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        for query in (it.allow(await it.begin()), it.deny(await it.begin())):
            page = await it.visit(query)
            values = [pair.partition("=")[2] for pair in query.reveal().split("&")]
            secrets = [value for value in values if len(value) > 20 and "%" not in value]
            assert secrets
            assert not [value for value in secrets if value.encode() in page.body]


@pytest.mark.parametrize("query", ["", "state=%00", "&&&", "state=%FF", "code=1&code=2"])
async def test_whatever_comes_a_page_goes_out(tmp_path: Path, query: str) -> None:
    async with world(tmp_path) as it:
        page = await it.visit(Secret(query))
        assert page.status == 400
        assert "Not connected" in text_of(page)


async def test_there_is_nothing_elsewhere(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        query = it.allow(await it.begin())
        for path in ("/", "", "/oauth", CALLBACK_PATH + "/", "/x" + CALLBACK_PATH):
            page = await it.visit(query, path=path)
            assert page.status == 404
            assert "There is nothing here" in text_of(page)
        await it.consents.complete(query)


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS"])
async def test_it_is_only_opened(tmp_path: Path, method: str) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        query = it.allow(await it.begin())
        page = await it.visit(query, method=method)
        assert (page.status, page.headers["allow"]) == (405, "GET")
        await it.consents.complete(query)


async def test_whoever_serves_it_a_browser_that_looks_ahead_uses_up_nothing(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        page = await it.visit(it.allow(begun), headers={"Sec-Purpose": "prefetch;prerender"})
        assert page.status == 403
        assert "not to be fetched ahead" in text_of(page)
        assert (await it.status(begun)).outcome == "pending"


async def test_a_vault_that_fails_is_told_without_what_is_wrong_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        query = it.allow(await it.begin())
        with database(it.vault.path) as other:
            other.execute("UPDATE consents SET verifier_ct = 'x'")
        page = await it.visit(query)
        assert page.status == 500
        told = text_of(page)
        assert "Look at the terminal" in told
        assert str(tmp_path) not in told
        assert "connectors.local.vault_failed" in caplog.text


async def test_a_bug_goes_to_whoever_serves_the_page(tmp_path: Path) -> None:
    def broken(_: Request) -> Response:
        raise ZeroDivisionError

    async with world(tmp_path) as it:
        await it.configure()
        query = it.allow(await it.begin())
        it.consents = it.over(MockTransport(broken))
        with pytest.raises(ZeroDivisionError):
            await it.visit(query)

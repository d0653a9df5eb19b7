"""The consent page says who asks for what, runs nothing, and takes one answer."""

import base64
import hashlib
import re
from collections.abc import Mapping
from html import escape, unescape
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from connectors.catalog import integrations
from connectors.local._sandbox import SandboxProvider
from connectors.local._sandbox._page import problem_page
from connectors.local._sandbox._problems import OAuthProblem
from tests.local.sandbox.players import NOW, ORIGIN, REDIRECT, STATE, Player, player, query_of
from transports import Request, Response, Secret

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{scope}"


class Page(HTMLParser):
    """The tags of a page with their attributes, and what it says."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.style = ""
        self.within = ""
        self.feed(response.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.within = tag

    def handle_endtag(self, tag: str) -> None:
        del tag
        self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within == "style":
            self.style += data
        self.text += data

    def values(self, name: str) -> list[str | None]:
        return [attrs.get("value") for _, attrs in self.tags if attrs.get("name") == name]


async def opened(client: Player, **changes: str | None) -> Response:
    return await client.provider.handle(Request("GET", client.authorization_url(**changes)))


async def answered(client: Player, page: Response, **fields: str) -> Response:
    ticket = Page(page).values("ticket")[0]
    form = {"ticket": ticket, "account": "cleo", "decision": "allow", **fields}
    return await posted(client, form)


async def posted(client: Player, form: Mapping[str, str | None]) -> Response:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode({name: value for name, value in form.items() if value is not None})
    url = f"{ORIGIN}/{client.name}/authorize"
    return await client.provider.handle(Request("POST", url, headers, body.encode()))


async def test_it_says_who_asks_for_what() -> None:
    client = player("gmail")
    response = await opened(client)
    page = Page(response)
    assert response.status == 200
    assert "Allow sandbox-gmail to use your Gmail account?" in page.text
    for scope in client.integration.scopes.examples:
        assert scope in page.text
    assert REDIRECT in page.text
    assert "sandbox of base44-connectors" in page.text
    assert page.values("account") == ["ada", "ben", "cleo"]
    assert page.values("decision") == ["allow", "deny"]


async def test_a_type_without_scopes_says_so() -> None:
    assert "asks for no scopes" in Page(await opened(player("notion"))).text


async def test_it_loads_and_runs_nothing() -> None:
    response = await opened(player("gmail"))
    page = Page(response)
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert response.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self' "
        "http://localhost:8044; frame-ancestors 'none'; base-uri 'none'"
    )
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "same-origin"
    assert response.headers["x-content-type-options"] == "nosniff"
    used = {tag for tag, _ in page.tags}
    assert used.isdisjoint({"script", "img", "link", "iframe", "object", "base"})
    loading = {name for _, attrs in page.tags for name in attrs if name in {"src", "href"}}
    assert not loading
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]


@pytest.mark.parametrize("parameter", ["scope", "state", "redirect_uri"])
async def test_hostile_values_are_escaped(parameter: str) -> None:
    client = player("gmail")
    value = f"{REDIRECT}/?'&lt;=" if parameter == "redirect_uri" else HOSTILE
    response = await opened(client, **{parameter: value})
    assert response.status == 200
    assert b"<script>" not in response.body
    assert b"<img" not in response.body
    assert (escape(value) in response.body.decode()) == (parameter == "redirect_uri")
    assert unescape(response.body.decode()).count(STATE) == 0


async def test_an_answer_leads_back_with_a_code() -> None:
    client = player("quickbooks")
    response = await answered(client, await opened(client))
    assert response.status == 303
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["location"].startswith(f"{REDIRECT}?")
    told = query_of(response.headers["location"])
    assert set(told) == {"code", "state", "iss", "realmId"}
    assert told["state"] == STATE
    client.values |= {"code": told["code"]}
    await client.take()
    assert b'"cleo"' in (await client.api(f"{ORIGIN}/quickbooks/api/me")).body


async def test_the_address_keeps_its_own_query() -> None:
    client = player("gmail")
    response = await answered(client, await opened(client, redirect_uri=f"{REDIRECT}?own=1"))
    assert response.headers["location"].startswith(f"{REDIRECT}?own=1&code=sandbox-code-")


async def test_a_denial_leads_back_without_one() -> None:
    client = player("gmail")
    response = await answered(client, await opened(client), decision="deny", account="")
    told = query_of(response.headers["location"])
    assert told.pop("error_description")
    assert told == {"error": "access_denied", "state": STATE, "iss": f"{ORIGIN}/gmail"}
    assert client.provider.stats.denials == 1
    assert client.provider.stats.consents == 0


async def test_a_page_takes_one_answer() -> None:
    client = player("gmail")
    page = await opened(client)
    assert (await answered(client, page)).status == 303
    again = await answered(client, page)
    assert again.status == 400
    assert "answered before" in Page(again).text
    assert client.provider.stats.consents == 1


async def test_a_page_is_too_old_after_ten_minutes() -> None:
    client = player("gmail")
    page, other = await opened(client), await opened(client)
    client.clock.now = NOW + 599
    assert (await answered(client, page)).status == 303
    client.clock.now = NOW + 600
    assert (await answered(client, other)).status == 400


@pytest.mark.parametrize(
    "form",
    [
        {"ticket": None},
        {"ticket": "sandbox-ticket-guessed"},
        {"decision": None},
        {"decision": "perhaps"},
        {"account": None},
        {"account": "mallory"},
    ],
)
async def test_an_answer_that_is_none_is_refused(form: dict[str, str | None]) -> None:
    client = player("gmail")
    ticket = Page(await opened(client)).values("ticket")[0]
    good = {"ticket": ticket, "decision": "allow", "account": "ada"}
    response = await posted(client, {**good, **form})
    assert response.status == 400
    assert "location" not in response.headers
    assert client.provider.stats.consents == 0


async def test_an_answer_that_cant_be_read_is_refused() -> None:
    provider = SandboxProvider()
    request = Request("POST", f"{ORIGIN}/gmail/authorize", (), b"ticket=%FF")
    response = await provider.handle(request)
    assert response.status == 400
    assert response.headers["content-type"] == "text/html; charset=utf-8"


async def test_the_policy_of_an_ipv6_address_names_its_scheme() -> None:
    response = await opened(player("gmail"), redirect_uri="http://[::1]:8044/callback")
    assert "form-action 'self' http:;" in response.headers["content-security-policy"]


async def test_a_problem_page_lets_nothing_be_sent() -> None:
    response = await opened(player("gmail"), client_id="another")
    assert response.status == 400
    assert "form-action 'none'" in response.headers["content-security-policy"]
    assert re.search("client id is missing or unknown", Page(response).text)


def test_a_problem_is_escaped_too() -> None:
    page = problem_page(OAuthProblem("code", "<b>'&")).body.decode()
    assert "&lt;b&gt;&#x27;&amp;" in page


def test_consent_needs_no_browser() -> None:
    client = player("gmail")
    url = Secret(client.authorization_url())
    assert query_of(client.provider.approve(url).reveal())["code"].startswith("sandbox-code-")
    assert query_of(client.provider.deny(url).reveal())["error"] == "access_denied"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://example.com/gmail/authorize", "does not lead to the sandbox"),
        (f"{ORIGIN}/unheard-of/authorize", "does not lead to the sandbox"),
        ("no address at all", "does not lead to the sandbox"),
        (f"{ORIGIN}/gmail/token/0", "does not lead to a consent page"),
        (f"{ORIGIN}/gmail/authorize", "client id is missing"),
    ],
)
def test_consent_to_what_is_no_authorization_url_is_an_error(url: str, problem: str) -> None:
    provider = SandboxProvider(integrations=integrations())
    with pytest.raises(ValueError, match=problem):
        provider.approve(Secret(url))
    with pytest.raises(ValueError, match=problem):
        provider.deny(Secret(url))


def test_consent_of_nobody_is_an_error() -> None:
    client = player("gmail")
    with pytest.raises(ValueError, match="no account 'eve'; it has 'ada', 'ben', 'cleo'"):
        client.provider.approve(Secret(client.authorization_url()), "eve")

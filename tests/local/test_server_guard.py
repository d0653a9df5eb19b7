"""No web page gets an answer: not under a name of its own, and not from another origin."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.local import Server, is_loopback, serve
from connectors.local._answers import Refusal
from connectors.local._guard import Guard
from tests.local.backends import APP, NO_BODY_SECRET, TOKENS, Local, local_backend
from tests.local.wires import exchange, head
from tests.loops import REAL_ASYNCIO, on
from transports import Headers

SLACK = f"/api/apps/{APP}/external-auth/tokens/slack"


def verdict(guard: Guard, *fields: tuple[str, str], method: str = "GET") -> int | str:
    try:
        return guard.check(method, Headers(fields))
    except Refusal as refusal:
        return refusal.response.status


@pytest.mark.parametrize(
    "host", ["localhost:8400", "LocalHost:8400", "127.0.0.1:8400", "[::1]:8400"]
)
def test_it_answers_under_the_names_of_the_loopback(host: str) -> None:
    assert verdict(Guard(["127.0.0.1"], 8400), ("Host", host)) == host


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8400",
        "localhost.evil.example:8400",
        "127.0.0.1.evil.example:8400",
        "localhost.:8400",
        "localhost",
        "localhost:80",
        "localhost:84000",
        "127.0.0.1:08400",
        "127.1:8400",
        "2130706433:8400",
        "0.0.0.0:8400",
        "::1:8400",
        "user@localhost:8400",
        "localhost:8400, evil.example",
        "",
    ],
)
def test_it_answers_under_no_other_name(host: str) -> None:
    assert verdict(Guard(["127.0.0.1"], 8400), ("Host", host)) == 421


def test_it_answers_under_the_names_that_it_was_given() -> None:
    guard = Guard(["192.0.2.7", "Connectors", "proxy.example:443", "fe80::1", "[fe80::2]"], 8400)
    for host in (
        "192.0.2.7:8400",
        "connectors:8400",
        "proxy.example:443",
        "[fe80::1]:8400",
        "[fe80::2]:8400",
        "localhost:8400",
    ):
        assert verdict(guard, ("Host", host)) == host
    for host in ("192.0.2.8:8400", "connectors", "proxy.example:8400", "proxy.example"):
        assert verdict(guard, ("Host", host)) == 421


def test_on_the_port_of_http_the_port_may_be_left_out() -> None:
    guard = Guard(["connectors"], 80)
    for host in ("localhost", "localhost:80", "connectors", "connectors:80", "[::1]"):
        assert verdict(guard, ("Host", host)) == host


def test_a_host_comes_once() -> None:
    guard = Guard([], 8400)
    assert verdict(guard) == 400
    assert verdict(guard, ("Host", "localhost:8400"), ("host", "localhost:8400")) == 400


HOST = ("Host", "localhost:8400")


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("Origin", "http://localhost:8400")],
        [("Sec-Fetch-Site", "same-origin")],
        [("Sec-Fetch-Site", "none")],
        [("Origin", "http://localhost:8400"), ("Sec-Fetch-Site", "same-origin")],
        [("Referer", "https://docs.example/")],
    ],
)
def test_programs_and_its_own_pages_may_ask(fields: list[tuple[str, str]]) -> None:
    assert verdict(Guard([], 8400), HOST, *fields) == "localhost:8400"


@pytest.mark.parametrize(
    "fields",
    [
        [("Origin", "https://evil.example")],
        [("Origin", "null")],
        [("Origin", "")],
        [("Origin", "http://localhost")],
        [("Origin", "http://localhost:3000")],
        [("Origin", "https://localhost:8400")],
        [("Origin", "http://127.0.0.1:8400")],
        [("Origin", "http://localhost:8400"), ("Origin", "https://evil.example")],
        [("Origin", "http://localhost:8400"), ("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site")],
        [("Sec-Fetch-Site", "anything")],
        [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")],
    ],
)
def test_no_page_of_another_origin_may_ask(fields: list[tuple[str, str]]) -> None:
    assert verdict(Guard([], 8400), HOST, *fields) == 403


FROM_ELSEWHERE = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_origin_may_lead_a_person_here(site: str) -> None:
    fields = {**FROM_ELSEWHERE, "Sec-Fetch-Site": site}
    assert verdict(Guard([], 8400), HOST, *fields.items()) == "localhost:8400"


@pytest.mark.parametrize(
    "changed",
    [
        {"Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Mode": ""},
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Dest": "document, iframe"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_it_may_not_embed_or_read_what_is_here(changed: dict[str, str]) -> None:
    fields = {**FROM_ELSEWHERE, **changed}
    assert verdict(Guard([], 8400), HOST, *fields.items()) == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "get"])
def test_it_may_not_have_a_person_send_anything_here(method: str) -> None:
    assert verdict(Guard([], 8400), HOST, *FROM_ELSEWHERE.items(), method=method) == 403


@pytest.mark.parametrize("name", ["Sec-Fetch-Mode", "Sec-Fetch-Dest"])
def test_it_may_lead_a_person_here_only_if_the_browser_says_so_once(name: str) -> None:
    guard = Guard([], 8400)
    twice = (*FROM_ELSEWHERE.items(), (name, FROM_ELSEWHERE[name]))
    without = [(other, said) for other, said in FROM_ELSEWHERE.items() if other != name]
    assert verdict(guard, HOST, *twice) == verdict(guard, HOST, *without) == 403


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.7", False),
        ("connectors", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_is_loopback(host: str, expected: object) -> None:
    assert is_loopback(host) is expected


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_backend(tmp_path) as local:
        yield local


@pytest.fixture
async def server(local: Local) -> AsyncIterator[Server]:
    async with serve(local.backend) as server:
        yield server


def with_token(local: Local, *fields: str) -> bytes:
    token = f"Authorization: Bearer {local.authority.service_token.reveal()}"
    return head(f"GET {SLACK} HTTP/1.1", token, *fields)


@on(REAL_ASYNCIO)
async def test_the_token_is_there_for_a_program(local: Local, server: Server) -> None:
    [answer] = await exchange(server, with_token(local, f"Host: 127.0.0.1:{server.port}"))
    assert answer.status == 200
    assert TOKENS["slack"].encode() in answer.body


@on(REAL_ASYNCIO)
async def test_dns_rebinding_gets_nothing(local: Local, server: Server) -> None:
    # The name is the page's own and leads here, so to the browser it is all one origin.
    rebound = f"rebound.example:{server.port}"
    fields = (f"Host: {rebound}", f"Origin: http://{rebound}", "Sec-Fetch-Site: same-origin")
    [answer] = await exchange(server, with_token(local, *fields))
    assert (answer.status, answer.told) == (
        421,
        {
            "detail": "This server does not answer under that host; "
            f"use http://localhost:{server.port}"
        },
    )


@on(REAL_ASYNCIO)
async def test_a_page_of_another_origin_gets_nothing(local: Local, server: Server) -> None:
    host = f"Host: localhost:{server.port}"
    for field in ("Origin: https://evil.example", "Sec-Fetch-Site: cross-site"):
        [answer] = await exchange(server, with_token(local, host, field))
        assert (answer.status, answer.told) == (
            403,
            {"detail": "This server does not answer web pages of other origins"},
        )
        assert not any(planted.encode() in answer.body for planted in NO_BODY_SECRET)


@on(REAL_ASYNCIO)
async def test_no_preflight_is_granted_and_no_answer_is_shared(
    local: Local, server: Server
) -> None:
    preflight = head(
        f"OPTIONS {SLACK} HTTP/1.1",
        f"Host: localhost:{server.port}",
        "Origin: https://evil.example",
        "Access-Control-Request-Method: GET",
        "Access-Control-Request-Headers: authorization",
        "Access-Control-Request-Private-Network: true",
    )
    [refused] = await exchange(server, preflight)
    own = head(f"OPTIONS {SLACK} HTTP/1.1", f"Host: localhost:{server.port}")
    [unknown] = await exchange(server, own)
    [answer] = await exchange(server, with_token(local, f"Host: localhost:{server.port}"))
    assert (refused.status, unknown.status, answer.status) == (403, 405, 200)
    for message in (refused, unknown, answer):
        assert not any(name.startswith("access-control") for name in message.headers)

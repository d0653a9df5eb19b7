"""A path is read as it was sent, and in one way only."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.local import Grant, Owner
from tests.local.backends import APP, NOT_CONNECTED, NOT_FOUND, Local, local_backend, told
from tests.loops import REAL, on
from transports import Request

pytestmark = on(REAL)

UNREADABLE = {
    "detail": "The path has a segment that can't be read: a broken percent-escape, bytes that are "
    "no UTF-8, a character that can't be printed, '.' or '..'"
}


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_backend(tmp_path) as local:
        yield local


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("a%2Fb", "a/b"),
        ("a%2fb%20c", "a/b c"),
        ("%E6%97%A5", "日"),
        ("%25", "%"),
        ("%252F", "%2F"),
        ("*", "*"),
        ("a%3Fb%23c", "a?b#c"),
        ("...", "..."),
        ("connectors", "connectors"),
        ("(a)!~'", "(a)!~'"),
        ("a+b;c=d,e", "a+b;c=d,e"),
    ],
)
async def test_a_segment_is_one_identifier(local: Local, written: str, name: str) -> None:
    token = f"planted-{len(name)}"
    await local.vault.put(Owner.workspace(APP, name), Grant("slack", token))
    path = f"external-auth/tokens/connectors/{written}"
    body = told(await local.ask("GET", path, local.service()))
    assert isinstance(body, dict)
    assert body["access_token"] == token


async def test_an_encoded_slash_reaches_no_other_route(local: Local) -> None:
    path = "external-auth/tokens/connectors%2Fc-1"
    response = await local.ask("GET", path, local.service())
    assert (response.status, told(response)) == (404, NOT_CONNECTED)


@pytest.mark.parametrize(
    "segment", ["%", "%2", "%2x", "%zz", "a%", "%FF", "%C3", "%ED%A0%80", "%00", "%0A", "%E2%80%A8",
                ".", "..", "%2E", "%2e%2E", ".%2e"],
)  # fmt: skip
async def test_a_segment_that_has_no_one_reading_is_refused(local: Local, segment: str) -> None:
    for path in (
        f"external-auth/tokens/{segment}",
        f"external-auth/{segment}/slack",
        f"/api/apps/{segment}/external-auth/tokens/slack",
        f"/{segment}",
    ):
        response = await local.ask("GET", path, local.service())
        assert (response.status, told(response)) == (400, UNREADABLE)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/apps",
        "/api/apps/",
        "/api/apps/app-1",
        "/api/apps/app-1/",
        "/api/apps//external-auth/tokens/slack",
        "//api/apps/app-1/external-auth/tokens/slack",
        "/API/apps/app-1/external-auth/tokens/slack",
        "/api/apps/app-1/external-auth/tokens/slack/",
        "/api/apps/app-1/external-auth//tokens/slack",
        "/api/apps/app-1/external-auth/tokens/",
        "/api/apps/app-1/external-auth/tokens",
        "/api/apps/app-1/external-auth/",
        "/api/apps/app-1/External-Auth/tokens/slack",
        "/api/apps/app-1/external-auth/tokens/slack%3Fx/y",
        "/apps/app-1/external-auth/tokens/slack",
        "/api/users/app-1/external-auth/tokens/slack",
        "/favicon.ico",
    ],
)
async def test_what_is_no_route_is_not_found(local: Local, path: str) -> None:
    for headers in (local.service(), {}):
        response = await local.ask("GET", path, headers)
        assert (response.status, told(response)) == (404, NOT_FOUND)


async def test_a_url_without_a_path_is_not_found(local: Local) -> None:
    for url in ("http://127.0.0.1", "http://127.0.0.1?a=/api/apps/x/external-auth/list"):
        assert (await local.backend.handle(Request("GET", url))).status == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "external-auth/tokens/slack", "GET"),
        ("HEAD", "external-auth/tokens/slack", "GET"),
        ("OPTIONS", "external-auth/list", "GET"),
        ("GET", "connectors/slack/call", "POST"),
        ("GET", "external-auth/integrations/slack", "PUT"),
        ("PATCH", "app-user-auth/connectors/c-1", "DELETE"),
    ],
)
async def test_another_method_is_told_the_right_one(
    local: Local, method: str, path: str, allowed: str
) -> None:
    response = await local.ask(method, path, local.service())
    assert (response.status, told(response)) == (405, {"detail": "Method Not Allowed"})
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["external-auth/tokens/slack", "external-auth/tokens/none", ".."])
@pytest.mark.parametrize("given", ["5f1c", "a.B_c-9" * 18, "0"])
async def test_a_sane_request_id_comes_back(local: Local, path: str, given: str) -> None:
    response = await local.ask("GET", path, {**local.service(), "X-Request-ID": given})
    assert response.headers["x-request-id"] == given
    told(response)


@pytest.mark.parametrize("given", ["", "a b", "a,b", "x" * 129, "<script>", "\xe9"])
async def test_another_request_id_does_not(local: Local, given: str) -> None:
    path = "external-auth/tokens/slack"
    response = await local.ask("GET", path, {**local.service(), "X-Request-ID": given})
    assert response.status == 200
    assert "x-request-id" not in response.headers

"""A provider sends a person back: whoever comes once with the right state is connected."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from connectors.local import Server, serve
from tests.local.backends import APP, NO_BODY_SECRET, told
from tests.local.dropbox import (
    CLIENT_SECRET,
    OWNER,
    REDIRECT_URI,
    REFRESH,
    World,
    consent_at,
    says,
    world,
)
from tests.local.vaults import database
from tests.local.wires import Answer, exchange, head
from tests.loops import REAL, REAL_ASYNCIO, on
from transports import ConnectError, Request, Response

AUTHORIZE = "external-auth/integrations/dropbox"
STATUS = "external-auth/status?integration_type=dropbox&connection_id="


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, redirect_uri=REDIRECT_URI) as here:
        yield here


async def begun(here: World, *scopes: str) -> str:
    """The consent page that somebody is sent to."""
    asked = json.dumps({"scopes": scopes}).encode()
    response = await here.local.ask("PUT", AUTHORIZE, here.local.workspace(), asked)
    body = told(response)
    assert isinstance(body, dict)
    return str(body["redirect_url"])


async def is_connected(here: World) -> bool:
    return await here.vault.get(OWNER) is not None


def page(response: Response) -> str:
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    return response.body.decode()


@on(REAL)
async def test_whoever_gave_consent_sees_that_it_is_connected(here: World) -> None:
    response = await here.come_back(await begun(here))
    assert response.status == 200
    assert "Dropbox is connected" in page(response)
    assert await is_connected(here)


@on(REAL)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"api_key": "wrong"}])
async def test_a_person_needs_no_credential_of_the_backend(
    here: World, headers: dict[str, str]
) -> None:
    response = await here.come_back(await begun(here), headers=headers)
    assert response.status == 200


@on(REAL)
async def test_a_state_is_good_once(here: World) -> None:
    url = await begun(here)
    assert (await here.come_back(url)).status == 200
    again = await here.come_back(url)
    assert "Dropbox is connected" in page(again)
    assert len(here.dropbox.token_calls) == 1


@on(REAL)
async def test_a_denied_consent_connects_nothing(here: World) -> None:
    url = await begun(here)
    response = await here.come_back(url, code=None, error="access_denied")
    assert (response.status, "Not connected" in page(response)) == (400, True)
    assert not await is_connected(here)
    assert (await here.come_back(url)).status == 400
    assert here.dropbox.token_calls == []


@on(REAL)
@pytest.mark.parametrize("state", ["", "wrong", "&state=x", "é", "%00"])
async def test_a_wrong_state_connects_nothing_and_uses_up_nothing(here: World, state: str) -> None:
    url = await begun(here)
    path = f"/oauth/callback?code=planted-code&state={quote(state, safe='&=%')}"
    response = await here.local.ask("GET", path)
    assert (response.status, "Not connected" in page(response)) == (400, True)
    assert not await is_connected(here)
    assert (await here.come_back(url)).status == 200


@on(REAL)
async def test_who_comes_after_ten_minutes_comes_too_late(here: World) -> None:
    url = await begun(here)
    here.clock.now += 601
    assert (await here.come_back(url)).status == 400
    assert not await is_connected(here)


@on(REAL)
async def test_a_code_that_the_provider_refuses_connects_nothing(here: World) -> None:
    here.dropbox.next_token = [
        says(400, {"error": "invalid_grant", "error_description": f"{CLIENT_SECRET} <b>"})
    ]
    response = await here.come_back(await begun(here))
    assert response.status == 400
    assert CLIENT_SECRET not in page(response)
    assert "<b>" not in page(response)
    assert not await is_connected(here)


@on(REAL)
@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS"])
async def test_only_to_open_the_page_uses_up_a_state(here: World, method: str) -> None:
    url = await begun(here)
    response = await here.come_back(url, method=method)
    assert (response.status, response.headers["allow"]) == (405, "GET")
    assert here.dropbox.token_calls == []
    assert (await here.come_back(url)).status == 200


@on(REAL)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Sec-Purpose", "prefetch"),
        ("Sec-Purpose", "prefetch;prerender"),
        ("Sec-Purpose", "prefetch;anonymous-client-ip"),
        ("Purpose", "prefetch"),
        ("X-Purpose", "Prefetch"),
        ("X-Moz", "prefetch"),
    ],
)
async def test_a_browser_that_looks_ahead_uses_up_no_state(
    here: World, name: str, value: str
) -> None:
    url = await begun(here)
    response = await here.come_back(url, headers={name: value})
    assert (response.status, "not to be fetched ahead" in page(response)) == (403, True)
    assert here.dropbox.token_calls == []
    assert (await here.come_back(url)).status == 200


@on(REAL)
@pytest.mark.parametrize(
    "path",
    ["/oauth/callback/", "/oauth%2Fcallback", "/%6Fauth/callback", "//oauth/callback", "/oauth",
     "/OAuth/Callback", "/api/oauth/callback", f"/api/apps/{APP}/oauth/callback"],
)  # fmt: skip
async def test_no_other_path_is_the_callback(here: World, path: str) -> None:
    url = await begun(here)
    state = consent_at(url).query["state"]
    response = await here.local.ask("GET", f"{path}?code=planted-code&state={state}")
    assert response.status == 404
    assert here.dropbox.token_calls == []


@on(REAL)
async def test_a_vault_that_fails_is_a_page_too(here: World) -> None:
    url = await begun(here)
    with database(here.vault.path) as other:
        other.execute("UPDATE consents SET verifier_ct = 'x'")
    response = await here.come_back(url)
    assert response.status == 500
    assert "Look at the terminal" in page(response)
    assert str(here.vault.path) not in page(response)


@on(REAL)
async def test_no_event_holds_what_a_person_comes_back_with(
    here: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "connectors")
    url = await begun(here)
    state = consent_at(url).query["state"]
    await here.come_back(url)
    await here.come_back(url)
    here.dropbox.next_token = [says(400, {"error": "invalid_grant"})]
    await here.come_back(await begun(here, "files.metadata.read"))
    assert "url=http://127.0.0.1:1/oauth/callback status=200" in caplog.text
    for secret in (state, "planted", "code=", REFRESH, CLIENT_SECRET, *NO_BODY_SECRET):
        assert secret not in caplog.text


@pytest.fixture
async def server(here: World) -> AsyncIterator[Server]:
    async with serve(here.local.backend) as server:
        yield server


NAVIGATION = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-User: ?1")
CROSS_SITE = "Sec-Fetch-Site: cross-site"


async def opened(server: Server, url: str, *fields: str, line: str = "GET {} HTTP/1.1") -> Answer:
    """What a browser gets that comes from the consent page."""
    target = f"/oauth/callback?code=planted-code&state={consent_at(url).query['state']}"
    host = () if any(f.startswith("Host:") for f in fields) else (f"Host: localhost:{server.port}",)
    [answer] = await exchange(server, head(line.format(target), *host, *fields))
    return answer


@on(REAL_ASYNCIO)
@pytest.mark.parametrize(
    "fields",
    [
        (CROSS_SITE, *NAVIGATION),
        ("Sec-Fetch-Site: same-site", *NAVIGATION),
        ("Sec-Fetch-Site: none", *NAVIGATION),
        ("Sec-Fetch-Site: same-origin", *NAVIGATION),
        (CROSS_SITE, *NAVIGATION, "Referer: https://www.dropbox.com/"),
        (),
    ],
    ids=range(6),
)
async def test_a_providers_page_may_send_its_reader_here(
    here: World, server: Server, fields: tuple[str, ...]
) -> None:
    answer = await opened(server, await begun(here), *fields)
    assert (answer.status, b"Dropbox is connected" in answer.body) == (200, True)


@on(REAL_ASYNCIO)
@pytest.mark.parametrize(
    "fields",
    [
        (CROSS_SITE, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"),
        (CROSS_SITE, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: document"),
        (CROSS_SITE, "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"),
        (CROSS_SITE, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"),
        (CROSS_SITE, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: embed"),
        (CROSS_SITE, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Mode: cors"),
        (CROSS_SITE, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Mode: navigate"),
        ("Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"),
        (CROSS_SITE,),
        (CROSS_SITE, *NAVIGATION, "Origin: https://evil.example"),
        (*NAVIGATION, "Origin: null"),
    ],
    ids=range(11),
)
async def test_no_page_may_fetch_or_frame_it(
    here: World, server: Server, fields: tuple[str, ...]
) -> None:
    url = await begun(here)
    answer = await opened(server, url, *fields)
    assert answer.status == 403
    assert here.dropbox.token_calls == []
    assert (await here.come_back(url)).status == 200


@on(REAL_ASYNCIO)
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
async def test_a_page_may_send_its_reader_in_no_other_way(
    here: World, server: Server, method: str
) -> None:
    line = f"{method} {{}} HTTP/1.1"
    answer = await opened(server, await begun(here), CROSS_SITE, *NAVIGATION, line=line)
    assert answer.status == 403
    assert here.dropbox.token_calls == []


@on(REAL_ASYNCIO)
async def test_the_host_is_checked_all_the_same(here: World, server: Server) -> None:
    rebound = f"Host: rebound.example:{server.port}"
    answer = await opened(server, await begun(here), rebound, CROSS_SITE, *NAVIGATION)
    assert answer.status == 421
    assert here.dropbox.token_calls == []


TUNNEL = "https://Demo.Ngrok.app/oauth/callback"


@pytest.fixture
async def tunnelled(here: World) -> AsyncIterator[Server]:
    backend = here.local.backend
    async with serve(backend, callback_hosts=backend.callback_hosts) as server:
        yield server


@on(REAL_ASYNCIO)
@pytest.mark.parametrize("host", ["demo.ngrok.app", "Demo.Ngrok.App"])
async def test_who_comes_back_through_the_tunnel_of_a_client_is_connected(
    here: World, tunnelled: Server, host: str
) -> None:
    await here.configure(redirect_uri=TUNNEL)
    answer = await opened(tunnelled, await begun(here), f"Host: {host}", CROSS_SITE, *NAVIGATION)
    assert (answer.status, b"Dropbox is connected" in answer.body) == (200, True)


@on(REAL_ASYNCIO)
async def test_who_comes_back_through_the_tunnel_of_the_backend_is_connected(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, redirect_uri=TUNNEL) as here:
        backend = here.local.backend
        async with serve(backend, callback_hosts=backend.callback_hosts) as server:
            answer = await opened(server, await begun(here), "Host: demo.ngrok.app")
    assert answer.status == 200


@on(REAL_ASYNCIO)
@pytest.mark.parametrize(
    ("path", "host"),
    [
        (f"/api/apps/{APP}/external-auth/list", "demo.ngrok.app"),
        ("/", "demo.ngrok.app"),
        ("/oauth/callback/", "demo.ngrok.app"),
        ("/oauth%2Fcallback", "demo.ngrok.app"),
        ("/x?/oauth/callback", "demo.ngrok.app"),
        ("/oauth/callback", "other.ngrok.app"),
        ("/oauth/callback", "demo.ngrok.app:8044"),
        ("/oauth/callback", ""),
    ],
)
async def test_through_a_tunnel_there_is_nothing_but_the_callback(
    here: World, tunnelled: Server, path: str, host: str
) -> None:
    await here.configure(redirect_uri=TUNNEL)
    [answer] = await exchange(tunnelled, head(f"GET {path} HTTP/1.1", f"Host: {host}"))
    assert answer.status == 421


@on(REAL_ASYNCIO)
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (("Origin: https://evil.example",), 403),
        ((CROSS_SITE, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"), 403),
        (("Host: demo.ngrok.app",), 400),
    ],
)
async def test_through_a_tunnel_no_page_may_fetch_or_frame_it(
    here: World, tunnelled: Server, fields: tuple[str, ...], status: int
) -> None:
    await here.configure(redirect_uri=TUNNEL)
    answer = await opened(tunnelled, await begun(here), "Host: demo.ngrok.app", *fields)
    assert answer.status == status
    assert here.dropbox.token_calls == []


@on(REAL_ASYNCIO)
@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/api/apps/{APP}/external-auth/tokens/dropbox", 401),
        (f"/api/apps/{APP}/external-auth/list", 401),
        ("/oauth/callback/", 404),
        ("/oauth%2fcallback", 404),
        ("/", 404),
        ("/x?/oauth/callback", 404),
    ],
)
async def test_who_is_sent_elsewhere_finds_nothing_and_does_nothing(
    here: World, server: Server, path: str, status: int
) -> None:
    await here.connect()
    host = f"Host: localhost:{server.port}"
    [answer] = await exchange(server, head(f"GET {path} HTTP/1.1", host, CROSS_SITE, *NAVIGATION))
    assert (answer.status, set(answer.told)) == (status, {"detail"})  # type: ignore[call-overload]


@on(REAL)
async def test_a_provider_that_does_not_answer_connects_nothing(here: World) -> None:
    def unreachable(request: Request) -> Response:
        raise ConnectError(
            "refused", method=request.method, url=request.url, phase="connect", maybe_sent=False
        )

    here.dropbox.next_token = [unreachable]
    response = await here.come_back(await begun(here))
    assert response.status == 400
    assert "The provider has not answered" in page(response)
    assert not await is_connected(here)

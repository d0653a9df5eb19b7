"""Through a proxy: forwarded as it is for http, in a tunnel for https."""

import socket
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import anyio
import pytest

from tests.loops import REAL, on
from tests.transports.certificates import make_certificate
from tests.transports.leaks import TOKEN, assert_no_leak
from tests.transports.raw_server import BROKEN, OK, Peer, repeating, saying, serving
from transports import ConnectTimeoutError, ProxyError, Request, TLSError
from transports.aiohttp import AiohttpTransport

pytestmark = on(REAL)

BASIC = "Basic " + b64encode(f"me:{TOKEN}/@".encode()).decode()
USERINFO = f"me:{TOKEN}%2F%40@"

Receive: TypeAlias = Callable[[], Awaitable[bytes]]
Send: TypeAlias = Callable[[bytes], Awaitable[None]]


async def tunnel(peer: Peer) -> None:
    """Connect to where CONNECT says, and carry the bytes."""
    message = await peer.message()
    host, _, port = message.target.partition(":")
    async with await anyio.connect_tcp(host, int(port)) as other, anyio.create_task_group() as ways:
        await peer.say(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def carry(receive: Receive, send: Send) -> None:
            with suppress(*BROKEN):
                while True:
                    await send(await receive())
            ways.cancel_scope.cancel()

        ways.start_soon(carry, peer.some, other.send)
        ways.start_soon(carry, other.receive, peer.say)


async def test_an_http_request_is_forwarded_with_its_whole_url() -> None:
    async with serving(repeating(OK)) as proxy:
        transport = AiohttpTransport(proxy=f"http://{USERINFO}127.0.0.1:{proxy.port}")
        for _ in range(2):
            response = await transport.send(Request("GET", "http://service.example/a%2Fb?q=%20"))
        await transport.aclose()
    assert response.body == b"ok"
    assert proxy.connections == 1
    for message in proxy.messages:
        assert message.line == "GET http://service.example/a%2Fb?q=%20 HTTP/1.1"
        assert message.get_all("host") == ["service.example"]
        assert message.get_all("proxy-authorization") == [BASIC]


async def test_an_https_request_goes_through_a_tunnel_that_alone_sees_the_credentials(
    tmp_path: Path,
) -> None:
    certificate = make_certificate(tmp_path)
    async with (
        serving(repeating(OK), tls=certificate.server) as server,
        serving(tunnel) as proxy,
    ):
        transport = AiohttpTransport(
            proxy=f"http://{USERINFO}127.0.0.1:{proxy.port}", ssl_context=certificate.client
        )
        for _ in range(2):
            assert (await transport.send(Request("GET", f"{server.url}/x"))).body == b"ok"
        await transport.aclose()
    (connect,) = proxy.messages
    assert connect.line == f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"
    assert connect.get_all("proxy-authorization") == [BASIC]
    assert [message.target for message in server.messages] == ["/x", "/x"]
    assert not server.messages[0].get_all("proxy-authorization")


async def test_a_proxy_may_be_reached_with_tls(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    async with serving(repeating(OK), tls=certificate.server) as proxy:
        transport = AiohttpTransport(proxy=proxy.url, ssl_context=certificate.client)
        response = await transport.send(Request("GET", "http://service.example/"))
        await transport.aclose()
    assert response.body == b"ok"


async def test_who_is_behind_the_tunnel_is_verified(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    async with (
        serving(repeating(OK), tls=certificate.server) as server,
        serving(tunnel) as proxy,
    ):
        transport = AiohttpTransport(proxy=proxy.url)
        with pytest.raises(TLSError) as caught:
            await transport.send(Request("GET", f"{server.url}/"))
        await transport.aclose()
    assert not caught.value.maybe_sent


async def test_a_proxy_that_refuses_is_an_error_with_its_status() -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with serving(saying(refusal)) as proxy:
        transport = AiohttpTransport(proxy=f"http://{USERINFO}127.0.0.1:{proxy.port}")
        with pytest.raises(ProxyError, match="status 407") as caught:
            await transport.send(Request("POST", f"https://service.example/?{TOKEN}"))
        await transport.aclose()
    assert (caught.value.phase, caught.value.maybe_sent) == ("connect", False)
    assert_no_leak(caught.value, BASIC)


async def test_a_proxy_that_is_not_there_is_an_error_with_a_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    transport = AiohttpTransport(proxy=f"http://{USERINFO}127.0.0.1:{port}")
    for scheme in ("http", "https"):
        with pytest.raises(ProxyError, match="proxy could not be reached") as caught:
            await transport.send(Request("POST", f"{scheme}://service.example/"))
        assert (caught.value.phase, caught.value.maybe_sent) == ("connect", False)
        assert_no_leak(caught.value, BASIC)
    assert TOKEN not in repr(transport)
    await transport.aclose()


async def test_a_proxy_that_says_nothing_runs_out_of_time() -> None:
    async with serving(Peer.gone) as proxy:
        transport = AiohttpTransport(proxy=proxy.url, ssl_context=ssl.create_default_context())
        deadline = anyio.current_time() + 0.3
        with pytest.raises(ConnectTimeoutError) as caught:
            await transport.send(Request("GET", "https://service.example/", deadline=deadline))
        await transport.aclose()
    assert not caught.value.maybe_sent


async def test_the_environment_counts_only_when_it_is_asked_for_and_is_read_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(repeating(OK)) as server, serving(repeating(OK)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "other.example")
        asked = AiohttpTransport(trust_env=True)
        unasked = AiohttpTransport()
        monkeypatch.delenv("http_proxy")
        for transport in (asked, unasked):
            await transport.send(Request("GET", f"{server.url}/"))
            await transport.aclose()
    assert [message.target for message in proxy.messages] == [f"{server.url}/"]
    assert [message.target for message in server.messages] == ["/"]


@pytest.mark.parametrize(
    "proxy",
    [
        "",
        "socks5://127.0.0.1:1",
        f"http://me:{TOKEN}@[::1",
        "http://",
        f"http://u\udcff:{TOKEN}@p:1",
    ],
)
async def test_what_is_no_proxy_is_refused_without_being_shown(proxy: str) -> None:
    with pytest.raises(ValueError, match="must be a URL like") as caught:
        AiohttpTransport(proxy=proxy)
    assert_no_leak(caught.value)


@pytest.mark.parametrize(("limit", "limit_per_host"), [(0, 1), (1, 0), (-1, 1)])
async def test_a_limit_below_one_is_refused(limit: int, limit_per_host: int) -> None:
    with pytest.raises(ValueError, match="from 1"):
        AiohttpTransport(limit=limit, limit_per_host=limit_per_host)

"""What aiohttp knows of a request comes out in no error, cancellation, log or pickle."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator

import aiohttp
import anyio
import pytest
import trio

from tests.loops import REAL, on
from tests.transports.leaks import TOKEN, assert_no_leak
from tests.transports.raw_server import Peer, saying, serving, silent
from transports import (
    ConnectError,
    DisconnectedError,
    Request,
    Secret,
    TransportClosedError,
    TransportError,
)
from transports.aiohttp import AiohttpTransport

pytestmark = on(REAL)


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    made = AiohttpTransport()
    yield made
    await made.aclose()


def secret_request(url: str, **more: float) -> Request:
    fields = {"Authorization": f"Bearer {TOKEN}", "api_key": Secret(TOKEN)}
    body = f"client_secret={TOKEN}".encode()
    return Request("POST", f"{url}/path?code={TOKEN}", fields, body, **more)  # type: ignore[arg-type]


async def failure(transport: AiohttpTransport, request: Request) -> BaseException:
    with pytest.raises(TransportError) as caught:
        await transport.send(request)
    return caught.value


async def reset(peer: Peer) -> None:
    await peer.message()
    await peer.reset()


async def reset_at_once(peer: Peer) -> None:
    await peer.reset()


SCRIPTS = {
    "nothing": saying(b""),
    "garbage": saying(b"garbage"),
    "half a body": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
    "a reset": reset,
    "a reset at once": reset_at_once,
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
async def test_no_secret_stands_in_a_failure(transport: AiohttpTransport, script: object) -> None:
    async with serving(script) as server:  # type: ignore[arg-type]
        error = await failure(transport, secret_request(server.url))
    assert isinstance(error, TransportError)
    assert_no_leak(error)


async def test_no_secret_stands_in_a_failure_to_connect(transport: AiohttpTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", f"http://{'a' * 64}.example", "http://127.1"):
        error = await failure(transport, secret_request(url))
        assert isinstance(error, ConnectError)
        assert_no_leak(error)


async def test_no_secret_stands_in_a_broken_upload(transport: AiohttpTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.some()
        await peer.reset()

    async with serving(script) as server:
        body = TOKEN.encode() * 1_000_000
        request = Request("POST", f"{server.url}/?code={TOKEN}", {"api_key": TOKEN}, body)
        error = await failure(transport, request)
    assert isinstance(error, DisconnectedError)
    assert_no_leak(error)


async def test_no_secret_stands_in_the_timeout_that_a_caller_makes_of_a_cancellation(
    transport: AiohttpTransport, anyio_backend_name: str
) -> None:
    async def timed_out_by_its_loop() -> None:
        request = secret_request(server.url)
        if anyio_backend_name == "trio":
            with trio.fail_after(0.05):
                await transport.send(request)
        async with asyncio.timeout(0.05):
            await transport.send(request)

    async with serving(silent) as server:
        with pytest.raises((TimeoutError, trio.TooSlowError)) as caught:
            await timed_out_by_its_loop()
        assert_no_leak(caught.value)
        with pytest.raises(TimeoutError) as caught, anyio.fail_after(0.05):
            await transport.send(secret_request(server.url))
        assert_no_leak(caught.value)


async def test_no_secret_stands_in_a_cancellation(
    transport: AiohttpTransport, anyio_backend_name: str
) -> None:
    async def ask() -> None:
        with pytest.raises(anyio.get_cancelled_exc_class()) as caught:
            await transport.send(secret_request(server.url))
        ends.append(caught.value)
        raise caught.value

    ends: list[BaseException] = []
    async with serving(silent) as server:
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await server.seen(1)
            group.cancel_scope.cancel()
        if anyio_backend_name == "asyncio":
            task = asyncio.create_task(ask())
            await server.seen(2)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
    for end in ends:
        assert_no_leak(end)


async def test_no_secret_stands_in_the_error_of_a_closed_transport(
    transport: AiohttpTransport,
) -> None:
    await transport.aclose()
    with pytest.raises(TransportClosedError) as caught:
        await transport.send(secret_request("http://127.0.0.1"))
    assert_no_leak(caught.value)


async def test_a_value_beyond_ascii_is_refused_without_being_shown(
    transport: AiohttpTransport,
) -> None:
    request = Request("GET", f"http://127.0.0.1/?{TOKEN}", {"x-name": f"caf\xe9 {TOKEN}"})
    with pytest.raises(ValueError, match="'x-name' is not ASCII") as caught:
        await transport.send(request)
    assert_no_leak(caught.value)


async def test_no_secret_is_logged(
    transport: AiohttpTransport,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    anyio_backend_name: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")  # For a loop that it makes.
    if anyio_backend_name == "asyncio":
        asyncio.get_running_loop().set_debug(True)
    for script in SCRIPTS.values():
        async with serving(script) as server:
            await failure(transport, secret_request(server.url))
    await transport.aclose()
    for record in caplog.records:
        assert TOKEN not in record.getMessage()
        assert TOKEN not in str(record.exc_info)


async def test_what_the_system_said_is_the_cause_and_of_aiohttp_only_the_kind(
    transport: AiohttpTransport,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    refused = await failure(transport, Request("GET", f"http://127.0.0.1:{port}/"))
    assert isinstance(refused.__cause__, ConnectionRefusedError)
    async with serving(saying(b"garbage")) as server:
        garbage = await failure(transport, Request("GET", f"{server.url}/"))
    assert isinstance(garbage.__cause__, aiohttp.ClientResponseError)
    assert str(garbage.__cause__) == "400, message='', url=''"
    async with serving(saying(b"")) as server:
        nothing = await failure(transport, Request("GET", f"{server.url}/"))
    assert isinstance(nothing.__cause__, aiohttp.ServerDisconnectedError)
    assert nothing.__cause__.args == ()
    assert all(e.__context__ is None for e in (refused, garbage, nothing))

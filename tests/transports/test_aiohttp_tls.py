"""TLS: what is trusted, what is refused, and when the system's certificates are read."""

import os
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from tests.loops import REAL, on
from tests.transports.certificates import Certificate, make_certificate
from tests.transports.leaks import TOKEN, assert_no_leak
from tests.transports.raw_server import OK, Peer, repeating, saying, serving
from transports import Request, TLSError, TransportError, TransportTimeoutError
from transports.aiohttp import AiohttpTransport

pytestmark = on(REAL)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


async def test_a_given_context_says_who_is_trusted(certificate: Certificate) -> None:
    transport = AiohttpTransport(ssl_context=certificate.client)
    async with serving(repeating(OK), tls=certificate.server) as server:
        for _ in range(2):
            assert (await transport.send(Request("POST", f"{server.url}/"))).body == b"ok"
        assert server.connections == 1
        await transport.aclose()


async def test_who_is_not_trusted_gets_no_request(certificate: Certificate) -> None:
    transport = AiohttpTransport()
    async with serving(repeating(OK), tls=certificate.server) as server:
        request = Request("GET", f"{server.url}/?code={TOKEN}", {"api_key": TOKEN})
        with pytest.raises(TLSError, match="certificate verify failed") as caught:
            await transport.send(request)
        await transport.aclose()
    assert (caught.value.phase, caught.value.maybe_sent) == ("tls", False)
    assert not caught.value.retryable
    assert not server.messages
    assert_no_leak(caught.value)


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, address="127.0.0.2")
    transport = AiohttpTransport(ssl_context=certificate.client)
    async with serving(repeating(OK), tls=certificate.server) as server:
        with pytest.raises(TLSError, match="mismatch"):
            await transport.send(Request("GET", f"{server.url}/"))
        await transport.aclose()
    assert not server.messages


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_server_without_tls_is_an_error_with_a_name(greeting: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.some()
        await peer.say(greeting)

    transport = AiohttpTransport()
    async with serving(script) as server:
        with pytest.raises(TransportError) as caught:
            await transport.send(Request("GET", f"https://127.0.0.1:{server.port}/"))
        await transport.aclose()
    assert caught.value.phase in {"tls", "connect"}
    assert not caught.value.maybe_sent


async def test_the_systems_certificates_are_read_once_and_the_loop_goes_on_meanwhile(
    certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write() -> None:
        with fifo.open("wb") as file:  # When somebody reads.
            reading.set()
            went_on.append(answered.wait(5))
            file.write((tmp_path / "certificate.pem").read_bytes())

    fifo = tmp_path / "certificates"
    os.mkfifo(fifo)  # Who reads it waits for a writer.
    monkeypatch.setenv("SSL_CERT_FILE", str(fifo))
    reading, answered, went_on = threading.Event(), threading.Event(), list[bool]()
    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    transport = AiohttpTransport()
    secured = serving(repeating(OK), tls=certificate.server)
    async with secured as server, serving(repeating(OK)) as plain:
        try:
            with anyio.fail_after(10):
                async with anyio.create_task_group() as group:
                    for _ in range(5):
                        group.start_soon(transport.send, Request("GET", f"{server.url}/"))
                    await anyio.to_thread.run_sync(reading.wait, 5)
                    await transport.send(Request("GET", f"{plain.url}/"))
                    answered.set()
                await transport.send(Request("GET", f"{server.url}/"))
        finally:
            await transport.aclose()
            with suppress(OSError):  # Nobody reads it any more, if all is well.
                os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    assert went_on == [True]
    assert len(server.messages) == 6


async def test_without_https_no_certificate_is_read() -> None:
    transport = AiohttpTransport()
    async with serving(saying(OK)) as server:
        await transport.send(Request("GET", f"{server.url}/"))
        await transport.aclose()
    assert transport._settings.ssl_context is None


async def test_while_the_systems_certificates_are_read_it_can_run_out_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = tmp_path / "certificates"
    os.mkfifo(fifo)  # Who reads it waits for a writer.
    monkeypatch.setenv("SSL_CERT_FILE", str(fifo))
    transport = AiohttpTransport()
    try:
        deadline = anyio.current_time() + 0.1
        with anyio.fail_after(5), pytest.raises(TransportTimeoutError) as caught:
            await transport.send(Request("GET", "https://127.0.0.1:9/", deadline=deadline))
        await transport.aclose()
    finally:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    assert not caught.value.maybe_sent


@pytest.mark.parametrize("says_goodbye", [True, False])
async def test_an_idle_tls_connection_that_was_closed_while_the_loop_stood_still_is_not_used(
    certificate: Certificate,
    says_goodbye: bool,  # noqa: FBT001 - a parameter of the test.
) -> None:
    def serve(listening: socket.socket) -> None:
        for _ in range(2):
            plain, _ = listening.accept()
            plain.settimeout(5)
            with certificate.server.wrap_socket(plain, server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(OK)
                proceed.wait(5)
                connection.setblocking(False)  # noqa: FBT003 - the socket's own way.
                if says_goodbye:
                    with suppress(ssl.SSLWantReadError):  # It does not wait for the client's.
                        connection.unwrap()
            closed.set()

    proceed, closed = threading.Event(), threading.Event()
    transport = AiohttpTransport(ssl_context=certificate.client)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        url = "https://127.0.0.1:{1}/".format(*listening.getsockname())
        await transport.send(Request("POST", url))
        proceed.set()
        assert closed.wait(5)  # Blocks the loop on purpose.
        assert (await transport.send(Request("POST", url))).body == b"ok"
        await transport.aclose()
        thread.join()


async def test_closing_does_not_wait_for_a_peer_that_says_nothing(
    certificate: Certificate,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.say(OK)
        await anyio.sleep_forever()

    transport = AiohttpTransport(ssl_context=certificate.client)
    async with serving(script, tls=certificate.server) as server:
        await transport.send(Request("GET", f"{server.url}/"))
        with anyio.fail_after(0.5):
            await transport.aclose()

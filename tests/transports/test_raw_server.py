"""The raw server does on every event loop what it is told to."""

import os
import socket
import ssl
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream

from tests.loops import REAL, on
from tests.transports.certificates import make_certificate
from tests.transports.raw_server import OK, Peer, Server, repeating, saying, serving, silent

pytestmark = on(REAL)

ASKED = b"POST /x HTTP/1.1\r\nA: b\r\na:  c \r\nContent-Length: 3\r\n\r\nabc"


async def connect(server: Server) -> SocketStream:
    return await anyio.connect_tcp(server.host, server.port)


async def test_it_keeps_what_it_was_sent_and_says_what_it_was_told() -> None:
    async with serving(repeating(OK)) as server, await connect(server) as client:
        for number in (1, 2):
            for piece in (ASKED[:5], ASKED[5:]):
                await client.send(piece)
            await server.seen(number)
            assert await client.receive() == OK
    assert server.connections == 1
    message, again = server.messages
    assert message == again
    assert (message.method, message.target, message.body) == ("POST", "/x", b"abc")
    assert message.get_all("A") == ["b", "c"]


async def test_at_the_end_of_a_script_it_closes() -> None:
    async with serving(saying(b"bye")) as server, await connect(server) as client:
        await client.send(ASKED)
        assert await client.receive() == b"bye"
        with pytest.raises(anyio.EndOfStream):
            await client.receive()


@pytest.mark.parametrize("secure", [False, True])
async def test_a_reset_is_a_reset(tmp_path: Path, secure: bool) -> None:  # noqa: FBT001
    def receive() -> None:
        with socket.create_connection((server.host, server.port), 5) as client:
            if secure:
                # Only its socket knows how it ended: to OpenSSL a reset is an end of the file.
                with certificate.client.wrap_socket(client, server_hostname=server.host) as secured:
                    client = socket.socket(fileno=os.dup(secured.fileno()))  # noqa: PLW2901
                    client.settimeout(5)
            with client:
                while client.recv(65536):
                    pass

    certificate = make_certificate(tmp_path)
    async with serving(Peer.reset, tls=certificate.server if secure else None) as server:
        with pytest.raises(ConnectionResetError):
            await anyio.to_thread.run_sync(receive)


async def test_who_does_not_read_holds_the_client_up() -> None:
    def send() -> None:
        with socket.create_connection((server.host, server.port), 0.2) as client:
            client.sendall(bytes(20_000_000))

    async with serving(Peer.stall) as server:
        with pytest.raises(TimeoutError):
            await anyio.to_thread.run_sync(send)


async def test_with_its_block_every_connection_ends() -> None:
    async with serving(silent) as server:
        client = await connect(server)
        await client.send(ASKED)
        await server.seen(1)
    async with client:
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await client.receive()
    with pytest.raises(OSError, match="connect"):
        await connect(server)


async def test_what_a_script_raises_ends_the_test() -> None:
    async def script(peer: Peer) -> None:
        assert await peer.some() == b"right"

    async def block() -> None:
        async with serving(script) as server, await connect(server) as client:
            await client.send(b"wrong")
            await anyio.sleep_forever()

    with pytest.raises(AssertionError, match="wrong"):
        await block()


async def test_a_client_that_goes_away_is_no_failure_of_the_script(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    for tls in (None, certificate.server):
        async with serving(repeating(OK), tls=tls) as server:
            for said in (b"", ASKED[:-1], b"no TLS and no HTTP either"):
                async with await connect(server) as client:
                    await client.send(said)
            while server.connections < 3:
                await anyio.wait_all_tasks_blocked()
    async with serving(repeating(OK), tls=certificate.server) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await anyio.connect_tcp(
                server.host, server.port, ssl_context=ssl.create_default_context()
            )


async def test_what_the_block_raises_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        async with serving(silent):
            _ = 1 / 0
    assert type(caught.value) is ZeroDivisionError

"""An attempt that runs out of time says in which phase, and whether it may have been sent."""

import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from tests.loops import REAL, on
from tests.transports.raw_server import (
    OK,
    Peer,
    Script,
    full,
    holding,
    repeating,
    saying,
    serving,
    silent,
)
from transports import (
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    Phase,
    PoolTimeoutError,
    ReadTimeoutError,
    Request,
    ResolveError,
    Timeouts,
    TransportTimeoutError,
)
from transports.aiohttp import AiohttpTransport

pytestmark = on(REAL)

SOON = 0.1
PATIENCE = (SOON, 0.5, 2.5, 12.5)
"""Seconds for an attempt: as many as it needs to come to a later phase on a busy machine."""

DESCRIPTORS = Path("/dev/fd")

TLS = ssl.create_default_context()
"""Made beforehand: to make it takes its time."""


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    made = AiohttpTransport(limit=1, limit_per_host=1, ssl_context=TLS)
    yield made
    await made.aclose()


def open_descriptors() -> int:
    return len(list(DESCRIPTORS.iterdir()))


def to(url: str, body: bytes | None = None) -> Callable[[float], Request]:
    """A request that has so many seconds."""
    return lambda seconds: Request("POST", url, body=body, deadline=anyio.current_time() + seconds)


async def timed_out(
    transport: AiohttpTransport, request: Callable[[float], Request], phase: Phase
) -> TransportTimeoutError:
    """How an attempt ends that has the time to come to a phase, and then no more."""
    for seconds in PATIENCE:
        began = anyio.current_time()
        with pytest.raises(TransportTimeoutError) as caught:
            await transport.send(request(seconds))
        assert seconds - 0.01 <= anyio.current_time() - began < seconds + 5
        if caught.value.phase == phase:
            break
    assert caught.value.phase == phase
    return caught.value


half_a_body = holding(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


async def test_while_it_waits_for_a_connection(transport: AiohttpTransport) -> None:
    async with serving(silent) as server, anyio.create_task_group() as group:
        group.start_soon(transport.send, Request("GET", f"{server.url}/"))
        await server.seen(1)
        error = await timed_out(transport, to(f"{server.url}/"), "pool")
        group.cancel_scope.cancel()
    assert (type(error), error.maybe_sent) == (PoolTimeoutError, False)


async def test_while_it_connects(transport: AiohttpTransport) -> None:
    with full() as address:
        error = await timed_out(transport, to(f"https://{address}/"), "connect")
    assert (type(error), error.maybe_sent) == (ConnectTimeoutError, False)


async def test_while_it_secures_the_connection(transport: AiohttpTransport) -> None:
    async with serving(Peer.gone) as server:
        error = await timed_out(transport, to(f"https://127.0.0.1:{server.port}/"), "tls")
    assert (type(error), error.maybe_sent) == (ConnectTimeoutError, False)


async def test_while_it_sends(transport: AiohttpTransport) -> None:
    async with serving(Peer.stall) as server:
        error = await timed_out(transport, to(f"{server.url}/", bytes(20_000_000)), "send")
    assert (type(error), error.maybe_sent) == (ReadTimeoutError, True)


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="needs to see what the process has open")
async def test_what_was_not_sent_in_time_is_not_sent_later_and_its_connection_is_closed(
    transport: AiohttpTransport,
) -> None:
    # Closing politely would wait until the server has read the rest, which it may never do.
    with socket.create_server(("127.0.0.1", 0)) as never_reads:
        async with serving(repeating(OK)) as server:
            await transport.send(Request("GET", f"{server.url}/"))
            before = open_descriptors()
            url = "http://127.0.0.1:{1}/".format(*never_reads.getsockname())
            await timed_out(transport, to(url, bytes(20_000_000)), "send")
            with anyio.fail_after(5):
                while open_descriptors() > before:
                    await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("body", [None, b"", b"some"])
async def test_while_it_waits_for_the_answer(
    transport: AiohttpTransport, body: bytes | None
) -> None:
    async with serving(silent) as server:
        error = await timed_out(transport, to(f"{server.url}/", body), "headers")
    assert (type(error), error.maybe_sent) == (ReadTimeoutError, True)


async def test_while_it_reads_the_body(transport: AiohttpTransport) -> None:
    async with serving(half_a_body) as server:
        error = await timed_out(transport, to(f"{server.url}/"), "body")
    assert (type(error), error.maybe_sent) == (ReadTimeoutError, True)


async def test_an_answer_that_begins_before_the_body_is_out_is_where_it_is(
    transport: AiohttpTransport,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await peer.gone()

    async with serving(script) as server:
        error = await timed_out(transport, to(f"{server.url}/", bytes(3_000_000)), "body")
    assert type(error) is ReadTimeoutError


async def test_the_limit_for_a_connection_spans_tcp_and_tls(transport: AiohttpTransport) -> None:
    def limited(url: str) -> Callable[[float], Request]:
        return lambda seconds: Request("GET", url, timeouts=Timeouts(connect=seconds, read=None))

    async with serving(Peer.gone) as server:
        error = await timed_out(transport, limited(f"https://127.0.0.1:{server.port}/"), "tls")
    assert any(f"within {seconds} s" in str(error) for seconds in PATIENCE)
    with full() as address:
        error = await timed_out(transport, limited(f"http://{address}/"), "connect")
    assert (type(error), error.maybe_sent) == (ConnectTimeoutError, False)


async def test_the_limit_for_a_connection_ends_with_it(transport: AiohttpTransport) -> None:
    async def slow(peer: Peer) -> None:
        await peer.message()
        await anyio.sleep(1.5 * limit)
        await peer.say(OK)

    limit = PATIENCE[1]
    async with serving(slow) as server:
        request = Request("GET", f"{server.url}/", timeouts=Timeouts(connect=limit))
        assert (await transport.send(request)).body == b"ok"


async def test_a_connection_may_be_without_a_limit(transport: AiohttpTransport) -> None:
    async with serving(saying(OK)) as server:
        request = Request("GET", f"{server.url}/", timeouts=Timeouts(connect=None, read=None))
        assert (await transport.send(request)).body == b"ok"


@pytest.mark.parametrize(("script", "phase"), [(silent, "headers"), (half_a_body, "body")])
async def test_the_limit_for_reading_is_for_the_next_bytes(
    transport: AiohttpTransport, script: Script, phase: Phase
) -> None:
    async with serving(script) as server:
        url = f"{server.url}/"
        error = await timed_out(
            transport, lambda seconds: Request("GET", url, timeouts=Timeouts(read=seconds)), phase
        )
    assert (type(error), error.maybe_sent) == (ReadTimeoutError, True)


async def test_an_answer_that_keeps_coming_has_its_time(transport: AiohttpTransport) -> None:
    async def drip(peer: Peer) -> None:
        await peer.message()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await anyio.sleep(limit / 8)
            await peer.say(b"x")

    limit = 2 * PATIENCE[1]
    async with serving(drip) as server:
        request = Request("GET", f"{server.url}/", timeouts=Timeouts(read=limit))
        assert (await transport.send(request)).body == b"x" * 10


async def test_a_refused_connection(transport: AiohttpTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectError, match=r"No connection could be made: .*Connect") as caught:
        await transport.send(Request("POST", f"http://127.0.0.1:{port}/"))
    error = caught.value
    assert (type(error), error.phase, error.maybe_sent) == (ConnectError, "connect", False)
    assert error.retryable
    assert isinstance(error.__cause__, ConnectionRefusedError)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param(".".join(["a" * 60] * 5), id="longer than a name can be"),
        pytest.param("a" * 64 + ".example", id="a label longer than it can be"),
        pytest.param("127.1", id="an address in another form"),
    ],
)
async def test_a_host_that_is_not_found(transport: AiohttpTransport, host: str) -> None:
    with pytest.raises(ResolveError) as caught:
        await transport.send(Request("POST", f"http://{host}/"))
    error = caught.value
    assert (type(error), error.phase, error.maybe_sent) == (ResolveError, "resolve", False)


async def test_a_connection_that_was_closed_while_the_loop_stood_still_is_not_used(
    transport: AiohttpTransport,
) -> None:
    # A POST over a connection that the server has closed would be lost and could not be repeated.
    seen = threading.Event()

    def serve(listening: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(5)
                connection.recv(65536)
                connection.sendall(OK)
                proceed.wait(5)
            seen.set()

    proceed = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        url = "http://127.0.0.1:{1}/".format(*listening.getsockname())
        await transport.send(Request("POST", url))
        proceed.set()
        assert seen.wait(5)  # Blocks the loop on purpose.
        assert (await transport.send(Request("POST", url))).body == b"ok"
        thread.join()


async def test_connections_are_limited_for_each_server() -> None:
    transport = AiohttpTransport(limit=3, limit_per_host=2)
    async with serving(silent) as one, serving(silent) as two, anyio.create_task_group() as group:
        # One server after the other: trio starts tasks in no order.
        for server, seen in ((one, 2), (two, 1)):
            for _ in range(3):
                group.start_soon(transport.send, Request("GET", f"{server.url}/"))
            await server.seen(seen)
        await anyio.wait_all_tasks_blocked()
        assert (one.connections, two.connections) == (2, 1)
        group.cancel_scope.cancel()
    await transport.aclose()


async def test_the_connection_breaks_while_it_sends(transport: AiohttpTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.some()
        await peer.reset()

    async with serving(script) as server:
        request = Request("PUT", f"{server.url}/", body=bytes(20_000_000))
        with pytest.raises(DisconnectedError) as caught:
            await transport.send(request)
    assert (caught.value.phase, caught.value.maybe_sent) == ("send", True)


async def test_cancelled_in_any_phase_it_leaves_its_place_to_the_next(
    transport: AiohttpTransport,
) -> None:
    for script in (silent, half_a_body, Peer.stall):
        async with serving(script) as stuck:
            with anyio.move_on_after(SOON):
                await transport.send(Request("POST", f"{stuck.url}/", body=bytes(5_000_000)))
    with full() as address, anyio.move_on_after(SOON):
        await transport.send(Request("GET", f"http://{address}/"))
    async with serving(repeating(OK)) as server:
        with anyio.fail_after(5):
            assert (await transport.send(Request("GET", f"{server.url}/"))).body == b"ok"

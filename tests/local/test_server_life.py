"""Where a server listens, how it says so, and that nothing is left when it ends."""

import asyncio
import errno
import gc
import logging
import socket
from contextlib import closing

import anyio
import pytest

from connectors.local import Server, serve
from connectors.local._serving import preferred
from tests.local.wires import exchange, head, read_answer
from tests.loops import REAL_ASYNCIO, on
from transports import Request, Response

pytestmark = on(REAL_ASYNCIO)


class Patient:
    """A backend that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.cancelled = False

    async def handle(self, _: Request, /) -> Response:
        self.asked.set()
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return Response(200)


def asking(server: Server, path: str = "/") -> bytes:
    return head(f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}")


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


async def test_by_default_only_this_machine_can_reach_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serve(Patient()) as server:
        assert server.host == "127.0.0.1"
        assert server.port > 0
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert not server.exposed
    assert caplog.text == ""


async def test_a_port_can_be_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with serve(Patient(), port=port) as server:
        assert server.port == port
        with pytest.raises(OSError, match=rf"{port}") as taken:
            async with serve(Patient(), port=port):
                pytest.fail("two servers have the same port")
    assert taken.value.errno == errno.EADDRINUSE
    # It is free again at once.
    async with serve(Patient(), port=port) as server:
        assert server.port == port


async def test_a_name_is_bound_where_every_client_finds_it() -> None:
    ipv6, ipv4 = (socket.AF_INET6, ("::1", 1, 0, 0)), (socket.AF_INET, ("127.0.0.1", 1))
    assert preferred([ipv6, ipv4]) == preferred([ipv4, ipv6]) == ipv4
    assert preferred([ipv6]) == ipv6
    async with serve(Patient(), host="localhost") as server:
        assert server.url == f"http://localhost:{server.port}"
        assert not server.exposed
        socket.create_connection(("127.0.0.1", server.port)).close()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_an_ipv6_address_stands_in_brackets() -> None:
    backend = Patient()
    backend.answers.set()
    async with serve(backend, host="::1") as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert not server.exposed
        reader, writer = await asyncio.open_connection("::1", server.port)
        with closing(writer):
            writer.write(head("GET / HTTP/1.1", f"Host: [::1]:{server.port}"))
            assert (await read_answer(reader)).status == 200


async def test_an_unknown_host_is_an_error() -> None:
    with pytest.raises(socket.gaierror):
        async with serve(Patient(), host="no-such-host.invalid"):
            pytest.fail("it listens on a host that is none")


async def test_a_server_that_others_can_reach_says_so_loudly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = Patient()
    backend.answers.set()
    async with serve(backend, host="0.0.0.0", allowed_hosts=["connectors"]) as server:
        assert server.exposed
        # Where it can be reached from here.
        assert server.url == f"http://127.0.0.1:{server.port}"
        for host, status in {
            f"127.0.0.1:{server.port}": 200,
            f"connectors:{server.port}": 200,
            f"192.0.2.1:{server.port}": 421,
        }.items():
            [answer] = await exchange(server, head("GET / HTTP/1.1", f"Host: {host}"))
            assert answer.status == status
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"event=connectors.local.exposed address=0.0.0.0 port={server.port} "
        'problem="other machines can reach this backend, and tokens cross the network unsealed"'
    )


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_all_addresses_of_ipv6_are_reached_by_the_own_one() -> None:
    async with serve(Patient(), host="::") as server:
        assert server.exposed
        assert server.url == f"http://[::1]:{server.port}"


async def test_a_request_under_way_is_answered_at_the_end() -> None:
    backend = Patient()
    async with asyncio.TaskGroup() as tasks, serve(backend) as server:
        asking_task = tasks.create_task(exchange(server, asking(server)))
        await backend.asked.wait()
        asyncio.get_running_loop().call_later(0.1, backend.answers.set)
    [answer] = asking_task.result()
    assert answer.status == 200
    assert not backend.cancelled


async def test_a_request_that_takes_too_long_is_cancelled_at_the_end() -> None:
    backend = Patient()
    before = asyncio.all_tasks()
    async with serve(backend, grace=0.2) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(asking(server))
        await backend.asked.wait()
        began = anyio.current_time()
    assert anyio.current_time() - began < 2
    assert backend.cancelled
    assert asyncio.all_tasks() == before
    assert await reader.read() == b""
    writer.close()


async def test_being_cancelled_ends_a_server_properly() -> None:
    backend = Patient()
    before = asyncio.all_tasks()
    with anyio.move_on_after(0.1) as scope:
        async with serve(backend, grace=0.2) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(asking(server))
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert backend.cancelled
    assert asyncio.all_tasks() == before
    writer.close()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncio.open_connection("127.0.0.1", server.port)


async def test_no_task_and_no_socket_is_left() -> None:
    backend = Patient()
    backend.answers.set()
    before = asyncio.all_tasks()
    async with serve(backend) as server:
        # One that is done, one that stays open, one that says nothing, one in the middle of a line.
        await exchange(server, asking(server), asking(server), answers=2)
        kept = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
        kept[0][1].write(asking(server))
        await read_answer(kept[0][0])
        kept[2][1].write(b"GET / HTT")
        await asyncio.sleep(0.05)
        began = anyio.current_time()
    assert anyio.current_time() - began < 1
    assert asyncio.all_tasks() == before
    for reader, writer in kept:
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncio.open_connection("127.0.0.1", server.port)
    # A socket that nobody closed would warn now, and a warning is an error.
    gc.collect()


async def test_what_the_block_raises_passes() -> None:
    with pytest.raises(KeyError):
        async with serve(Patient()):
            raise KeyError

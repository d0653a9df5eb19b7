"""A session belongs to one event loop and one process, and ends with them."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import anyio
import pytest
import uvloop

from tests.transports.asking import ask, error_of, forgotten
from tests.transports.raw_server import OK, full, repeating, serving, silent
from transports import (
    ConnectTimeoutError,
    Request,
    Response,
    TransportClosedError,
    TransportError,
    WrongEventLoopError,
)
from transports._aiohttp._session import Session
from transports.aiohttp import AiohttpTransport

T = TypeVar("T")
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.parametrize("new_loop", LOOPS.values(), ids=LOOPS)

NewLoop = Callable[[], asyncio.AbstractEventLoop]


def run(new_loop: NewLoop, main: Coroutine[object, object, T]) -> T:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main)


def run_and_only_close(new_loop: NewLoop, main: Coroutine[object, object, object]) -> None:
    loop = new_loop()
    loop.run_until_complete(main)
    loop.close()


async def in_one_connection(transport: AiohttpTransport) -> None:
    # asyncio warns by itself of an open socket that a closed loop has left behind.
    last = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
    async with serving(repeating(last)) as server:
        await transport.send(Request("GET", f"{server.url}/"))


def test_it_is_made_without_a_loop_and_says_how_it_is(new_loop: NewLoop) -> None:
    async def main() -> None:
        await ask(transport)
        assert repr(transport) == "<AiohttpTransport open>"
        await transport.aclose()

    transport = AiohttpTransport()
    assert repr(transport) == "<AiohttpTransport not used yet>"
    run(new_loop, main())
    assert repr(transport) == "<AiohttpTransport closed>"


def test_in_a_second_run_it_works_again(new_loop: NewLoop) -> None:
    transport = AiohttpTransport()
    for _ in range(3):
        with forgotten():
            assert run(new_loop, ask(transport)).body == b"ok"


def test_a_forgotten_aclose_closes_the_connections_with_the_loop(new_loop: NewLoop) -> None:
    transport = AiohttpTransport()
    with forgotten():
        run(new_loop, ask(transport))
    del transport
    gc.collect()  # What it left open would warn, and a warning is an error here.


def test_a_transport_that_nobody_holds_closes_its_connections(new_loop: NewLoop) -> None:
    async def main() -> None:
        closed = asyncio.Event()

        async def script(peer: object) -> None:
            try:
                await repeating(OK)(peer)  # type: ignore[arg-type]
            finally:
                closed.set()

        async with serving(script) as server:
            await AiohttpTransport().send(Request("GET", f"{server.url}/"))
            gc.collect()
            await asyncio.wait_for(closed.wait(), 1)

    with forgotten():
        run(new_loop, main())


def test_after_a_loop_that_was_only_closed_it_works_in_the_next(new_loop: NewLoop) -> None:
    # Without asyncio's own ending of a loop, nobody has closed the session there.
    transport = AiohttpTransport()
    run_and_only_close(new_loop, in_one_connection(transport))
    assert run(new_loop, ask(transport)).body == b"ok"


@pytest.mark.parametrize("how", [run, run_and_only_close])
def test_after_its_loop_was_closed_it_can_be_closed(
    new_loop: NewLoop, how: Callable[[NewLoop, Coroutine[object, object, object]], object]
) -> None:
    transport = AiohttpTransport()
    how(new_loop, in_one_connection(transport))
    run(new_loop, transport.aclose())
    with pytest.raises(TransportClosedError):
        run(new_loop, ask(transport))


def test_in_a_second_loop_it_says_what_to_do(new_loop: NewLoop) -> None:
    async def main() -> None:
        async with serving(repeating(OK)) as server:
            url = f"{server.url}/"
            await transport.send(Request("GET", url))
            error = await anyio.to_thread.run_sync(run, new_loop, error_of(transport, url))
            assert type(error) is WrongEventLoopError
            assert "make one for each loop" in str(error)
            assert (error.maybe_sent, error.retryable) == (False, False)
            assert (await transport.send(Request("GET", url))).body == b"ok"

    transport = AiohttpTransport()
    run(new_loop, main())


def test_closed_from_a_second_loop_it_ends_what_is_under_way_in_the_first(
    new_loop: NewLoop,
) -> None:
    async def main() -> TransportError:
        async with serving(silent) as server:
            url = f"{server.url}/"
            asking = asyncio.create_task(error_of(transport, url))
            await server.seen(1)
            await anyio.to_thread.run_sync(run, new_loop, transport.aclose())
            assert type(await error_of(transport, url)) is TransportClosedError
            return await asyncio.wait_for(asking, 1)

    transport = AiohttpTransport()
    assert type(run(new_loop, main())) is TransportClosedError


def test_closing_twice_at_the_same_time_does_not_hang(new_loop: NewLoop) -> None:
    async def main() -> None:
        await ask(transport)
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(transport.aclose)

    transport = AiohttpTransport()
    run(new_loop, main())


def test_closing_that_is_cancelled_by_asyncio_closes(new_loop: NewLoop) -> None:
    async def main() -> None:
        async with serving(silent) as server:
            asking = asyncio.create_task(error_of(transport, f"{server.url}/"))
            await server.seen(1)
            closing = asyncio.create_task(transport.aclose())
            await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait({closing})
            assert type(await asking) is TransportClosedError
            assert transport._opened is not None
            assert transport._opened.home.is_over

    transport = AiohttpTransport()
    run(new_loop, main())


def test_when_it_is_closed_nothing_is_under_way_any_more(new_loop: NewLoop) -> None:
    # One request has the connection, the other waits for it: aiohttp itself would cancel that one.
    async def main() -> None:
        async with serving(silent) as server:
            asking = [asyncio.create_task(error_of(transport, f"{server.url}/")) for _ in range(2)]
            await server.seen(1)
            await transport.aclose()
            assert [one.done() for one in asking] == [True, True]
            errors = [one.result() for one in asking]
        assert [type(error) for error in errors] == [TransportClosedError] * 2
        assert sorted((error.phase, error.maybe_sent) for error in errors) == [
            ("headers", True),
            ("pool", False),
        ]

    transport = AiohttpTransport(limit=1)
    run(new_loop, main())


def test_when_it_is_closed_no_connection_is_being_made_any_more(new_loop: NewLoop) -> None:
    async def main() -> TransportError:
        with full() as address:
            asking = asyncio.create_task(error_of(transport, f"http://{address}/"))
            await anyio.wait_all_tasks_blocked()
            await transport.aclose()
            assert asking.done()
        return asking.result()

    transport = AiohttpTransport()
    error = run(new_loop, main())
    assert (type(error), error.maybe_sent) == (TransportClosedError, False)


def test_closing_in_a_cancelled_scope_still_waits_until_it_is_closed(new_loop: NewLoop) -> None:
    async def main() -> None:
        async with serving(silent) as server:
            asking = asyncio.create_task(error_of(transport, f"{server.url}/"))
            await server.seen(1)
            with anyio.CancelScope() as scope:
                scope.cancel()
                await transport.aclose()
                assert asking.done()
            assert not scope.cancelled_caught
            assert transport._opened is not None
            assert transport._opened.home.is_over

    transport = AiohttpTransport()
    run(new_loop, main())


def test_a_session_that_its_loop_has_ended_refuses_what_comes_after(new_loop: NewLoop) -> None:
    async def main() -> Response | TransportError:
        session = Session(AiohttpTransport()._settings)
        await session.aclose()
        return await session.outcome(Request("GET", "http://127.0.0.1:9/"), anyio.CancelScope())

    assert type(run(new_loop, main())) is TransportClosedError


def test_while_it_looks_up_a_name_it_runs_out_of_time(new_loop: NewLoop) -> None:
    # asyncio looks names up in the loop's executor, and this one is busy; uvloop has threads of
    # its own, and does it at once.
    async def main() -> TransportError:
        executor = ThreadPoolExecutor(1)
        loop = asyncio.get_running_loop()
        loop.set_default_executor(executor)
        busy = loop.run_in_executor(None, done.wait)
        request = Request("GET", "http://localhost:9/", deadline=anyio.current_time() + 0.1)
        try:
            with pytest.raises(TransportError) as caught:
                await transport.send(request)
        finally:
            done.set()
            await busy
        return caught.value

    done = threading.Event()
    transport = AiohttpTransport()
    error = run(new_loop, main())
    assert not error.maybe_sent
    if new_loop is LOOPS["asyncio"]:
        assert (type(error), error.phase) == (ConnectTimeoutError, "resolve")


FORGETFUL = """
import asyncio
from tests.transports.raw_server import OK, repeating, serving, silent
from transports import Request
from transports.aiohttp import AiohttpTransport

transport = AiohttpTransport()

async def hang(hanging):
    async with serving(silent) as stuck:
        asking = asyncio.create_task(transport.send(Request("GET", f"{stuck.url}/")))
        await stuck.seen(1)
        hanging.set()
        await asking

async def main():
    async with serving(repeating(OK)) as server:
        await transport.send(Request("GET", f"{server.url}/"))
    hanging = asyncio.Event()
    asyncio.create_task(hang(hanging))
    await hanging.wait()

asyncio.run(main())
asyncio.run(main())
print("done")
"""


def test_a_forgotten_aclose_warns_and_does_not_hang_the_exit(new_loop: NewLoop) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", FORGETFUL],
        capture_output=True,
        check=True,
        text=True,
        timeout=20,
    )
    assert done.stdout == "done\n"
    assert done.stderr.count("ResourceWarning: An AiohttpTransport was not closed") == 2
    assert "Traceback" not in done.stderr


FORKING = """
import anyio, asyncio, atexit, os
from tests.transports.raw_server import OK, repeating, serving
from transports import ForkedProcessError, Request, TransportClosedError
from transports.aiohttp import AiohttpTransport

async def ask(url):
    return await transport.send(Request("GET", url))

async def child(url):
    for attempt in range(2):
        try:
            await asyncio.wait_for(ask(url), 5)
        except ForkedProcessError as error:
            assert not error.maybe_sent and "make a new one in the child" in str(error), error
            print("forked", flush=True)
    await asyncio.wait_for(transport.aclose(), 5)
    try:
        await asyncio.wait_for(ask(url), 5)
    except TransportClosedError:
        print("closed", flush=True)
    assert not loop._ready, "something is to be done in the parent's loop"
    other = AiohttpTransport()
    print((await other.send(Request("GET", url))).body, flush=True)
    await other.aclose()

async def serve():
    async with serving(repeating(OK)) as server:
        started.set_result(server)
        await over.wait()

transport = AiohttpTransport()
loop = asyncio.new_event_loop()
started, over = loop.create_future(), asyncio.Event()
served = loop.create_task(serve())
server = loop.run_until_complete(started)
url = f"{server.url}/"
loop.run_until_complete(ask(url))
loop.run_until_complete(anyio.wait_all_tasks_blocked())
pid = os.fork()
if not pid:
    new = asyncio.new_event_loop()
    new.run_until_complete(child(url))
    new.close()
    atexit._run_exitfuncs()  # Whoever measures this process is told that it ends.
    os._exit(0)

async def wait_for_the_child():
    return await asyncio.get_running_loop().run_in_executor(None, os.waitpid, pid, 0)

_, status = loop.run_until_complete(wait_for_the_child())
print(os.waitstatus_to_exitcode(status), flush=True)
print(loop.run_until_complete(asyncio.wait_for(ask(url), 5)).body, server.connections)
loop.run_until_complete(transport.aclose())
over.set()
loop.run_until_complete(served)
loop.run_until_complete(loop.shutdown_default_executor())
loop.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_in_a_forked_child_it_says_so_and_leaves_the_parents_connections_alone(
    new_loop: NewLoop,
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", FORKING],
        capture_output=True,
        check=False,
        text=True,
        timeout=20,
    )
    assert done.stderr == ""
    assert done.stdout.split("\n") == ["forked", "forked", "closed", "b'ok'", "0", "b'ok' 2", ""]

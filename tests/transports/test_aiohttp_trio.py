"""On trio, the session lives in a thread, and what crosses over is neither lost nor left behind."""

import gc
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio
import anyio.to_thread
import pytest
import trio
import trio.testing

from tests.loops import TRIO, on
from tests.transports.asking import ask, error_of, forgotten
from tests.transports.raw_server import OK, Peer, repeating, serving, silent
from transports import (
    ReadTimeoutError,
    Request,
    TransportClosedError,
    TransportError,
    WrongEventLoopError,
)
from transports._aiohttp._thread import InAThread, LoopThread
from transports.aiohttp import AiohttpTransport

T = TypeVar("T")


def loop_threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "AiohttpTransport"]


@contextmanager
def leaving_no_thread() -> Iterator[None]:
    assert loop_threads() == []
    yield
    assert loop_threads() == []


async def nothing() -> None:
    pass


@on([TRIO])
async def test_the_thread_is_there_from_the_first_request_until_it_is_closed() -> None:
    with leaving_no_thread():
        transport = AiohttpTransport()
        assert loop_threads() == []
        for _ in range(2):
            assert (await ask(transport)).body == b"ok"
        assert loop_threads() == ["AiohttpTransport"]
        await transport.aclose()


@on([TRIO])
async def test_it_is_closed_with_nothing_done_and_nothing_left() -> None:
    # Cancelled before it begins, a request starts the thread and no session.
    with leaving_no_thread():
        transport = AiohttpTransport()
        with trio.CancelScope() as scope:
            scope.cancel()
            await transport.send(Request("GET", "http://127.0.0.1:9/"))
        assert loop_threads() == ["AiohttpTransport"]
        await transport.aclose()


@on([TRIO])
async def test_a_task_that_was_cancelled_before_sends_nothing() -> None:
    transport = AiohttpTransport()
    async with serving(repeating(OK)) as server:
        await transport.send(Request("GET", f"{server.url}/"))
        with trio.CancelScope() as scope:
            scope.cancel()
            await transport.send(Request("GET", f"{server.url}/"))
        assert scope.cancelled_caught
        await transport.send(Request("GET", f"{server.url}/"))
        assert len(server.messages) == 2
    await transport.aclose()


@on([TRIO])
async def test_a_task_that_is_cancelled_goes_on_when_its_connection_is_free() -> None:
    transport = AiohttpTransport(limit=1)
    async with serving(silent) as stuck, serving(repeating(OK)) as server:
        for number in range(1, 6):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(transport.send, Request("GET", f"{stuck.url}/"))
                await stuck.seen(number)
                nursery.cancel_scope.cancel()
            # The only place is free at once, or this would wait for it.
            request = Request("GET", f"{server.url}/", deadline=trio.current_time() + 5)
            assert (await transport.send(request)).body == b"ok"
    await transport.aclose()


@on([TRIO])
async def test_of_calls_that_are_cancelled_at_once_none_is_under_way_any_more() -> None:
    under_way = 0

    async def work(scope: anyio.CancelScope) -> None:
        nonlocal under_way
        under_way += 1
        try:
            with scope:
                await anyio.sleep_forever()
        finally:
            under_way -= 1

    thread = LoopThread()
    for _ in range(20):
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(thread.run, work)
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert under_way == 0
    await thread.stop(nothing)


@on([TRIO])
async def test_what_a_cancelled_call_returns_all_the_same_is_not_lost() -> None:
    async def work(_: anyio.CancelScope) -> str:
        begun.set()
        await anyio.to_thread.run_sync(proceed.wait)
        return "done"

    async def run() -> None:
        got.append(await thread.run(work))

    got: list[str] = []
    begun, proceed = threading.Event(), threading.Event()
    thread = LoopThread()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.to_thread.run_sync(begun.wait)
        nursery.cancel_scope.cancel()
        proceed.set()
    await thread.stop(nothing)
    assert got == ["done"]


@on([TRIO])
async def test_what_is_raised_over_there_is_raised_here() -> None:
    async def work(_: anyio.CancelScope) -> None:
        raise KeyError("x")

    thread = LoopThread()
    with pytest.raises(KeyError):
        await thread.run(work)
    await thread.stop(nothing)


@on([TRIO])
async def test_its_deadline_is_one_of_trios_clock() -> None:
    transport = AiohttpTransport()
    async with serving(silent) as server:
        began = trio.current_time()
        with pytest.raises(ReadTimeoutError) as caught:
            await transport.send(Request("GET", f"{server.url}/", deadline=began + 0.2))
        assert 0.19 < trio.current_time() - began < 5
    assert (caught.value.phase, caught.value.maybe_sent) == ("headers", True)
    await transport.aclose()


@on([TRIO])
async def test_closed_it_has_ended_what_was_under_way() -> None:
    with leaving_no_thread():
        async with serving(silent) as server, trio.open_nursery() as nursery:
            errors: list[TransportError] = []

            async def sends() -> None:
                errors.append(await error_of(transport, f"{server.url}/"))

            transport = AiohttpTransport(limit=1)
            for _ in range(3):
                nursery.start_soon(sends)
            await server.seen(1)
            await transport.aclose()
            assert loop_threads() == []
        assert [type(error) for error in errors] == [TransportClosedError] * 3
        assert sorted(error.phase for error in errors) == ["headers", "pool", "pool"]


@on([TRIO])
async def test_closing_that_is_cancelled_closes_all_the_same() -> None:
    with leaving_no_thread():
        transport = AiohttpTransport()
        await ask(transport)
        with trio.CancelScope() as scope:
            scope.cancel()
            await transport.aclose()


def test_in_a_second_run_it_works_again_and_was_closed_with_the_first() -> None:
    transport = AiohttpTransport()
    for _ in range(2):
        with leaving_no_thread(), forgotten():
            assert trio.run(ask, transport).body == b"ok"


def test_after_its_run_it_works_on_asyncio_and_the_other_way_round() -> None:
    transport = AiohttpTransport()
    for backend in ("trio", "asyncio", "trio"):
        with forgotten():
            assert anyio.run(ask, transport, backend=backend).body == b"ok"


def test_after_its_run_it_can_be_closed() -> None:
    transport = AiohttpTransport()
    with forgotten():
        trio.run(ask, transport)
    trio.run(transport.aclose)
    assert type(trio.run(error_of, transport, "http://127.0.0.1:9/")) is TransportClosedError


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
@on([TRIO])
async def test_in_another_loop_while_this_one_lives_it_says_what_to_do(backend: str) -> None:
    async def elsewhere(call: Callable[..., Awaitable[T]], *args: object) -> T:
        return await trio.to_thread.run_sync(lambda: anyio.run(call, *args, backend=backend))

    transport = AiohttpTransport()
    async with serving(silent) as server, trio.open_nursery() as nursery:
        nursery.start_soon(error_of, transport, f"{server.url}/")
        await server.seen(1)
        error = await elsewhere(error_of, transport, f"{server.url}/")
        assert type(error) is WrongEventLoopError
        assert not error.maybe_sent
        # It hands the closing over, which ends what is under way here.
        await elsewhere(transport.aclose)
    with trio.fail_after(5):
        while loop_threads():
            await trio.testing.wait_all_tasks_blocked()
    assert type(await error_of(transport, "http://127.0.0.1:9/")) is TransportClosedError


@on([TRIO])
async def test_a_transport_that_nobody_holds_is_closed() -> None:
    closed = trio.Event()

    async def script(peer: Peer) -> None:
        try:
            await repeating(OK)(peer)
        finally:
            closed.set()

    async def forget() -> None:
        async with serving(script) as server:
            await AiohttpTransport().send(Request("GET", f"{server.url}/"))
            gc.collect()
            with trio.fail_after(5):
                await closed.wait()
                while loop_threads():
                    await trio.testing.wait_all_tasks_blocked()

    with forgotten():
        await forget()


@on([TRIO])
async def test_closing_does_not_wait_for_threads_of_the_program() -> None:
    limiter = trio.to_thread.current_default_thread_limiter()
    transport = AiohttpTransport()
    await ask(transport)
    before, limiter.total_tokens = limiter.total_tokens, 1
    try:
        async with limiter:
            with trio.fail_after(5):
                await transport.aclose()
    finally:
        limiter.total_tokens = before


@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
def test_after_a_run_that_crashed_it_works_in_the_next_and_its_thread_ends() -> None:
    async def crash() -> None:
        async def fail() -> None:
            raise ValueError

        await ask(transport)
        trio.lowlevel.spawn_system_task(fail)
        await trio.sleep_forever()

    async def ask_again() -> bytes:
        answer = await ask(transport)
        with trio.fail_after(5):
            while len(loop_threads()) > 1:
                await trio.testing.wait_all_tasks_blocked()
        await transport.aclose()
        return answer.body

    transport = AiohttpTransport()
    with pytest.raises(trio.TrioInternalError), warnings.catch_warnings(action="ignore"):
        trio.run(crash)
    assert trio.run(ask_again) == b"ok"
    assert loop_threads() == []


@on([TRIO])
async def test_opened_in_two_loops_at_once_it_is_in_use_in_one() -> None:
    def elsewhere() -> str:
        async def ask() -> str:
            try:
                await transport.send(Request("GET", f"{server.url}/"))
            except (WrongEventLoopError, TransportClosedError) as error:
                return type(error).__name__
            await transport.aclose()
            return "answered"

        return trio.run(ask)

    ends: list[str] = []

    async def collect() -> None:
        ends.append(await trio.to_thread.run_sync(elsewhere))

    transport = AiohttpTransport()
    async with serving(repeating(OK)) as server, trio.open_nursery() as nursery:
        with transport._lock, trio.fail_after(10):
            nursery.start_soon(collect)
            nursery.start_soon(collect)
            while len(loop_threads()) < 2:  # Both have opened, and neither can keep it yet.
                await trio.testing.wait_all_tasks_blocked()
    assert loop_threads() == []
    assert sorted(ends)[1] == "answered"


@on([TRIO])
async def test_a_home_is_closed_once() -> None:
    home = InAThread(AiohttpTransport()._settings)
    for _ in range(2):
        await home.aclose()
        assert loop_threads() == []


INTERRUPTED_ANYWHERE = """
import gc, signal, sys, threading, warnings
import trio
from transports import Request, TransportError
from transports.aiohttp import AiohttpTransport

async def main(moment):
    def count(frame, event, argument):
        nonlocal moment
        # After calls is where Python looks for signals, and not before a lock is released.
        moment -= event == "c_return"
        if moment == 0:
            sys.setprofile(None)
            signal.raise_signal(signal.SIGINT)

    transport = AiohttpTransport()
    sys.setprofile(count)
    try:
        await transport.send(Request("GET", "http://127.0.0.1:9/"))
    except TransportError as error:
        assert "Connect" in str(error), error
    finally:
        await transport.aclose()
        sys.setprofile(None)
    return moment > 0

# What is imported is imported: an interrupt in the middle of that is Python's to survive.
trio.run(main, 10**9)
moment, passed = 1, False
while not passed:
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        try:
            passed = trio.run(main, moment)
        except KeyboardInterrupt:
            pass
        gc.collect()
    left = [one.name for one in threading.enumerate() if one.name == "AiohttpTransport"]
    assert not left, moment
    moment += 5
print("done", moment > 50)
"""


def test_ctrl_c_at_any_moment_from_the_first_request_to_the_closing_is_one_and_leaves_nothing() -> (
    None
):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_ANYWHERE],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.returncode) == ("done True\n", 0), done.stderr


INTERRUPTED = """
import sys, trio
from tests.transports.raw_server import serving, silent
from transports import Request
from transports.aiohttp import AiohttpTransport

transport = AiohttpTransport()

async def main():
    async with serving(silent) as server, trio.open_nursery() as nursery:
        nursery.start_soon(transport.send, Request("GET", f"{server.url}/"))
        await server.seen(1)
        print("asked", flush=True)
        await transport.send(Request("GET", f"{server.url}/"))

try:
    trio.run(main)
except* KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_ends_it_and_leaves_no_thread_behind() -> None:
    command = [sys.executable, "-X", "dev", "-W", "always", "-c", INTERRUPTED]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=20)
    assert out == "interrupted\n"
    assert "was not closed" in errors
    assert "Traceback" not in errors
    assert process.returncode == 0


@on([TRIO])
async def test_without_a_thread_it_is_an_error_with_a_name_and_may_be_tried_again() -> None:
    transport = AiohttpTransport()
    usual = threading.stack_size(1 << 47)  # More than there is.
    try:
        error = await error_of(transport, "http://127.0.0.1:9/")
    finally:
        threading.stack_size(usual)
    assert type(error) is TransportError
    assert "could be started: can't start new thread" in str(error)
    assert (error.phase, error.maybe_sent) == ("pool", False)
    assert (await ask(transport)).body == b"ok"
    await transport.aclose()


EXHAUSTED = """
import logging, resource, trio
from transports import Request, TransportError
from transports.aiohttp import AiohttpTransport

async def main():
    transport = AiohttpTransport()
    limits = resource.getrlimit(kind)
    resource.setrlimit(kind, (least, limits[1]))
    try:
        await transport.send(Request("GET", "http://127.0.0.1:9/"))
    except TransportError as error:
        print(type(error).__name__, error)
    resource.setrlimit(kind, limits)
    try:
        await transport.send(Request("GET", "http://127.0.0.1:9/"))
    except TransportError as error:
        print(type(error).__name__)
    await transport.aclose()

# In its debug mode asyncio tells what has taken long, as anything does on a busy machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)
kind, least = resource.RLIMIT_NOFILE, len(__import__("os").listdir("/proc/self/fd"))
trio.run(main)
"""


def test_without_a_file_to_open_it_is_an_error_with_a_name_and_may_be_tried_again() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", EXHAUSTED],
        capture_output=True,
        check=True,
        text=True,
        timeout=20,
    )
    first, second = done.stdout.splitlines()
    assert first.startswith("TransportError No connection could be made, because nothing")
    assert "Too many open files" in first
    assert "phase pool, was not sent" in first
    assert second == "ConnectError"
    assert done.stderr == ""

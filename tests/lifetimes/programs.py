"""The other processes of these tests: `python -m tests.lifetimes.programs <program> <loop> ...`.

Each makes its clients from the environment, as `Service.environment` gives it.
"""
# ruff: noqa: T201 - what a process has to say it prints.

import asyncio
import faulthandler
import gc
import os
import signal
import sys
import threading
from functools import partial
from typing import Any, NoReturn

import anyio
import anyio.to_thread
import trio
import uvloop

from connectors import Client, ClientClosedError, ClientUsageError
from tests.lifetimes.runs import LIMIT, RUNS

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
HELD: list[Client] = []


async def token(client: Client) -> str:
    return (await client.as_service_role.connectors.get_connection("slack")).access_token


async def until_told() -> None:
    """Wait for standard input, with no thread that would be left in a loop that is dropped."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, told.set)
    await told.wait()
    loop.remove_reader(sys.stdin)


def drop_a_loop(name: str) -> None:
    """Close a loop with calls under way, as old programs do; then use and close the client."""

    async def leave() -> None:
        calls = (token(client), client.management.list_connectors())
        tasks.extend(map(loop.create_task, calls))
        await until_told()

    async def use_and_close() -> None:
        with anyio.fail_after(LIMIT):
            print(await token(client))
            await client.aclose()

    client, loop = Client.from_env(), LOOPS[name]()
    tasks: list[asyncio.Task[object]] = []
    loop.run_until_complete(leave())
    loop.close()
    RUNS[name](use_and_close)


def be_bounded() -> None:
    """Let no test wait for ever for this process, and show where it was instead."""
    faulthandler.register(signal.SIGALRM, chain=True)
    signal.alarm(2 * LIMIT)


def fork(name: str) -> None:
    """Fork with calls under way; the child tries the client, and the parent goes on with it."""

    async def shared() -> None:
        print("parent", await token(client), flush=True)

    async def main() -> None:
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(shared)
            tasks.start_soon(client.management.list_connectors)
            await anyio.to_thread.run_sync(sys.stdin.readline)
            await client.management.list_connectors()  # Its connection is idle now.
            lock = lock_of_the_loop(name)
            lock.acquire()
            pid = os.fork()
            if not pid:
                be_the_child(client, name)
            lock.release()
            _, status = await anyio.to_thread.run_sync(os.waitpid, pid, 0)
            print("child", os.waitstatus_to_exitcode(status), flush=True)

    client = Client.from_env()
    RUNS[name](main)


def lock_of_the_loop(name: str) -> Any:
    """What a thread holds for a moment when it wakes the loop: the fork may come in just that."""
    if name == "trio":
        return trio.lowlevel.current_trio_token()._reentry_queue.lock
    return threading.RLock()


def be_the_child(client: Client, name: str) -> NoReturn:
    be_bounded()
    # In a thread of its own: in this one the parent's loop runs, as far as anybody can tell.
    thread = threading.Thread(target=RUNS[name], args=(try_in_child, client))
    thread.start()
    thread.join()
    os._exit(0)


async def try_in_child(client: Client) -> None:
    with anyio.fail_after(LIMIT):
        for call in (partial(token, client), client.management.list_connectors):
            try:
                await call()
            except ClientUsageError as error:
                told = "make a new one in the child" in str(error)
                print(type(error.__cause__).__name__, told, flush=True)
        await client.aclose()
        try:
            await token(client)
        except ClientClosedError:
            print("closed", flush=True)
        async with Client.from_env() as own:
            print("own", await token(own), flush=True)


def forget(name: str, how: str) -> None:
    """Make a client, use it, and end without closing it."""

    async def main() -> None:
        client = Client.from_env()
        await token(client)
        match how:
            case "held":
                HELD.append(client)
            case "failing":
                raise LookupError
            case "collected":
                del client
                gc.collect()
                print("collected", flush=True)
                await anyio.sleep(0.1)

    RUNS[name](main)
    print("done", flush=True)


def forget_often(name: str) -> None:
    """Run a loop again and again, each with a client that goes when it ends."""

    async def main() -> None:
        await Client.from_env().management.list_connectors()

    for _ in range(20):
        RUNS[name](main)
    print("done", flush=True)


def forget_in_flight(name: str) -> None:
    """End with a request under way in a task that nobody waits for."""

    async def main() -> None:
        client = Client.from_env()
        HELD.append(client)
        asking = asyncio.ensure_future(client.management.list_connectors())
        await until_told()
        assert not asking.done()

    RUNS[name](main)
    print("done", flush=True)


def forget_the_loop(name: str) -> None:
    """End with a request under way in a loop that nobody closes."""

    async def main() -> None:
        HELD.append(Client.from_env())
        tasks.append(asyncio.ensure_future(HELD[0].management.list_connectors()))
        await until_told()

    tasks: list[asyncio.Future[object]] = []
    loop = LOOPS[name]()
    loop.run_until_complete(main())
    print("done", flush=True)


def wait(name: str) -> None:
    """Be interrupted in a request, without having cared for closing."""

    async def main() -> None:
        HELD.append(Client.from_env())
        await HELD[0].management.list_connectors()

    RUNS[name](main)


def close_in_time(name: str) -> None:
    """Be interrupted inside `async with`."""

    async def main() -> None:
        async with Client.from_env() as client:
            await client.management.list_connectors()

    RUNS[name](main)


PROGRAMS = {
    program.__name__: program
    for program in (
        drop_a_loop,
        fork,
        forget,
        forget_often,
        forget_in_flight,
        forget_the_loop,
        wait,
        close_in_time,
    )
}

if __name__ == "__main__":
    be_bounded()
    PROGRAMS[sys.argv[1]](*sys.argv[2:])

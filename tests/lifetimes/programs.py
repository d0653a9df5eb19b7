"""The other processes of these tests: `python -m tests.lifetimes.programs <program> <loop>`.

Each makes its client from the environment, as `Service.environment` gives it.
"""
# ruff: noqa: T201 - what a process has to say it prints.

import asyncio
import sys

import anyio
import uvloop

from connectors import Client
from tests.lifetimes.runs import RUNS
from tests.lifetimes.service import LIMIT, TOKEN

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


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
            assert await token(client) == TOKEN
            await client.aclose()

    client, loop = Client.from_env(), LOOPS[name]()
    tasks: list[asyncio.Task[object]] = []
    loop.run_until_complete(leave())
    loop.close()
    RUNS[name](use_and_close)
    print("done")


PROGRAMS = {program.__name__: program for program in (drop_a_loop,)}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](*sys.argv[2:])

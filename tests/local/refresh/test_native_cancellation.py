"""asyncio's own `Task.cancel` goes through every shield; what has come is kept all the same."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from connectors.local._refresh import RefreshPostponedError
from tests.local.refresh.providers import ACCESS, World, begun, settled, token, world
from tests.local.refresh.test_unsaved_tokens import block_spool
from tests.local.vaults import database
from tests.loops import REAL_ASYNCIO, on
from transports import Request, Response, Secret

pytestmark = on(REAL_ASYNCIO)


async def test_tokens_that_have_come_are_kept_though_the_refresh_is_cancelled(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        row = await it.connect()
        it.clock.now += 3600
        answered = anyio.Event()

        async def call() -> None:
            with pytest.raises(RefreshPostponedError):
                await it.get()

        with database(it.vault.path) as another:

            def answer(request: Request) -> Response:
                # From here on another process writes, so that keeping the tokens takes a while.
                another.execute("BEGIN IMMEDIATE")
                answered.set()
                return it.provider.renew(request)

            it.provider.next = [answer]
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                await begun(it)
                flight = it.keeper._refreshes.find((row.id, True))
                assert flight is not None
                assert isinstance(flight._task, asyncio.Task)
                await answered.wait()
                for _ in range(100):
                    await asyncio.sleep(0)
                flight._task.cancel()
                for _ in range(100):
                    await asyncio.sleep(0)
                another.execute("ROLLBACK")
        kept = await it.row()
        assert token(kept) != ACCESS
        assert kept.refresh_token == Secret(it.provider.refresh_token)


async def cancel_between_two_saves(it: World) -> None:
    """Cancel a refresh that waits to save its tokens once more, before the vault is free."""
    with database(it.vault.path) as another:
        answered = anyio.Event()

        def answer(request: Request) -> Response:
            another.execute("BEGIN IMMEDIATE")
            answered.set()
            return it.provider.renew(request)

        it.provider.next = [answer]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.keeper.renew, await it.row())
            await answered.wait()
            flight = it.keeper._refreshes.find(((await it.row()).id, False))
            assert flight is not None
            assert isinstance(flight._task, asyncio.Task)
            while "sleep" not in waits_in(flight._task):  # noqa: ASYNC110 - none tells.
                await asyncio.sleep(0)
            flight._task.cancel()
        another.execute("ROLLBACK")


def waits_in(task: "asyncio.Task[object]") -> Iterator[str]:
    """The names of the functions that a task is in."""
    waiting: Any = task.get_coro()
    while hasattr(waiting, "cr_await"):
        yield waiting.cr_code.co_name
        waiting = waiting.cr_await


async def test_tokens_are_kept_beside_the_vault_though_the_wait_for_it_is_cancelled(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        await it.connect()
        await cancel_between_two_saves(it)
        kept = await it.row()
        assert token(kept) != ACCESS
        assert kept.refresh_token == Secret(it.provider.refresh_token)


async def test_tokens_that_nothing_takes_stay_in_memory_though_the_wait_is_cancelled(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        await it.connect()
        block_spool(it)
        await cancel_between_two_saves(it)
        assert token(await it.get()) != ACCESS
        await settled(it)
        assert (await it.row()).refresh_token == Secret(it.provider.refresh_token)
        assert it.provider.alive

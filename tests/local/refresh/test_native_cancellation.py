"""asyncio's own `Task.cancel` goes through every shield; what has come is kept all the same."""

import asyncio
from pathlib import Path

import anyio
import pytest

from connectors.local._refresh import RefreshPostponedError
from tests.local.refresh.providers import ACCESS, begun, token, world
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

        def answer(request: Request) -> Response:
            answered.set()
            return it.provider.renew(request)

        it.provider.next = [answer]

        async def call() -> None:
            with pytest.raises(RefreshPostponedError):
                await it.get()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await begun(it)
            flight = it.keeper._refreshes.find((row.id, True))
            assert flight is not None
            assert isinstance(flight._task, asyncio.Task)
            # Another process writes, so that keeping them takes a while.
            await answered.wait()
            with database(it.vault.path) as connection:
                connection.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(0)
                flight._task.cancel()
                connection.execute("ROLLBACK")
        kept = await it.row()
        assert token(kept) != ACCESS
        assert kept.refresh_token == Secret(it.provider.refresh_token)

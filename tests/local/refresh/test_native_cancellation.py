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

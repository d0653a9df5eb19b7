"""A refresh whose tokens the disk does not take: they are kept elsewhere, and not lost.

The provider ends a grant when a refresh token is used twice, as the strict ones do. The wall clock
is set by hand; the rest is real, because a vault works in threads.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from connectors.local._refresh import RefreshPostponedError
from tests.local.refresh.providers import ACCESS, OWNER, World, token, world
from tests.local.vaults import database
from tests.loops import REAL, on
from transports import Request, Response, Secret

pytestmark = on(REAL)

HOUR = 3600.0


@asynccontextmanager
async def written_to(it: World) -> AsyncIterator[None]:
    """From the next answer of the provider on, another process writes to the vault."""
    locked, may_end = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as tasks:

        async def answer(request: Request) -> Response:
            response = it.provider.renew(request)
            tasks.start_soon(keep_locked, it.vault.path, locked, may_end)
            await locked.wait()
            return response

        it.provider.next = [answer]
        yield
        may_end.set()


async def test_what_the_vault_does_not_take_is_kept_beside_it_and_found_by_every_process(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        await it.connect()
        it.clock.now += HOUR
        async with written_to(it):
            got = await it.get()
            assert token(got) != ACCESS
            found = await it.another().connection(OWNER)
            assert found is not None
            assert token(found) == token(got)
        assert (await it.row()).refresh_token == Secret(it.provider.refresh_token)
        it.clock.now += HOUR
        await it.get()
        assert it.provider.alive


async def test_what_nothing_takes_is_served_from_memory_and_never_renewed_until_it_is_kept(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        await it.connect()
        it.clock.now += HOUR
        block_spool(it)
        async with written_to(it):
            got = await it.get()
            assert token(got) != ACCESS
            assert token(await it.get()) == token(got)
            it.clock.now += HOUR
            with pytest.raises(RefreshPostponedError, match="disk"):
                await it.get()
            it.clock.now -= HOUR
        assert token(await it.get()) == token(got)
        row = await it.row()
        assert token(row) == token(got)
        it.clock.now += HOUR
        await it.get()
        assert it.provider.alive
        assert len(it.provider.presented) == 2


async def test_what_nothing_took_is_of_no_use_after_a_new_consent(tmp_path: Path) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        await it.connect()
        it.clock.now += HOUR
        block_spool(it)
        async with written_to(it):
            await it.get()
        new = {"refresh_token": "of-the-new-consent", "expires_at": it.clock.now + HOUR}
        await it.connect(**new)
        assert (await it.get()).refresh_token == Secret("of-the-new-consent")


def block_spool(it: World) -> None:
    """Let there be a folder that can be read, and in which nobody can make a file."""
    it.vault.path.with_name("vault.db.spool").symlink_to("/proc/self/task")


async def keep_locked(path: Path, locked: anyio.Event, may_end: anyio.Event) -> None:
    with database(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        locked.set()
        await may_end.wait()
        connection.execute("ROLLBACK")

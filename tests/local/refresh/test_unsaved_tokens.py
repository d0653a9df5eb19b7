"""A refresh whose tokens the disk does not take: they are kept elsewhere, and not lost.

The provider ends a grant when a refresh token is used twice, as the strict ones do. The wall clock
is set by hand; the rest is real, because a vault works in threads.
"""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
import structlog

from connectors._requests import rejected_digest
from connectors.local import Grant, Owner, VaultError
from connectors.local._refresh import RefreshPolicy, RefreshPostponedError
from connectors.local._refresh._locks import ProcessLock
from tests.local.refresh.providers import (
    ACCESS,
    OWNER,
    REFRESH,
    TYPE,
    World,
    begun,
    sent,
    settled,
    token,
    world,
)
from tests.local.steps import due
from tests.local.vaults import database
from tests.loops import REAL, on
from transports import Request, Response, Secret

pytestmark = on(REAL)

HOUR = 3600.0


@asynccontextmanager
async def written_to(it: World, *, takes: float = 0.0) -> AsyncIterator[None]:
    """From the next answer of the provider on, which takes so long, another process writes."""
    locked, may_end = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as tasks:

        async def answer(request: Request) -> Response:
            response = it.provider.renew(request)
            it.clock.now += takes
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
            got = token(await it.get())
            assert got != ACCESS
            found = await it.another().connection(OWNER)
            assert found is not None
            assert token(found) == got
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
            got = token(await it.get())
            assert got != ACCESS
            assert token(await it.get()) == got
            it.clock.now += HOUR
            with pytest.raises(RefreshPostponedError, match="disk"):
                await it.get()
            it.clock.now -= HOUR
        assert token(await it.get()) == got
        await settled(it)
        row = await it.row()
        assert token(row) == got
        it.clock.now += HOUR
        await it.get()
        assert it.provider.alive
        assert len(it.provider.presented) == 2


async def test_what_nothing_took_is_handed_out_at_once_and_saved_once_for_all(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        row = await it.connect()
        it.clock.now += HOUR
        got = await unsaved(it)
        with structlog.testing.capture_logs() as events:
            async with locked(it):
                async with ProcessLock(it.vault.path, row.lock_key):
                    with anyio.fail_after(5):
                        for _ in range(10):
                            assert token(await it.get()) == got
                await settled(it)
        assert [event["outcome"] for event in events] == ["unsaved"]
        assert it.provider.presented == [REFRESH]


async def test_while_it_is_saved_nobody_waits_for_the_vault(tmp_path: Path) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        row = await it.connect()
        it.clock.now += HOUR
        got = await unsaved(it)
        busy, may_end = threading.Event(), threading.Event()

        def keep_busy(_: object) -> None:
            busy.set()
            assert may_end.wait(30)

        async with (
            ProcessLock(it.vault.path, row.lock_key),
            anyio.create_task_group() as tasks,
        ):
            assert token(await it.get()) == got
            tasks.start_soon(it.vault._work.run, keep_busy)
            assert await anyio.to_thread.run_sync(busy.wait, 30)
            try:
                with anyio.fail_after(5):
                    assert token(await it.get()) == got
            finally:
                may_end.set()


@pytest.mark.parametrize("why", ["expired", "refused"])
async def test_who_can_not_do_with_what_nothing_took_gets_a_new_one_once_it_is_saved(
    tmp_path: Path, why: str
) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        await it.connect()
        it.clock.now += HOUR
        got = await unsaved(it)
        it.clock.now += HOUR if why == "expired" else 60
        rejected = rejected_digest(Secret(got)) if why == "refused" else None
        assert token(await it.get(rejected=rejected)) not in {ACCESS, got}
        assert len(it.provider.presented) == 2
        assert it.provider.alive


async def test_what_nothing_took_and_has_ended_on_its_way_is_handed_out_to_nobody(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        await it.connect()
        it.clock.now += HOUR
        block_spool(it)
        async with written_to(it, takes=HOUR):
            with pytest.raises(RefreshPostponedError, match="disk"):
                await it.get()
        assert token(await it.get()) != ACCESS
        assert it.provider.alive


async def test_what_nothing_took_is_for_all_of_its_chain(tmp_path: Path) -> None:
    other = Owner.workspace("app-1", "c-1")
    async with world(tmp_path, busy_timeout=0.01) as it:
        for owner in (OWNER, other):
            await it.vault.put(
                owner,
                Grant(
                    TYPE,
                    ACCESS,
                    refresh_token=REFRESH,
                    obtained_at=it.clock.now,
                    expires_at=it.clock.now + HOUR,
                    source="oauth",
                    lock_key="chain",
                ),
            )
        it.clock.now += HOUR
        got = await unsaved(it)
        it.clock.now += 60
        for _ in range(2):
            found = await it.keeper.connection(other)
            assert found is not None
            assert token(found) == got
            await settled(it)
        assert it.provider.presented == [REFRESH]


async def test_closing_saves_what_nothing_took(tmp_path: Path) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        await it.connect()
        it.clock.now += HOUR
        got = await unsaved(it)
        await it.keeper.aclose()
        row = await it.row()
        assert token(row) == got
        assert row.refresh_token == Secret(it.provider.refresh_token)


async def test_closing_waits_for_no_disk_for_ever(tmp_path: Path) -> None:
    policy = RefreshPolicy(patience=0.2)
    async with world(tmp_path, busy_timeout=0.01, policy=policy) as it:
        row = await it.connect()
        it.clock.now += HOUR
        block_spool(it)
        async with written_to(it):
            with pytest.raises(RefreshPostponedError):
                await it.get()
            await settled(it)
        async with ProcessLock(it.vault.path, row.lock_key):
            got = token(await it.get())
            with anyio.fail_after(5):
                await it.keeper.aclose()
        assert token(await it.get()) == got
        with pytest.raises(RefreshPostponedError, match="closed"):
            await it.get(rejected=rejected_digest(Secret(got)))


async def test_closing_saves_what_it_can_though_one_chain_is_held_by_another_process(
    tmp_path: Path,
) -> None:
    owners = [Owner.workspace("app-1", f"c-{number}") for number in range(3)]
    policy = RefreshPolicy(patience=3.0)
    async with world(tmp_path, busy_timeout=0.01, policy=policy) as it:
        it.provider.rotates = False
        rows = []
        for owner in owners:
            grant = Grant(
                TYPE,
                ACCESS,
                refresh_token=REFRESH,
                obtained_at=it.clock.now,
                expires_at=it.clock.now + HOUR,
                source="oauth",
            )
            rows.append(await it.vault.put(owner, grant))
        it.clock.now += HOUR
        block_spool(it)
        for owner in owners:
            async with written_to(it):
                assert await it.keeper.connection(owner) is not None
        async with ProcessLock(it.vault.path, rows[0].lock_key):
            await it.keeper.aclose()
        saved = [await it.vault.find(row.id) for row in rows]
        assert [found is not None and token(found) != ACCESS for found in saved] == [
            False,
            True,
            True,
        ]


async def test_what_is_only_in_memory_is_saved_before_another_refresh_presents_anything(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        await it.connect()
        # The first renews it ahead of its time, and the second waits for the first one's lock.
        it.clock.now += HOUR - 800
        block_spool(it)
        locked, may_end, ended = anyio.Event(), anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as tasks:

            async def second() -> None:
                with pytest.raises(RefreshPostponedError, match="disk"):
                    await it.get(rejected=rejected_digest(Secret(ACCESS)))
                ended.set()

            async def answer(request: Request) -> Response:
                response = it.provider.renew(request)
                tasks.start_soon(keep_locked, it.vault.path, locked, may_end)
                await locked.wait()
                # All that comes now takes longer than a token is left alone.
                it.clock.now += 30
                tasks.start_soon(second)
                await begun(it)
                return response

            it.provider.next = [answer]
            await it.get()
            await ended.wait()
            may_end.set()
        assert (it.provider.presented, it.provider.alive) == ([REFRESH], True)
        await it.keeper.aclose()
        assert (await it.row()).refresh_token == Secret(it.provider.refresh_token)


async def test_what_came_for_a_connection_that_is_gone_is_revoked_once_that_can_be_written_down(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR

        async def gone(request: Request) -> Response:
            await it.vault.disconnect(OWNER)
            with database(it.vault.path) as other:
                other.execute(
                    "CREATE TRIGGER t BEFORE INSERT ON revocations "
                    "BEGIN SELECT RAISE(ABORT, 'full'); END"
                )
            return it.provider.renew(request)

        it.provider.next = [gone]
        await it.get()
        with database(it.vault.path) as other:
            other.execute("DROP TRIGGER t")
        await it.keeper.aclose()
        queued = await due(it.vault, it.clock.now)
        assert it.provider.refresh_token in {
            job.refresh_token.reveal() for job in queued if job.refresh_token
        }


async def test_disconnecting_tells_the_provider_of_the_tokens_that_nothing_took(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        revoked = []

        def revoke(request: Request) -> Response:
            revoked.append(sent(request)["token"])
            return Response(200)

        it.transport.route("POST", "https://api.box.com/oauth2/revoke", revoke)
        await it.connect()
        it.clock.now += HOUR
        await unsaved(it)
        assert await it.keeper.disconnect(OWNER)
        await it.keeper.revoke()
        assert revoked == [it.provider.refresh_token]


async def test_what_nothing_takes_is_not_erased_either(tmp_path: Path) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        await it.connect()
        it.clock.now += HOUR
        got = await unsaved(it)
        async with locked(it):
            with pytest.raises(VaultError):
                await it.keeper.disconnect(OWNER)
            assert token(await it.get()) == got


async def test_what_nothing_took_is_revoked_when_another_process_has_disconnected_it(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, busy_timeout=0.01) as it:
        await it.connect()
        it.clock.now += HOUR
        await unsaved(it)
        await it.vault.disconnect(OWNER)
        assert await it.keeper.connection(OWNER) is None
        await it.keeper.aclose()
        queued = await due(it.vault, it.clock.now)
        assert Secret(it.provider.refresh_token) in [job.refresh_token for job in queued]


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


async def unsaved(it: World) -> str:
    """The new token of a connection that nothing has taken; from now on the vault would."""
    block_spool(it)
    async with written_to(it):
        return token(await it.get())


@asynccontextmanager
async def locked(it: World) -> AsyncIterator[None]:
    """Another process writes to the vault."""
    is_locked, may_end = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_locked, it.vault.path, is_locked, may_end)
        await is_locked.wait()
        yield
        may_end.set()


def block_spool(it: World) -> None:
    """Let there be a folder that can be read, and in which nobody can make a file."""
    it.vault.path.with_name("vault.db.spool").symlink_to("/proc/self/task")


async def keep_locked(path: Path, locked: anyio.Event, may_end: anyio.Event) -> None:
    with database(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        locked.set()
        await may_end.wait()
        connection.execute("ROLLBACK")

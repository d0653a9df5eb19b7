"""What nobody's call would do is done now and then."""

from pathlib import Path

import anyio
import pytest
import structlog

from connectors.catalog import integrations
from connectors.local import Grant, Owner
from connectors.local._crypto import Place, key_ring, new_key
from connectors.local._places import spool_folder
from connectors.local._refresh import RefreshPolicy
from connectors.local._refresh._locks import ProcessLock
from connectors.local._refresh._sweeper import Sweeper
from tests.local.refresh.providers import ACCESS, OWNER, REFRESH, TYPE, World, says, world
from tests.local.steps import tokens
from tests.local.vaults import database
from tests.loops import REAL, on
from transports import Request, Response, Secret

pytestmark = on(REAL)

DAY = 86_400.0


def sweeper(it: World) -> Sweeper:
    return Sweeper(it.vault, it.keeper, it.catalog, it.clock)


async def test_an_idle_connection_is_renewed_before_its_refresh_token_dies_of_age(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect(refresh_expires_at=it.clock.now + 60 * DAY)
        for _ in range(45):
            await sweeper(it).sweep()
            it.clock.now += DAY
        assert it.provider.presented == []
        it.clock.now += 1
        await sweeper(it).sweep()
        assert it.provider.presented == [REFRESH]
        row = await it.row()
        assert row.refresh_expires_at == it.clock.now + 60 * DAY
        await sweeper(it).sweep()
        assert len(it.provider.presented) == 1


async def test_what_is_gone_or_has_failed_is_left_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect(refresh_expires_at=it.clock.now + DAY)
        await it.vault.disconnect(OWNER)
        await sweeper(it).sweep()
        await it.connect(refresh_expires_at=it.clock.now + DAY, source="manual")
        await sweeper(it).sweep()
        it.catalog.clear()
        await it.connect(refresh_expires_at=it.clock.now + DAY)
        await sweeper(it).sweep()
        assert it.provider.presented == []


async def test_what_somebody_disconnects_during_a_pass_is_left_alone(tmp_path: Path) -> None:
    owners = [OWNER, Owner.workspace("app-1", "c-1")]
    async with world(tmp_path) as it:
        for number, owner in enumerate(owners):
            grant = Grant(
                TYPE,
                ACCESS,
                refresh_token=f"{REFRESH}-{number}",
                obtained_at=it.clock.now,
                refresh_expires_at=it.clock.now + DAY,
                source="oauth",
            )
            await it.vault.put(owner, grant)

        async def disconnect_the_other(request: Request) -> Response:
            for owner in owners:
                row = await it.vault.get(owner)
                if row is not None and row.presented is None:
                    await it.vault.disconnect(owner)
            return Response(503)

        it.provider.next = [disconnect_the_other]
        await sweeper(it).sweep()
        assert len(it.provider.presented) == 1


async def test_a_refresh_that_fails_is_left_for_the_next_pass(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect(refresh_expires_at=it.clock.now + DAY)
        it.provider.next = [says(503)]
        await sweeper(it).sweep()
        it.clock.now += 600
        await sweeper(it).sweep()
        assert it.provider.presented == [REFRESH] * 2
        assert it.provider.alive


@pytest.mark.parametrize("name", ["linkedin", "tiktok", "snowflake"])
async def test_an_end_that_no_renewal_moves_is_told_once_and_not_renewed_at(
    tmp_path: Path, name: str
) -> None:
    facts = integrations()[name].refresh
    lifetime = facts.refresh_token_lifetime
    assert lifetime is not None
    async with world(
        tmp_path, refresh_token_lifetime=lifetime, refresh_token_lifetime_kind="absolute"
    ) as it:
        sweeps = sweeper(it)

        async def told_in_its_last_quarter() -> list[object]:
            it.clock.now += lifetime * 0.76
            with structlog.testing.capture_logs() as events:
                for _ in range(20):
                    await sweeps.sweep()
                    it.clock.now += 600
            return [(event["event"], event["ends_at"]) for event in events]

        for _ in range(2):
            ends_at = it.clock.now + lifetime
            await it.connect(refresh_expires_at=ends_at)
            assert await told_in_its_last_quarter() == [
                ("connectors.local.refresh_token_ends", ends_at)
            ]
        assert it.provider.presented == []


async def test_a_damaged_connection_is_told_and_keeps_nobody_else_from_being_renewed(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, rotates="never") as it:
        ids: list[str] = []
        for number in range(4):
            grant = Grant(
                TYPE,
                ACCESS,
                refresh_token=REFRESH,
                obtained_at=it.clock.now,
                refresh_expires_at=it.clock.now + DAY,
                source="oauth",
            )
            owner = Owner.workspace("app-1", f"c-{number}")
            ids.append((await it.vault.put(owner, grant)).id)
        first, second = ids[:2]
        with database(it.vault.path) as other:
            other.execute("UPDATE connections SET access_ct = refresh_ct WHERE id = ?", (first,))
            other.execute("UPDATE connections SET created_at = 'now' WHERE id = ?", (second,))
        with structlog.testing.capture_logs() as events:
            await sweeper(it).sweep()
        failed = [event for event in events if event["event"] == "connectors.local.sweep_failed"]
        assert {event["connection_id"] for event in failed} == {first, second}
        assert len(it.provider.presented) == 2


async def test_tokens_that_wait_under_an_unknown_key_are_told_and_stop_nothing(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        row = await it.connect(refresh_expires_at=it.clock.now + DAY)
        await it.vault.refreshes.spool(row, tokens())
        (file,) = spool_folder(it.vault.path).iterdir()
        ring = key_ring(new_key())
        assert ring is not None
        file.write_text(ring.seal(Secret("x"), Place((), 1, "x")))
        with structlog.testing.capture_logs() as events:
            await sweeper(it).sweep()
        assert events[0]["event"] == "connectors.local.spool_unreadable"
        assert it.provider.presented == [REFRESH]


async def test_a_connection_that_another_process_holds_keeps_nobody_else_from_being_renewed(
    tmp_path: Path,
) -> None:
    policy = RefreshPolicy(patience=0.2)
    async with world(tmp_path, rotates="never", policy=policy) as it:
        rows = []
        for number in range(2):
            grant = Grant(
                TYPE,
                ACCESS,
                refresh_token=REFRESH,
                obtained_at=it.clock.now,
                refresh_expires_at=it.clock.now + DAY,
                source="oauth",
            )
            rows.append(await it.vault.put(Owner.workspace("app-1", f"c-{number}"), grant))
        held = min(rows, key=lambda row: row.id)
        asked = anyio.Event()

        def renew(request: Request) -> Response:
            asked.set()
            return it.provider.renew(request)

        it.provider.next = [renew]
        async with ProcessLock(it.vault.path, held.lock_key):
            with anyio.fail_after(10):
                await sweeper(it).sweep()
                # Where the disk is slow, the pass has not waited for the other one either.
                await asked.wait()
            assert len(it.provider.presented) == 1


async def test_it_goes_on_until_it_is_cancelled(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect(refresh_expires_at=it.clock.now + DAY)
        renewed = anyio.Event()

        def again(_request: object) -> object:
            renewed.set()
            return it.provider.renew(_request)  # type: ignore[arg-type]

        it.provider.next = [says(503), again]  # type: ignore[list-item]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sweeper(it).run, 0.01)
            while not renewed.is_set():
                it.clock.now += 1
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        assert len(it.provider.presented) == 2


async def test_a_vault_that_can_t_be_used_is_told_and_the_next_pass_goes_on(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        sweeps = sweeper(it)
        await it.vault.aclose()
        with structlog.testing.capture_logs() as events:
            await sweeps.sweep()
        assert {event["event"] for event in events} == {"connectors.local.sweep_failed"}
        assert len(events) == 3

"""What nobody's call would do is done now and then."""

from pathlib import Path

import anyio
import structlog

from connectors.local import Grant, Owner
from connectors.local._refresh._sweeper import Sweeper
from tests.local.refresh.providers import ACCESS, OWNER, REFRESH, TYPE, World, says, world
from tests.loops import REAL, on
from transports import Request, Response

pytestmark = on(REAL)

DAY = 86_400.0


def sweeper(it: World, interval: float = 600.0) -> Sweeper:
    return Sweeper(it.vault, it.keeper, it.catalog, it.clock, interval)


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


async def test_it_goes_on_until_it_is_cancelled(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect(refresh_expires_at=it.clock.now + DAY)
        renewed = anyio.Event()

        def again(_request: object) -> object:
            renewed.set()
            return it.provider.renew(_request)  # type: ignore[arg-type]

        it.provider.next = [says(503), again]  # type: ignore[list-item]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sweeper(it, interval=0.01).run)
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

"""A refresh that goes well, step by step, whoever is cancelled or closed meanwhile.

The provider ends a grant when a refresh token is used twice, as the strict ones do. The wall clock
is set by hand; the rest is real, because a vault works in threads.
"""

from pathlib import Path

import anyio
import pytest

from connectors._digests import hex_digest
from connectors.local import Vault
from connectors.local._refresh import RefreshPostponedError
from tests.local.refresh.providers import ACCESS, OWNER, REFRESH, Provider, token, world
from tests.loops import REAL, on
from transports import Request, Response, Secret

pytestmark = on(REAL)

HOUR = 3600.0


async def test_an_expired_token_is_renewed_and_kept_before_anybody_gets_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        first = await it.connect()
        it.clock.now += HOUR
        got = await it.get()
        assert token(got) != ACCESS
        row = await it.row()
        assert token(row) == token(got)
        assert row.refresh_token == Secret(it.provider.refresh_token)
        assert (row.generation, row.obtained_at) == (first.generation + 1, it.clock.now)
        assert row.expires_at == it.clock.now + HOUR
        assert (row.presented, row.failures, row.next_attempt_at) == (None, 0, None)


async def test_the_end_is_counted_from_the_moment_of_sending(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        sent_at = it.clock.now

        def slowly(request: Request) -> Response:
            it.clock.now += 15
            return it.provider.renew(request)

        it.provider.next = [slowly]
        assert (await it.get()).expires_at == sent_at + HOUR


async def test_the_mark_is_in_the_file_before_the_token_is_sent(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR

        async def look(request: Request) -> Response:
            async with Vault(it.vault.path) as another:
                row = await another.get(OWNER)
            assert row is not None
            assert row.presented is not None
            assert row.presented.digest == hex_digest(Secret(REFRESH))
            assert (row.presented.at, row.presented.outcome) == (it.clock.now, "unanswered")
            return it.provider.renew(request)

        it.provider.next = [look]
        await it.get()
        assert len(it.provider.presented) == 1


async def test_what_somebody_else_has_renewed_is_taken_without_asking(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        other = it.another()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.get)
            tasks.start_soon(other.connection, OWNER)
        assert it.provider.presented == [REFRESH]
        assert it.provider.alive


async def test_an_answer_without_a_refresh_token_leaves_the_old_one(tmp_path: Path) -> None:
    async with world(tmp_path, rotates="never") as it:
        it.provider.rotates = False
        await it.connect()
        for _ in range(3):
            it.clock.now += HOUR
            await it.get()
        assert it.provider.presented == [REFRESH] * 3


async def test_cancelling_the_caller_does_not_cancel_the_refresh(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        asked, may_answer = anyio.Event(), anyio.Event()

        async def when_told(request: Request) -> Response:
            asked.set()
            await may_answer.wait()
            return it.provider.renew(request)

        it.provider.next = [when_told]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.get)
            await asked.wait()
            tasks.cancel_scope.cancel()
        may_answer.set()
        assert token(await it.get()) != ACCESS
        assert it.provider.presented == [REFRESH]


async def test_closing_waits_for_what_is_under_way_and_keeps_its_answer(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        asked, may_answer = anyio.Event(), anyio.Event()

        async def when_told(request: Request) -> Response:
            asked.set()
            await may_answer.wait()
            return it.provider.renew(request)

        it.provider.next = [when_told]
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                with pytest.raises(RefreshPostponedError):
                    await it.get()

            tasks.start_soon(call)
            await asked.wait()
            tasks.start_soon(it.keeper.aclose)
            await anyio.wait_all_tasks_blocked()
            may_answer.set()
        assert (await it.row()).refresh_token == Secret(it.provider.refresh_token)
        assert it.provider.alive


async def test_the_tokens_of_a_refresh_are_in_no_repr(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        got = await it.get()
        shown = repr((got, it.keeper, it.vault))
        for secret in (ACCESS, REFRESH, token(got), it.provider.refresh_token):
            assert secret not in shown


async def test_the_provider_of_these_tests_is_strict() -> None:
    provider = Provider()
    request = Request("POST", "https://x.test/", {}, f"refresh_token={REFRESH}".encode())
    assert provider.renew(request).status == 200
    assert provider.renew(request).status == 400
    assert not provider.alive

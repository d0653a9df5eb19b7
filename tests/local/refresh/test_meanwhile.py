"""A refresh of a connection to which somebody else does something meanwhile.

The provider ends a grant when a refresh token is used twice, as the strict ones do. The wall clock
is set by hand; the rest is real, because a vault works in threads.
"""

import threading
from collections.abc import Callable, Coroutine
from pathlib import Path

import anyio
import pytest

from connectors.local import Grant, Vault
from connectors.local._refresh import ReconnectRequiredError, RefreshPostponedError
from connectors.local._refresh._locks import ProcessLock
from tests.local.refresh.providers import OWNER, TYPE, begun, token, world
from tests.local.steps import due
from tests.loops import REAL, on
from transports import Request, Response, Secret

pytestmark = on(REAL)

HOUR = 3600.0


async def test_tokens_for_a_connection_that_was_disconnected_meanwhile_are_revoked(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR

        async def disconnect(request: Request) -> Response:
            await it.vault.disconnect(OWNER)
            return it.provider.renew(request)

        it.provider.next = [disconnect]
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "disconnected"
        queued = await due(it.vault, it.clock.now)
        assert Secret(it.provider.refresh_token) in [job.refresh_token for job in queued]


@pytest.mark.parametrize("ended", ["disconnected", "invalid_grant"])
async def test_a_connection_that_ended_while_somebody_waited_has_ended_for_them_too(
    tmp_path: Path, ended: str
) -> None:
    async with world(tmp_path) as it:
        row = await it.connect()
        it.clock.now += HOUR

        async def call() -> None:
            with pytest.raises(ReconnectRequiredError) as raised:
                await it.get()
            assert raised.value.reason == ended
            assert ended in str(raised.value)

        async with (
            anyio.create_task_group() as tasks,
            ProcessLock(it.vault.path, row.lock_key),
        ):
            tasks.start_soon(call)
            await begun(it)
            if ended == "disconnected":
                await it.vault.disconnect(OWNER)
            else:
                await it.vault.refreshes.fail(row, "invalid_grant", "of the test")
        assert it.provider.presented == []


@pytest.mark.parametrize("what", ["reconnected", "postponed"])
async def test_nothing_is_sent_when_the_row_has_moved_since_it_was_read(
    tmp_path: Path, what: str
) -> None:
    async with world(tmp_path) as it:
        row = await it.connect()
        it.clock.now += HOUR

        async def move() -> None:
            async with Vault(it.vault.path) as another:
                if what == "reconnected":
                    new = Grant(TYPE, "new", refresh_token="new-refresh", source="oauth")
                    await another.put(OWNER, new)
                else:
                    await another.refreshes.postpone(
                        row, marker=None, failures=7, next_attempt_at=None, last_error="x"
                    )

        # Just before the mark is left the clock is read.
        it.clock.before_next(4, lambda: in_another_thread(move))
        if what == "reconnected":
            assert token(await it.get()) == "new"
        else:
            with pytest.raises(RefreshPostponedError, match="another process"):
                await it.get()
        assert it.provider.presented == []


def in_another_thread(work: Callable[[], Coroutine[object, object, None]]) -> None:
    thread = threading.Thread(target=anyio.run, args=(work,))
    thread.start()
    thread.join()


@pytest.mark.parametrize("answer", ["tokens", "invalid_grant"])
async def test_a_connection_that_was_made_again_meanwhile_stays_as_it_is(
    tmp_path: Path, answer: str
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR

        async def reconnect(request: Request) -> Response:
            now = it.clock.now
            await it.connect(
                refresh_token="of-the-new-consent", obtained_at=now, expires_at=now + HOUR
            )
            return (
                it.provider.renew(request)
                if answer == "tokens"
                else Response(400, {}, b'{"error": "invalid_grant"}')
            )

        it.provider.next = [reconnect]
        got = await it.get()
        assert got.refresh_token == Secret("of-the-new-consent")
        assert (await it.row()).state == "active"
        assert await it.vault.revocations.due(it.clock.now) == {}

"""A refresh survives what breaks others: each step, and what a failure of each kind leaves behind.

The provider ends a grant when a refresh token is used twice, as the strict ones do. The wall clock
is set by hand; the rest is real, because a vault works in threads.
"""

import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import anyio
import attrs
import pytest
import structlog

from connectors._digests import hex_digest
from connectors.catalog import integrations
from connectors.local import Grant, Vault
from connectors.local._oauth import OAuthClient
from connectors.local._oauth_records import OAuthApp
from connectors.local._refresh import (
    ClientMissingError,
    ClientRejectedError,
    ReconnectRequiredError,
    RefreshPolicy,
    RefreshPostponedError,
)
from connectors.local._refresh._locks import ProcessLock
from tests.local.refresh.providers import (
    ACCESS,
    CLIENT,
    CLIENT_SECRET,
    OWNER,
    REFRESH,
    TYPE,
    Provider,
    Step,
    World,
    begun,
    loses,
    says,
    sent,
    settled,
    token,
    unreachable,
    world,
)
from tests.local.vaults import database
from tests.loops import REAL, on
from transports import Request, Response, Secret

pytestmark = on(REAL)

HOUR = 3600.0
QUARANTINE = RefreshPolicy().quarantine
BACK_OFF = 5.0
INVALID_GRANT = says(400, {"error": "invalid_grant"})


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


# What leaves the token as it was: never sent, or answered by somebody who did not do it.


@pytest.mark.parametrize(
    "failure",
    [unreachable, says(503), says(429), says(400, {"error": "slow_down"}), says(418)],
    ids=["unreachable", "503", "429", "unknown code", "418"],
)
async def test_a_refresh_that_was_not_done_leaves_the_token_as_it_was(
    tmp_path: Path, failure: Step
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [failure]
        with pytest.raises(RefreshPostponedError):
            await it.get()
        row = await it.row()
        assert (row.presented, row.failures, row.generation) == (None, 1, 1)
        assert row.next_attempt_at is not None
        assert it.clock.now <= row.next_attempt_at <= it.clock.now + BACK_OFF
        it.clock.now += BACK_OFF
        await it.get()
        assert it.provider.presented == [REFRESH] * 2


async def test_a_provider_that_is_left_alone_is_left_alone_by_every_process(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [says(503, **{"retry-after": "600"})]
        with pytest.raises(RefreshPostponedError) as raised:
            await it.get()
        assert raised.value.retry_after == 600
        it.clock.now += 100
        with pytest.raises(RefreshPostponedError) as raised:
            await it.another().connection(OWNER)
        assert raised.value.retry_after == 500
        assert len(it.provider.presented) == 1


async def test_the_back_off_grows_with_each_failure_and_ends_with_a_success(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        for failures in range(1, 5):
            it.provider.next = [says(503)]
            with pytest.raises(RefreshPostponedError):
                await it.get()
            row = await it.row()
            assert row.failures == failures
            assert row.last_error == "busy (status 503)"
            it.clock.now += BACK_OFF * 2**failures
        await it.get()
        assert (await it.row()).failures == 0


# What may have been done.


@pytest.mark.parametrize("status", [500, 502, 504, 302, 200])
async def test_after_an_answer_that_says_nothing_a_refusal_means_that_the_outcome_was_lost(
    tmp_path: Path, status: int
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR

        def rotates_behind_a_gateway(request: Request) -> Response:
            it.provider.renew(request)
            return Response(status)

        it.provider.next = [rotates_behind_a_gateway]
        with pytest.raises(RefreshPostponedError):
            await it.get()
        row = await it.row()
        assert row.presented is not None
        assert row.presented.outcome == "ambiguous"
        it.clock.now += QUARANTINE
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "refresh_outcome_lost"


async def test_after_a_502_the_token_is_presented_as_soon_as_the_back_off_ends(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        for _ in range(4):
            it.provider.next = [says(502)]
            with pytest.raises(RefreshPostponedError):
                await it.get()
            row = await it.row()
            assert row.next_attempt_at is not None
            it.clock.now = row.next_attempt_at
        await it.get()
        assert len(it.provider.presented) == 5


async def test_a_504_waits_until_the_exchange_behind_the_gateway_must_have_ended(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [says(504)]
        with pytest.raises(RefreshPostponedError) as raised:
            await it.get()
        assert raised.value.retry_after == QUARANTINE


# What has no answer.


async def test_after_silence_nothing_is_presented_until_the_exchange_must_have_ended(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [loses]
        with pytest.raises(RefreshPostponedError):
            await it.get()
        row = await it.row()
        assert row.presented is not None
        assert (row.presented.outcome, row.presented.count) == ("unanswered", 1)
        it.clock.now += QUARANTINE - 1
        with pytest.raises(RefreshPostponedError) as raised:
            await it.another().connection(OWNER)
        assert 0 < raised.value.retry_after <= 1
        assert len(it.provider.presented) == 1
        it.clock.now += 1
        assert token(await it.get()) != ACCESS
        assert (await it.row()).presented is None


async def test_a_provider_with_a_leeway_repairs_a_lost_answer(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.provider.leeway = True
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [it.provider.renew_and_drop]
        with pytest.raises(RefreshPostponedError):
            await it.get()
        it.clock.now += QUARANTINE
        await it.get()
        assert it.provider.alive


async def test_with_a_strict_provider_a_lost_answer_is_reported_as_what_it_is(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [it.provider.renew_and_drop]
        with pytest.raises(RefreshPostponedError):
            await it.get()
        it.clock.now += QUARANTINE
        for _ in range(2):
            with pytest.raises(ReconnectRequiredError) as raised:
                await it.get()
            assert raised.value.reason == "refresh_outcome_lost"
        assert it.provider.presented == [REFRESH] * 2


async def test_a_token_that_was_met_with_silence_is_presented_once_more_and_not_a_third_time(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [loses, loses]
        for _ in range(2):
            with pytest.raises(RefreshPostponedError):
                await it.get()
            it.clock.now += QUARANTINE
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "refresh_outcome_lost"
        assert it.provider.presented == [REFRESH] * 2


async def test_after_silence_the_token_is_kept_for_when_it_is_needed(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR - 800
        it.provider.next = [loses]
        assert token(await it.get()) == ACCESS  # In the background.
        await settled(it)
        it.clock.now += QUARANTINE
        assert token(await it.get()) == ACCESS
        await settled(it)
        assert it.provider.presented == [REFRESH]
        it.clock.now += 720  # In the hard margin it is needed.
        assert token(await it.get()) != ACCESS


async def test_a_spent_token_costs_nobody_an_access_token_that_is_good(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect(expires_at=it.clock.now + HOUR)
        it.clock.now += HOUR - 59
        it.provider.next = [loses, loses]
        assert token(await it.get()) == ACCESS
        it.clock.now += QUARANTINE
        assert token(await it.get()) == ACCESS
        it.clock.now += QUARANTINE
        assert token(await it.get()) == ACCESS
        assert (await it.row()).state == "active"
        it.clock.now += 10
        with pytest.raises(ReconnectRequiredError):
            await it.get()


async def test_what_was_never_sent_leaves_an_earlier_silence_in_mind(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [loses, unreachable, INVALID_GRANT]
        for _ in range(2):
            with pytest.raises(RefreshPostponedError):
                await it.get()
            it.clock.now += QUARANTINE
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "refresh_outcome_lost"


async def test_a_clock_that_was_set_back_does_not_make_the_quarantine_longer(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [loses]
        with pytest.raises(RefreshPostponedError):
            await it.get()
        row = await it.row()
        assert row.presented is not None
        ahead = attrs.evolve(row.presented, at=it.clock.now + 10 * HOUR)
        await it.vault.refreshes.postpone(
            row, marker=ahead, failures=1, next_attempt_at=None, last_error="of the test"
        )
        assert token(await it.get()) != ACCESS


@pytest.mark.parametrize("rotates", ["never", "n/a"])
async def test_where_nothing_rotates_silence_means_nothing(tmp_path: Path, rotates: str) -> None:
    async with world(tmp_path, rotates=rotates) as it:
        it.provider.rotates = False
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [loses, loses, loses]
        for _ in range(3):
            with pytest.raises(RefreshPostponedError):
                await it.get()
            row = await it.row()
            assert row.next_attempt_at is not None
            it.clock.now = row.next_attempt_at
        await it.get()
        it.clock.now += HOUR
        it.provider.next = [loses, INVALID_GRANT]
        with pytest.raises(RefreshPostponedError):
            await it.get()
        it.clock.now += BACK_OFF
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "invalid_grant"


# What the provider refuses.


async def test_a_refusal_ends_the_connection_and_erases_its_tokens(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        first = await it.connect()
        it.clock.now += HOUR
        it.provider.next = [INVALID_GRANT]
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert (raised.value.integration_type, raised.value.reason) == (TYPE, "invalid_grant")
        row = await it.row()
        assert (row.state, row.reason, row.id) == ("refresh_failed", "invalid_grant", first.id)
        assert (row.access_token, row.refresh_token) == (None, None)
        assert len(it.provider.presented) == 1
        with pytest.raises(ReconnectRequiredError):
            await it.get()
        assert len(it.provider.presented) == 1


async def test_an_interaction_that_is_required_is_a_consent_that_is_required(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, terminal_errors=("invalid_grant", "interaction_required")) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [says(400, {"error": "interaction_required"})]
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "consent_required"


async def test_a_refresh_token_past_its_end_has_expired(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect(refresh_expires_at=it.clock.now + 2 * HOUR)
        it.clock.now += 2 * HOUR
        it.provider.next = [INVALID_GRANT]
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "refresh_token_expired"


async def test_a_configuration_that_the_type_does_not_take_needs_a_new_consent(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect(connection_config={"unheard-of": "planted-value"})
        it.clock.now += HOUR
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "config_refused"
        assert (await it.row()).presented is None
        assert it.provider.presented == []


async def test_a_clock_that_differs_from_the_provider_s_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for ahead in (61, 59, None):
            await it.connect()
            it.clock.now += HOUR

            def dated(request: Request, ahead: float | None = ahead) -> Response:
                moment = format_datetime(datetime.fromtimestamp(it.clock.now + (ahead or 0), UTC))
                fields = {"date": "no date" if ahead is None else moment}
                answer = it.provider.renew(request)
                return Response(answer.status, answer.headers.merged(fields), answer.body)

            it.provider.next = [dated]
            with structlog.testing.capture_logs() as events:
                await it.get()
            told = [event for event in events if event["event"] == "connectors.local.clock_skew"]
            assert [event["seconds"] for event in told] == ([61] if ahead == 61 else [])


@pytest.mark.parametrize("date", ["no date", "", "Fri, 31 Dec 2027 23:59:59 -99999999999999"])
async def test_no_date_costs_the_tokens_that_came_with_it(tmp_path: Path, date: str) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR

        def dated(request: Request) -> Response:
            answer = it.provider.renew(request)
            return Response(answer.status, answer.headers.merged({"date": date}), answer.body)

        it.provider.next = [dated]
        got = await it.get()
        assert token(got) != ACCESS
        assert got.refresh_token == Secret(it.provider.refresh_token)


@pytest.mark.parametrize("secret", [ACCESS, REFRESH, CLIENT_SECRET])
async def test_a_provider_that_repeats_a_secret_as_an_error_code_is_not_quoted(
    tmp_path: Path, secret: str
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [says(400, {"error": secret})]
        with structlog.testing.capture_logs() as events, pytest.raises(RefreshPostponedError) as e:
            await it.get()
        kept = await it.row()
        assert secret not in f"{e.value} {events} {kept} {kept.last_error}"


async def test_the_address_that_the_consent_came_back_to_is_sent_where_it_is_asked_for(
    tmp_path: Path,
) -> None:
    address = "https://app.example.com/back"
    step = integrations()[TYPE].refresh.call
    assert step is not None
    asks = {**step.call.parameters, "redirect_uri": "{redirect_uri}"}
    step = attrs.evolve(step, call=attrs.evolve(step.call, parameters=asks))
    async with world(tmp_path, call=step) as it:
        await it.vault.apps.configure(OAuthApp(TYPE, CLIENT, redirect_uri=address))
        await it.connect()
        it.clock.now += HOUR
        await it.get()
        assert sent(it.transport.calls[-1].request)["redirect_uri"] == address


async def test_a_wrong_client_is_no_fault_of_the_connection(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [says(401, {"error": "invalid_client"})]
        for _ in range(2):
            with pytest.raises(ClientRejectedError, match="id or its secret is wrong") as raised:
                await it.get()
            assert 0 < raised.value.retry_after <= 60
        row = await it.row()
        assert (row.state, row.presented, row.generation) == ("active", None, 1)
        assert len(it.provider.presented) == 1, "the provider is left alone"
        # After a while it is tried again, and longer after a second time.
        it.clock.now += 60
        it.provider.next = [says(401, {"error": "invalid_client"})]
        with pytest.raises(ClientRejectedError) as raised:
            await it.get()
        assert raised.value.retry_after == 120
        # It was only a mood.
        it.clock.now += 120
        await it.get()
        app = await it.vault.apps.get(TYPE)
        assert app is not None
        assert (app.failures, app.problem) == (0, None)
        # And now it is wrong, until somebody puts in the right one.
        it.clock.now += HOUR
        it.provider.next = [says(401, {"error": "invalid_client"})]
        with pytest.raises(ClientRejectedError):
            await it.get()
        await it.vault.apps.configure(OAuthApp(TYPE, OAuthClient("client-2", Secret("right"))))
        await it.get()


async def test_without_a_client_nothing_can_be_renewed(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        await it.vault.apps.remove(TYPE)
        assert token(await it.get()) == ACCESS
        it.clock.now += HOUR
        with pytest.raises(ClientMissingError, match=f"no OAuth client for {TYPE}"):
            await it.get()


async def test_a_refusal_in_unknown_words_ends_a_connection_only_after_three_in_an_hour(
    tmp_path: Path,
) -> None:
    odd = says(400, {"error": "what_is_this"})
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [odd] * 3
        for _ in range(3):
            with pytest.raises(RefreshPostponedError):
                await it.get()
            it.clock.now += 600
        it.clock.now += 1800
        it.provider.next = [odd]
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "unknown"


async def test_two_refusals_in_unknown_words_a_day_apart_end_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        for _ in range(2):
            it.clock.now += 24 * HOUR
            it.provider.next = [says(400, {"error": "what_is_this"})]
            with pytest.raises(RefreshPostponedError):
                await it.get()
        it.clock.now += HOUR
        await it.get()
        assert (await it.row()).strikes == 0


# Meanwhile somebody else has done something to the connection.


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
        queued = await it.vault.revocations.due(it.clock.now, 10)
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
        assert await it.vault.revocations.due(it.clock.now, 10) == ()


# When the disk does not take what came.


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


# Cancellation.


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

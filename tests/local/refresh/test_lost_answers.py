"""A refresh that may have been done: when its token is presented again, and what is said then.

The provider ends a grant when a refresh token is used twice, as the strict ones do. The wall clock
is set by hand; the rest is real, because a vault works in threads.
"""

from pathlib import Path

import attrs
import pytest

from connectors._requests import rejected_digest
from connectors.local._refresh import ReconnectRequiredError, RefreshPolicy, RefreshPostponedError
from tests.local.refresh.providers import (
    ACCESS,
    OWNER,
    REFRESH,
    loses,
    says,
    settled,
    token,
    unreachable,
    world,
)
from tests.loops import REAL, on
from transports import Request, Response, Secret

pytestmark = on(REAL)

HOUR = 3600.0
QUARANTINE = RefreshPolicy().quarantine
BACK_OFF = 5.0
INVALID_GRANT = says(400, {"error": "invalid_grant"})


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
        assert (row.presented.outcome, row.presented.silences) == ("unanswered", 1)
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


async def test_a_second_silence_is_the_last_whatever_was_answered_between_them(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [says(502), loses, says(502), says(500), loses]
        for _ in range(5):
            with pytest.raises(RefreshPostponedError) as raised:
                await it.get()
            it.clock.now += raised.value.retry_after
        with pytest.raises(ReconnectRequiredError) as lost:
            await it.get()
        assert lost.value.reason == "refresh_outcome_lost"
        assert it.provider.presented == [REFRESH] * 5


async def test_an_answer_that_says_nothing_is_no_silence(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        silences = []
        for step in (says(502), says(502), loses, says(502)):
            it.provider.next = [step]
            with pytest.raises(RefreshPostponedError) as raised:
                await it.get()
            it.clock.now += raised.value.retry_after
            row = await it.row()
            assert row.presented is not None
            silences.append(row.presented.silences)
        assert silences == [0, 0, 1, 1]


async def test_after_silence_an_answer_that_says_nothing_keeps_the_token_for_when_it_is_needed(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR - 800
        it.provider.next = [loses, says(502)]
        assert token(await it.get()) == ACCESS  # In the background.
        await settled(it)
        it.clock.now += QUARANTINE
        with pytest.raises(RefreshPostponedError) as raised:
            await it.get(rejected=rejected_digest(Secret(ACCESS)))
        it.clock.now += raised.value.retry_after
        assert token(await it.get()) == ACCESS
        await settled(it)
        assert it.provider.presented == [REFRESH] * 2


async def test_after_silence_a_caller_is_told_to_come_when_the_exchange_must_have_ended(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [loses]
        with pytest.raises(RefreshPostponedError) as raised:
            await it.get()
        assert raised.value.retry_after == QUARANTINE
        it.clock.now += raised.value.retry_after
        assert token(await it.get()) != ACCESS


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

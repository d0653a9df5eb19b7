"""A refresh that was never sent, or not done, leaves the token and is not repeated at once.

The provider ends a grant when a refresh token is used twice, as the strict ones do. The wall clock
is set by hand; the rest is real, because a vault works in threads.
"""

from pathlib import Path

import pytest

from connectors.local._refresh import ConnectionUnusableError, RefreshPostponedError
from tests.local.refresh.providers import OWNER, REFRESH, Step, loses, says, unreachable, world
from tests.loops import REAL, on

pytestmark = on(REAL)

HOUR = 3600.0
BACK_OFF = 5.0


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


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        (unreachable, "the provider can't be reached"),
        (says(503), "the provider asks for patience (status 503)"),
        (says(502), "the provider has given no clear answer (status 502)"),
        (loses, "the provider has not answered"),
        (says(418), "the provider refuses it, and why is not known here (status 418)"),
        (
            says(400, {"error": "slow_down"}),
            "the provider refuses it, and why is not known here (slow_down, status 400)",
        ),
        (
            says(401, {"error": "invalid_client"}),
            "the provider refuses the OAuth client (invalid_client, status 401)",
        ),
    ],
)
async def test_what_stands_in_the_way_is_told_in_words_for_a_person(
    tmp_path: Path, failure: Step, problem: str
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [failure]
        with pytest.raises(ConnectionUnusableError) as raised:
            await it.get()
        assert (await it.row()).last_error == problem
        if isinstance(raised.value, RefreshPostponedError):
            assert raised.value.problem == problem


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
            assert row.last_error == "the provider asks for patience (status 503)"
            it.clock.now += BACK_OFF * 2**failures
        await it.get()
        assert (await it.row()).failures == 0

"""A clock that was wrong and is set right keeps nobody from a token for as long as it was wrong.

The provider ends a grant when a refresh token is used twice, as the strict ones do. The wall clock
is set by hand; the rest is real, because a vault works in threads.
"""

from pathlib import Path

import pytest

from connectors._requests import rejected_digest
from connectors.local._refresh import ConnectionUnusableError, RefreshPostponedError
from tests.local.refresh.providers import (
    ACCESS,
    NOW,
    Step,
    loses,
    says,
    token,
    unreachable,
    world,
)
from tests.loops import REAL, on
from transports import Secret

pytestmark = on(REAL)

HOUR = 3600.0
YEAR = 365 * 24 * HOUR
FAILURES: dict[str, Step] = {
    "unreachable": unreachable,
    "busy": says(503, **{"retry-after": "3600"}),
    "silence": loses,
    "504": says(504),
    "wrong client": says(401, {"error": "invalid_client"}),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_failure_that_was_noted_by_a_wrong_clock_delays_nothing_once_it_is_right(
    tmp_path: Path, failure: Step
) -> None:
    async with world(tmp_path) as it:
        await it.connect(obtained_at=NOW - HOUR, expires_at=NOW)
        it.clock.now = NOW + YEAR
        it.provider.next = [failure]
        with pytest.raises(ConnectionUnusableError):
            await it.get()
        it.clock.now = NOW + 60
        assert token(await it.get()) != ACCESS
        assert it.provider.alive


async def test_a_token_that_was_refused_while_the_clock_was_wrong_is_renewed_once_it_is_right(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        it.clock.now = NOW + YEAR
        await it.connect(obtained_at=NOW, expires_at=None)
        it.provider.next = [unreachable]
        rejected = rejected_digest(Secret(ACCESS))
        with pytest.raises(ConnectionUnusableError):
            await it.get(rejected=rejected)
        it.clock.now = NOW
        assert token(await it.get(rejected=rejected)) != ACCESS


async def test_a_clock_that_is_set_back_a_little_lengthens_a_wait_by_no_more(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect(obtained_at=NOW - HOUR, expires_at=NOW - 30)
        it.provider.next = [FAILURES["busy"]]
        with pytest.raises(RefreshPostponedError):
            await it.get()
        it.clock.now -= 30
        with pytest.raises(RefreshPostponedError) as raised:
            await it.get()
        assert raised.value.retry_after == HOUR + 30

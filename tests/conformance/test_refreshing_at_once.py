"""Eight processes over one vault, and whatever happens to them: the connection is kept.

All of it happens at the same time, each at a provider of its own.
"""

import hashlib
import os
import signal
from collections.abc import Mapping
from functools import partial
from typing import Final

import anyio
import pytest

from tests.conformance.keeping import LATE, LIFETIME, Ending, Stage, play
from tests.conformance.oidc import Fault
from tests.conformance.workers import GOOD

MINUTE: Final = 60.0
WHILE: Final = 22.0
STOP: Final = 8.0
"""Seconds for which a process is stopped: no margin, no deadline and no token here is as long."""

SCALED: Final = {"deadline": 6.0, "slack": 1.0, "first_delay": 0.3}
"""A policy as patient with tokens of three seconds as the usual one is with those of an hour."""

SLIP: Final = 0.2
"""Seconds for which a process may stand still, without it being noticed."""

QUARANTINE: Final = SCALED["deadline"] + SCALED["slack"]

SOFT: Final = LIFETIME / 2
HARD: Final = LIFETIME / 4
"""The margins of such a token."""


BUSY: Final = Fault(commit=False, status=503)
SLOW: Final = Fault(delay_before=LIFETIME + 1)
FINE: Final = Fault()
UNHEARD: Final = Fault(delay_before=1, commit=False, drop=True)


async def wake_after_a_while(stage: Stage) -> None:
    victim = await stage.stopped()
    await anyio.sleep(STOP)
    os.kill(victim, signal.SIGCONT)


async def kill_in_flight(stage: Stage) -> None:
    call = await stage.provider.in_flight(committed=False)
    assert call.pid is not None
    os.kill(call.pid, signal.SIGKILL)


async def take_back(stage: Stage) -> None:
    (grant,) = (await stage.provider.log()).grants
    await stage.provider.revoke(grant.id)


SCENARIOS: Final = {
    "undisturbed": partial(play, seconds=MINUTE, pause=0.05),
    "busy": partial(play, seconds=MINUTE, policy=SCALED, faults=[BUSY, FINE], repeat=True),
    "slow": partial(play, seconds=MINUTE, policy=SCALED, faults=[SLOW, FINE], repeat=True),
    "stopped before sending": partial(
        play,
        seconds=WHILE,
        point="before_sending",
        signal_number=signal.SIGSTOP,
        interfere=wake_after_a_while,
    ),
    "stopped with the answer": partial(
        play,
        seconds=WHILE,
        point="after_the_answer",
        signal_number=signal.SIGSTOP,
        interfere=wake_after_a_while,
    ),
    "killed before sending": partial(play, seconds=WHILE, policy=SCALED, point="before_sending"),
    "killed after sending": partial(
        play, seconds=WHILE, policy=SCALED, faults=[UNHEARD], interfere=kill_in_flight
    ),
    "killed with the answer": partial(play, seconds=WHILE, policy=SCALED, point="after_the_answer"),
    "taken back": partial(play, seconds=WHILE, policy=SCALED, interfere=take_back),
}
UNHARMED: Final = [
    "undisturbed",
    "busy",
    "slow",
    "stopped before sending",
    "stopped with the answer",
]
KILLED: Final = ["killed before sending", "killed after sending", "killed with the answer"]
KEPT: Final = [*UNHARMED, "killed before sending", "killed after sending"]


@pytest.fixture(scope="module")
async def endings(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ending]:
    folder = tmp_path_factory.mktemp("scenarios")
    ended = {}

    async def run(name: str) -> None:
        ended[name] = await SCENARIOS[name](folder / name.replace(" ", "-"))

    async with anyio.create_task_group() as all_at_once:
        for name in SCENARIOS:
            all_at_once.start_soon(run, name)
    return ended


@pytest.mark.parametrize("name", UNHARMED)
async def test_no_call_fails(name: str, endings: Mapping[str, Ending]) -> None:
    ending = endings[name]
    assert ending.codes == [0] * 8
    assert all(report.turns[GOOD] for report in ending.reports)
    if max(report.slip for report in ending.reports) < SLIP:
        assert ending.troubles == ()
    # A machine that stands still for so long lets tokens end, and then there is only to come again.
    assert ending.outcomes <= {"RefreshPostponedError"}
    assert len(ending.troubles) + ending.turns[LATE] <= ending.turns[GOOD] / 100


@pytest.mark.parametrize("name", KEPT)
async def test_the_grant_lives_and_no_token_was_used_twice(
    name: str, endings: Mapping[str, Ending]
) -> None:
    ending = endings[name]
    (grant,) = ending.log.grants
    assert (grant.alive, ending.log.reuses) == (True, 0)
    assert ending.connection.state == "active"
    assert ending.connection.presented is None
    assert ending.connection.refresh_token is not None
    newest = hashlib.sha256(ending.connection.refresh_token.reveal().encode()).hexdigest()
    assert newest == grant.chain[-1]


async def test_a_token_is_renewed_in_its_soft_margin_and_not_before(
    endings: Mapping[str, Ending],
) -> None:
    times = [call.arrived for call in endings["undisturbed"].log.refreshes]
    elapsed, renewals = times[-1] - times[0], len(times) - 1
    # At half of its life, and in the hard margin, at a quarter, whatever this machine does.
    assert elapsed / (LIFETIME - HARD) <= renewals <= elapsed / (LIFETIME - SOFT) + 1
    assert elapsed > MINUTE / 2


async def test_a_busy_provider_is_asked_again_and_told_apart(endings: Mapping[str, Ending]) -> None:
    log = endings["busy"].log
    assert sum(call.committed is None for call in log.calls) > 10
    assert len(log.refreshes) > 10


@pytest.mark.parametrize("name", KILLED)
async def test_the_token_that_there_is_serves_until_its_end_when_a_process_is_killed(
    name: str, endings: Mapping[str, Ending]
) -> None:
    ending = endings[name]
    assert ending.codes == [-signal.SIGKILL] + [0] * 7
    first = min(trouble.ended for trouble in ending.troubles)
    before = [call for call in ending.log.refreshes if call.ended and call.ended < first]
    # The last one that somebody heard of.
    heard = before[-2] if name == "killed with the answer" else before[-1]
    assert first - heard.arrived > LIFETIME - HARD


@pytest.mark.parametrize("name", ["killed before sending", "killed after sending"])
async def test_a_kill_before_the_answer_costs_no_more_than_a_wait(
    name: str, endings: Mapping[str, Ending]
) -> None:
    ending = endings[name]
    assert ending.outcomes == {"RefreshPostponedError"}
    last = max(trouble.ended for trouble in ending.troubles)
    assert any(call.arrived > last for call in ending.log.refreshes)


async def test_a_token_is_presented_again_only_when_its_exchange_must_have_ended(
    endings: Mapping[str, Ending],
) -> None:
    calls = endings["killed after sending"].log.calls
    (unheard,) = [call for call in calls if call.committed is None]
    after = calls[calls.index(unheard) + 1]
    assert after.arrived - unheard.arrived > QUARANTINE - 0.5


async def test_a_kill_after_the_answer_is_told_from_a_grant_that_was_taken_back(
    endings: Mapping[str, Ending],
) -> None:
    lost, ended = endings["killed with the answer"], endings["taken back"]
    assert lost.outcomes == {"RefreshPostponedError", "refresh_outcome_lost"}
    assert (lost.connection.state, lost.connection.reason) == (
        "refresh_failed",
        "refresh_outcome_lost",
    )
    assert ended.outcomes <= {"401", "invalid_grant"}
    assert (ended.connection.state, ended.connection.reason) == ("refresh_failed", "invalid_grant")
    for ending in (lost, ended):
        assert ending.connection.access_token is None
        assert ending.connection.refresh_token is None
    # The token whose answer was lost was presented once more, and ended nothing that was of use.
    assert (lost.log.reuses, ended.log.reuses) == (1, 0)

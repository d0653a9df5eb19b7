"""A recording that is too old is warned of, refused or made anew."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.loops import REAL, on
from tests.transports.replay.cassettes import get, interactions, numbered, play, record
from transports import Response
from transports.mock import MockTransport
from transports.replay import ReplayTransport, StaleCassetteError, StaleCassetteWarning, WhenStale

pytestmark = on(REAL)

DAY = 86_400.0


@pytest.fixture
async def path(tmp_path: Path, anyio_backend: object) -> Path:
    path = tmp_path / "a.json"
    await record(path, [get("/a"), get("/b")], lambda _: Response(200, body=b"old"))
    return path


def age(path: Path, **by: float) -> None:
    """Make the second interaction of a file older."""
    recorded = interactions(path)[1]["recorded_at"]
    older = (datetime.now(UTC) - timedelta(**by)).isoformat()
    first, second = path.read_text().rsplit(recorded, 1)
    path.write_text(f"{first}{older}{second}")


async def test_one_that_is_young_enough_is_played(path: Path) -> None:
    age(path, hours=23)
    async with ReplayTransport(path, max_age=DAY, when_stale="fail") as transport:
        assert await play(transport, get("/a"), get("/b")) == ["old", "old"]


async def test_one_that_is_too_old_is_warned_of_at_the_line_that_opens_it(path: Path) -> None:
    age(path, days=3)
    with pytest.warns(
        StaleCassetteWarning, match=r"3 days, 0:00:\d\d ago.*1 day.*mode='all'"
    ) as told:
        transport = ReplayTransport(path, max_age=DAY)
    assert told[0].filename == __file__
    assert await play(transport, get("/a")) == ["old"]


async def test_one_that_is_too_old_is_refused(path: Path) -> None:
    age(path, days=3)
    with pytest.raises(StaleCassetteError, match=r"a\.json was recorded 3 days, 0:00:\d\d ago"):
        ReplayTransport(path, max_age=DAY, when_stale="fail")


async def test_one_that_is_too_old_is_recorded_anew(path: Path) -> None:
    age(path, days=3)
    inner = MockTransport(numbered())
    async with ReplayTransport(path, "once", inner, max_age=DAY, when_stale="record") as transport:
        assert (transport.mode, await play(transport, get("/a"))) == ("all", ["0"])
    assert len(interactions(path)) == 1


async def test_where_nothing_may_be_recorded_it_is_warned_of(path: Path) -> None:
    age(path, days=3)
    with pytest.warns(StaleCassetteWarning):
        transport = ReplayTransport(path, max_age=DAY, when_stale="record")
    assert await play(transport, get("/a")) == ["old"]


async def test_without_max_age_nothing_is_too_old(path: Path) -> None:
    age(path, days=30_000)
    assert await play(ReplayTransport(path), get("/a")) == ["old"]


@pytest.mark.parametrize("max_age", [0, -1, float("nan"), "1", True])
async def test_an_age_that_is_none_is_refused(path: Path, max_age: float) -> None:
    with pytest.raises(ValueError, match="max_age is a number of seconds above 0"):
        ReplayTransport(path, max_age=max_age)
    with pytest.raises(ValueError, match="max_age is a number of seconds above 0"):
        ReplayTransport(path.with_name("not-there.json"), max_age=max_age)


async def test_an_endless_age_is_as_good_as_none(path: Path) -> None:
    ReplayTransport(path, max_age=float("inf"), when_stale="fail")


@pytest.mark.parametrize("when_stale", ["later", "", None])
async def test_what_is_done_is_one_of_three(path: Path, when_stale: WhenStale) -> None:
    with pytest.raises(ValueError, match="when_stale must be one of warn, fail, record"):
        ReplayTransport(path, when_stale=when_stale)

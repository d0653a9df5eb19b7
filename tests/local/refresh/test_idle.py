"""What is lost when nobody uses it is told from what is not, by the facts of its type."""

from typing import Any

import attrs
import pytest

from connectors.catalog import Refresh, integrations
from connectors.local import Grant, Owner
from connectors.local._generations import granted
from connectors.local._records import ConnectionSummary
from connectors.local._refresh._margins import is_ending, is_idle_too_long

NOW = 1_700_000_000.0
DAY = 86_400.0
KINDS = ["sliding", "absolute", "idle", "none", "unknown", "n/a"]
IN_60_DAYS = attrs.evolve(integrations()["box"].refresh, refresh_token_lifetime=60 * 86_400)
WHILE_GOOD = integrations()["instagram"].refresh


def row(**values: Any) -> ConnectionSummary:
    grant = Grant("box", "t", **values)
    owner = Owner.app("app-1", "box")
    return granted(None, owner, grant, connection_id="c", config=None, now=NOW)


def of_kind(kind: Any) -> Refresh:
    return attrs.evolve(IN_60_DAYS, refresh_token_lifetime_kind=kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("left", "late"), [(15 * DAY, False), (15 * DAY - 1, True), (-1, True)])
def test_the_last_quarter_of_a_life_is_late_and_its_kind_says_what_for(
    kind: str,
    left: float,
    late: bool,  # noqa: FBT001 - a column of the table.
) -> None:
    it = row(refresh_expires_at=NOW + left)
    assert is_idle_too_long(it, of_kind(kind), NOW) is (late and kind in {"sliding", "idle"})
    assert is_ending(it, of_kind(kind), NOW) is (late and kind == "absolute")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_known_of_the_death_of_a_refresh_token_without_an_end(kind: str) -> None:
    lasting = attrs.evolve(of_kind(kind), refresh_token_lifetime=None)
    for it, refresh in ((row(), of_kind(kind)), (row(refresh_expires_at=NOW - 1), lasting)):
        assert not is_idle_too_long(it, refresh, NOW)
        assert not is_ending(it, refresh, NOW)


@pytest.mark.parametrize(
    ("age", "left", "expected"),
    [
        (7 * DAY - 1, 53 * DAY, False),
        (7 * DAY, 53 * DAY, True),
        (DAY, 30.0, True),
        (60 * DAY, 0.0, False),
    ],
)
def test_an_access_token_that_must_not_end_is_renewed_when_it_is_due(
    age: float,
    left: float,
    expected: bool,  # noqa: FBT001 - a column of the table.
) -> None:
    it = row(obtained_at=NOW - age, expires_at=NOW + left)
    assert is_idle_too_long(it, WHILE_GOOD, NOW) is expected


def test_an_access_token_that_may_end_is_left_to_who_needs_it() -> None:
    it = row(obtained_at=NOW - 3600, expires_at=NOW + 1)
    assert not is_idle_too_long(it, integrations()["wix"].refresh, NOW)

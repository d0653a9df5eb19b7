"""When a token is due: tables, and what holds for every lifetime."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.catalog import Refresh, integrations
from connectors.local._refresh._margins import due, margins, spread_of

NOW = 1_700_000_000.0
PLAIN = Refresh(
    refresh_token_issued="always",
    rotates="always",
    expires_in_returned=True,
    refresh_token_lifetime_kind="none",
)
DAY = 86_400.0


@pytest.mark.parametrize(
    ("lifetime", "soft", "hard"),
    [
        (3, 1.5, 0.75),
        (60, 30, 10),
        (600, 150, 30),
        (3600, 900, 60),
        (43_200, 900, 60),
        (60 * DAY, 900, 60),
    ],
)
def test_the_margins_are_fractions_of_the_lifetime_within_limits(
    lifetime: float, soft: float, hard: float
) -> None:
    assert attrs.astuple(margins(lifetime, PLAIN)) == (soft, hard)


@given(st.floats(0.001, 1e9), st.floats(-1, 1))
def test_no_new_token_is_due_at_once_and_waiting_comes_after_the_background(
    lifetime: float, spread: float
) -> None:
    limits = margins(lifetime, PLAIN, spread)
    assert 0 < limits.hard <= limits.soft < lifetime


@given(st.text(), st.integers(1, 1000))
def test_the_spread_of_a_token_is_fixed_and_moves_its_margin_by_a_tenth_at_most(
    connection_id: str, generation: int
) -> None:
    spread = spread_of(connection_id, generation)
    assert spread == spread_of(connection_id, generation)
    assert 810 <= margins(3600, PLAIN, spread).soft <= 990


def test_the_spreads_of_many_tokens_differ() -> None:
    spreads = {spread_of("connection", generation) for generation in range(100)}
    assert min(spreads) < -0.5 < 0.5 < max(spreads)


def test_a_provider_that_refuses_tokens_early_has_a_hard_margin_of_its_own() -> None:
    databricks = integrations()["databricks"].refresh
    assert margins(3600, databricks).hard == 40


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (3600, "not_yet"),
        (900.1, "not_yet"),
        (900, "soon"),
        (60.1, "soon"),
        (60, "now"),
        (0.1, "now"),
        (0, "expired"),
        (-1e9, "expired"),
    ],
)
def test_a_token_is_due_by_what_is_left_of_it(left: float, expected: str) -> None:
    expires_at = NOW + left
    told = due(obtained_at=expires_at - 3600, expires_at=expires_at, refresh=PLAIN, now=NOW)
    assert told == expected


def test_a_token_without_an_end_is_never_due() -> None:
    assert due(obtained_at=0.0, expires_at=None, refresh=PLAIN, now=NOW) == "not_yet"


@pytest.mark.parametrize("expires_at", [None, NOW + 10 * DAY])
def test_a_token_from_the_future_is_due_because_the_clock_was_set_back(
    expires_at: float | None,
) -> None:
    for ahead, expected in ((61, "now"), (59, "not_yet")):
        told = due(obtained_at=NOW + ahead, expires_at=expires_at, refresh=PLAIN, now=NOW)
        assert told == expected


def test_a_provider_may_want_its_tokens_renewed_long_before_their_end() -> None:
    square = integrations()["square"].refresh
    for age, expected in ((7 * DAY, "soon"), (7 * DAY - 1, "not_yet")):
        told = due(obtained_at=NOW - age, expires_at=NOW + 30 * DAY - age, refresh=square, now=NOW)
        assert told == expected

"""How long a provider is left alone: tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.local._clocks import CLOCK_SET_BACK
from connectors.local._refresh import RefreshPolicy
from connectors.local._refresh._policy import time_left

POLICY = RefreshPolicy()


@pytest.mark.parametrize(
    ("failures", "most"), [(1, 5), (2, 10), (3, 20), (8, 640), (9, 900), (10_000, 900)]
)
def test_the_delay_doubles_up_to_a_quarter_of_an_hour(failures: int, most: float) -> None:
    assert POLICY.delay(failures, None, lambda: 1.0) == most
    assert POLICY.delay(failures, None, lambda: 0.5) == most / 2
    assert POLICY.delay(failures, None, lambda: 0.0) == 0


@given(st.integers(1, 100), st.floats(0, 1e6), st.floats(0, 0.999))
def test_a_provider_that_asks_for_patience_gets_it_up_to_an_hour(
    failures: int, asked: float, chance: float
) -> None:
    delay = POLICY.delay(failures, asked, lambda: chance)
    assert min(asked, 3600) <= delay <= 3600


@pytest.mark.parametrize(
    ("failures", "pause"), [(1, 60), (2, 120), (6, 1920), (7, 3600), (10_000, 3600)]
)
def test_a_provider_that_refuses_the_client_is_left_alone_for_up_to_an_hour(
    failures: int, pause: float
) -> None:
    assert POLICY.client_pause(failures) == pause


@pytest.mark.parametrize(
    ("until", "left"),
    [
        (None, 0),
        (90, 0),
        (100, 0),
        (101, 1),
        (110, 10),
        (110 + CLOCK_SET_BACK, 10 + CLOCK_SET_BACK),
        (111 + CLOCK_SET_BACK, 0),
        (1e12, 0),
    ],
)
def test_a_wait_that_is_longer_than_it_can_be_is_none(until: float | None, left: float) -> None:
    assert time_left(until, 100, longest=10) == left


@given(st.integers(1, 100), st.floats(0, 1e6), st.floats(0, 0.999))
def test_no_delay_is_longer_than_the_longest_wait(
    failures: int, asked: float, chance: float
) -> None:
    assert POLICY.delay(failures, asked, lambda: chance) <= POLICY.longest_wait
    assert POLICY.quarantine <= POLICY.longest_wait


def test_a_token_is_not_presented_again_before_its_last_exchange_must_have_ended() -> None:
    assert POLICY.quarantine > POLICY.deadline

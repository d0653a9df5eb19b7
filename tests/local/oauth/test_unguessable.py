"""State, verifier and challenge."""

import re

import pytest

from connectors.local._oauth import code_challenge, new_state, new_verifier
from transports import Secret


def test_the_challenge_is_the_one_of_the_rfc() -> None:
    # RFC 7636, appendix B.
    verifier = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_verifier_is_as_long_as_it_must_be_and_made_of_what_it_may_be() -> None:
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", new_verifier().reveal())


@pytest.mark.parametrize("make", [new_state, new_verifier])
def test_nothing_comes_twice(make: type) -> None:
    assert len({make().reveal() for _ in range(100)}) == 100
    assert len(make().reveal()) >= 43

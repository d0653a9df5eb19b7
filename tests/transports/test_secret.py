"""A secret shows itself only when it is asked to."""

import copy
import pickle

import pytest

from tests.transports.leaks import TOKEN, assert_no_leak
from transports import Secret


def test_only_reveal_shows_it() -> None:
    secret = Secret(TOKEN)
    assert secret.reveal() == TOKEN
    for text in (repr(secret), str(secret), f"{secret}", "%s %r" % (secret, secret), f"{[secret]}"):  # noqa: UP031
        assert TOKEN not in text
        assert "[secret]" in text


@pytest.mark.parametrize("value", [None, TOKEN.encode(), 1, Secret(TOKEN)])
def test_it_wraps_text_alone_and_shows_nothing_else(value: object) -> None:
    with pytest.raises(TypeError, match=f"not {type(value).__name__}") as caught:
        Secret(value)  # type: ignore[arg-type]
    assert_no_leak(caught.value)


def test_it_is_equal_to_the_same_secret_and_to_nothing_else() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("\ud800") != Secret("\udfff")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_empty_one_is_false() -> None:
    assert Secret("a")
    assert not Secret("")


def test_its_copy_is_itself() -> None:
    secret = Secret(TOKEN)
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"a": [secret]})["a"][0] is secret


def test_it_is_not_pickled() -> None:
    with pytest.raises(TypeError, match=r"reveal\(\)") as caught:
        pickle.dumps(Secret(TOKEN))
    assert TOKEN not in str(caught.value)

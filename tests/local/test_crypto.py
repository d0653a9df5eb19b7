import base64
import string

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from connectors.local._crypto import (
    KeyRing,
    Place,
    SealError,
    UnknownKeyError,
    key_ring,
    new_key,
)
from tests.local.vaults import KEY, OTHER_KEY
from transports import Secret

PLACE = Place(("connection", "id-1", "app-1"), 3, "access_ct")

# Lone surrogates too: what is sealed need not be valid text.
text = st.text(st.characters(exclude_categories=()))
places = st.builds(Place, st.lists(text, max_size=4).map(tuple), st.integers(min_value=0), text)


def ring(text: str = KEY) -> KeyRing:
    made = key_ring(Secret(text))
    assert made is not None
    return made


@given(value=text, place=places)
@example(value="\ud800 alone", place=PLACE)
def test_any_text_comes_back_as_it_was(value: str, place: Place) -> None:
    assert ring().unseal(ring().seal(Secret(value), place), place).reveal() == value


@given(value=st.text(st.characters(codec="utf-8"), max_size=40), data=st.data())
def test_a_sealed_value_with_any_byte_changed_is_refused(value: str, data: st.DataObject) -> None:
    sealed = ring().seal(Secret(value), PLACE).encode()
    at = data.draw(st.integers(0, len(sealed) - 1))
    byte = data.draw(st.integers(0, 255))
    assume(byte != sealed[at])
    edited = (sealed[:at] + bytes([byte]) + sealed[at + 1 :]).decode("latin-1")
    with pytest.raises((SealError, UnknownKeyError)):
        ring().unseal(edited, PLACE)


@given(one=places, other=places)
def test_a_value_opens_in_no_place_but_its_own(one: Place, other: Place) -> None:
    assume(one != other)
    with pytest.raises(SealError):
        ring().unseal(ring().seal(Secret("t"), one), other)


@pytest.mark.parametrize(
    "sealed",
    [None, 7, b"v1", "", "v1", "v1...", "v2" + "." * 3, "token"],
    ids=repr,
)
def test_what_is_no_sealed_value_is_refused(sealed: object) -> None:
    with pytest.raises(SealError):
        ring().unseal(sealed, PLACE)


@pytest.mark.parametrize("value", ["", "a", "ab"])
def test_the_bits_of_the_last_letter_that_hold_nothing_cannot_be_changed(value: str) -> None:
    sealed = ring().seal(Secret(value), PLACE)
    for letter in set(string.ascii_letters + string.digits + "-_") - {sealed[-1]}:
        with pytest.raises(SealError):
            ring().unseal(sealed[:-1] + letter, PLACE)


def test_a_body_that_is_no_base64_is_refused() -> None:
    version, key_id, nonce, body = ring().seal(Secret("t"), PLACE).split(".")
    assert len(body) % 4 != 0
    with pytest.raises(SealError):
        ring().unseal(".".join((version, key_id, nonce, body + "A" * (5 - len(body) % 4))), PLACE)


def test_the_same_value_is_sealed_differently_each_time() -> None:
    sealed = {ring().seal(Secret("t"), PLACE) for _ in range(100)}
    assert len(sealed) == 100


def test_the_first_key_seals_and_all_keys_open() -> None:
    old = ring(KEY).seal(Secret("t"), PLACE)
    both = ring(f"{OTHER_KEY},{KEY}")
    assert both.unseal(old, PLACE).reveal() == "t"
    new = both.seal(Secret("t"), PLACE)
    assert ring(OTHER_KEY).unseal(new, PLACE).reveal() == "t"
    with pytest.raises(UnknownKeyError) as caught:
        ring(KEY).unseal(new, PLACE)
    assert caught.value.key_id == ring(OTHER_KEY).ids[0]


def test_a_key_is_read_in_either_base64_with_or_without_padding() -> None:
    raw = bytes(range(250, 256)) * 5 + b"\xff\xff"
    forms = {
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        f"\n {base64.urlsafe_b64encode(raw).decode()} \n",
    }
    assert len(forms) == 4
    assert len({ring(form).ids for form in forms}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "A" * 22,
        "A" * 32,
        KEY[:-1],
        KEY + "AA",
        KEY + "A",
        f"{KEY},",
        f"{KEY},short",
        "é" * 43,
        "*" * 43,
    ],
)
def test_a_malformed_key_makes_no_ring(text: str) -> None:
    assert key_ring(Secret(text)) is None


def test_a_new_key_is_32_bytes_and_never_the_same() -> None:
    keys = {new_key().reveal() for _ in range(50)}
    assert len(keys) == 50
    assert all(len(base64.urlsafe_b64decode(key + "=")) == 32 for key in keys)


def test_a_ring_shows_the_ids_of_its_keys_and_no_key() -> None:
    both = ring(f"{OTHER_KEY},{KEY}")
    assert all(key_id in repr(both) for key_id in both.ids)
    assert KEY not in repr(both)
    assert not any(key_id in KEY or key_id in OTHER_KEY for key_id in both.ids)

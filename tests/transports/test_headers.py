"""Header fields: found whatever their case, kept in order, and shown by allow-list."""

import copy
import pickle
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transports.leaks import TOKEN, assert_no_leak
from transports import FieldValue, Headers, Secret

NAMES = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=8)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=8).filter(
    lambda text: "\x7f" not in text
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=6)


def test_a_field_is_found_whatever_the_case_of_its_name() -> None:
    headers = Headers({"Content-Type": "a/b"})
    assert (
        headers["content-type"] == headers["CONTENT-TYPE"] == headers.get("Content-type") == "a/b"
    )
    assert "cOnTeNt-type" in headers
    assert 1 not in headers  # type: ignore[comparison-overlap]
    assert headers.get("other") is None
    with pytest.raises(KeyError):
        headers["other"]


def test_every_value_of_a_name_is_kept_in_order() -> None:
    headers = Headers([("Set-Cookie", "1"), ("B", "x"), ("set-cookie", Secret("2"))])
    assert headers["set-cookie"] == "1"
    assert headers.get_all("SET-COOKIE") == ("1", "2")
    assert headers.get_all("other") == ()
    assert headers.fields == (("Set-Cookie", "1"), ("B", "x"), ("set-cookie", "2"))
    assert (list(headers), len(headers)) == (["set-cookie", "b"], 2)


@given(fields=FIELDS)
def test_two_of_the_same_message_are_equal(fields: list[tuple[str, str]]) -> None:
    headers = Headers(fields)
    by_name = Headers(sorted(((n.upper(), v) for n, v in fields), key=lambda field: field[0]))
    assert headers == by_name
    assert hash(headers) == hash(by_name)
    assert headers == Headers(headers)
    assert headers.fields == tuple(fields)
    assert headers != Headers([*fields, ("zz-more", "")])
    assert headers != dict(fields)


def test_merged_replaces_what_has_the_same_name_and_keeps_the_rest() -> None:
    headers = Headers([("A", "1"), ("a", "2"), ("B", "3")])
    merged = headers.merged({"a": "4", "C": Secret("5")})
    assert merged.fields == (("B", "3"), ("a", "4"), ("C", "5"))
    several = headers.merged(Headers([("b", "6"), ("b", "7")]))
    assert several.fields == (("A", "1"), ("a", "2"), ("b", "6"), ("b", "7"))
    assert headers.fields == (("A", "1"), ("a", "2"), ("B", "3"))


def test_a_repr_shows_only_what_is_known_to_hold_no_credential() -> None:
    headers = Headers({"Content-Type": "a/b", "Authorization": TOKEN, "X-New": TOKEN})
    assert repr(headers) == "<Headers Content-Type: 'a/b', Authorization: ..., X-New: ...>"
    assert repr(Headers()) == "<Headers>"


WRONG = {
    "a line break": ({"a": f"{TOKEN}\r\nb: c"}, ValueError, "'a' holds a character"),
    "a line feed at the end": ({"a": f"{TOKEN}\n"}, ValueError, "'a' holds a character"),
    "NUL": ({"a": f"{TOKEN}\x00"}, ValueError, "'a' holds a character"),
    "beyond a byte": ({"a": f"{TOKEN}\u20ac"}, ValueError, "'a' holds a character"),
    "in a secret": ({"a": Secret(f"{TOKEN}\n")}, ValueError, "'a' holds a character"),
    "an empty name": ({"": TOKEN}, ValueError, "does not name a header field"),
    "a line as a name": ({f"A: {TOKEN}": ""}, ValueError, r"'A\.\.\.' does not name"),
    "a name that is no string": ({1: TOKEN}, TypeError, "must be a str, not int"),
    "bytes": ({"a": TOKEN.encode()}, TypeError, "'a' must be a str, not bytes"),
    "None": ([("a", None)], TypeError, "'a' must be a str, not NoneType"),
    "a text": (f"A: {TOKEN}", TypeError, "a mapping, or pairs"),
    "a list of names": ([TOKEN], TypeError, "a mapping, or pairs"),
    "no fields": (1, TypeError, "a mapping, or pairs"),
}


@pytest.mark.parametrize(("fields", "kind", "says"), WRONG.values(), ids=WRONG)
def test_what_no_message_can_hold_is_refused_without_its_value(
    fields: Iterable[tuple[str, FieldValue]], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says) as caught:
        Headers(fields)
    assert_no_leak(caught.value)
    with pytest.raises(kind, match=says) as caught:
        Headers({"x": TOKEN}).merged(fields)  # type: ignore[arg-type]
    assert_no_leak(caught.value)


def test_a_copy_is_equal_and_shows_as_little() -> None:
    headers = Headers({"Authorization": Secret(TOKEN)})
    for again in (copy.copy(headers), copy.deepcopy(headers), Headers(headers)):
        assert again == headers
        assert TOKEN not in repr(again)


def test_fields_are_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Headers({"Authorization": Secret(TOKEN)}))


def test_what_holds_the_fields_shows_none_of_them() -> None:
    headers = Headers({"Authorization": Secret(TOKEN)})
    (held,) = (
        value for slot in Headers.__slots__ if (value := getattr(headers, slot, None)) is not None
    )
    assert repr(held) == "<1 header fields>"

"""JSON, strict in both directions."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._errors import Json
from connectors._json import Problem, encode_json, parsed
from tests.tracebacks import rendered

PLANTED = "planted-3f9c2b7d15"
BIGGER = "9" * 5000


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"null", None),
        (b' [1, 2.5, -0.0, 1e3, true, "x"] ', [1, 2.5, -0.0, 1000.0, True, "x"]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'\xef\xbb\xbf{"a": "b"}', {"a": "b"}),
        ('"ü🎉"'.encode(), "ü🎉"),
        (b'"\\u00fc\\ud83c\\udf89"', "ü🎉"),
        (b'"\\ud800"', "\ud800"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_what_is_json_is_read(body: bytes, value: Json) -> None:
    assert parsed(body) == value


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "it is empty"),
        (b" ", "it is not JSON"),
        (b"<html>", "it is not JSON"),
        (b"{'a': 1}", "it is not JSON"),
        (b"[1,]", "it is not JSON"),
        (b'{"a": 1} {"a": 1}', "it is not JSON"),
        (b'"line\nbreak"', "it is not JSON"),
        (b"\xef\xbb\xbf", "it is not JSON"),
        ("{}".encode("utf-16"), "it is not UTF-8"),
        ("{}".encode("utf-32"), "it is not UTF-8"),
        (b'"\xff"', "it is not UTF-8"),
        (b'"\xed\xa0\x80"', "it is not UTF-8"),
        (b"NaN", "it holds NaN, an infinity or a number that is too large"),
        (b"[-Infinity]", "it holds NaN, an infinity or a number that is too large"),
        (b"1e999", "it holds NaN, an infinity or a number that is too large"),
        (BIGGER.encode(), "it holds NaN, an infinity or a number that is too large"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"a":' * 100_000, "it is nested too deeply"),
    ],
)
def test_what_is_not_json_is_a_problem_with_a_name(body: bytes, problem: str) -> None:
    assert parsed(body) == Problem(problem)


def test_utf_16_in_little_endian_is_no_json_either() -> None:
    # Without a byte order mark it is valid UTF-8, with a null in every second place.
    assert parsed("{}".encode("utf-16-le")) == Problem("it is not JSON")


@given(st.binary())
def test_whatever_the_bytes_are_they_are_a_value_or_a_problem(body: bytes) -> None:
    value = parsed(body)
    if not isinstance(value, Problem):
        json.dumps(value, allow_nan=False)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
        ),
    )
)
def test_what_is_sent_is_read_as_it_was(value: Json) -> None:
    assert parsed(encode_json(value, "The call")) == value


def test_text_is_sent_as_it_is() -> None:
    assert encode_json({"a": "ü🎉/"}, "The call") == '{"a":"ü🎉/"}'.encode()


def looped() -> list[object]:
    value: list[object] = [PLANTED]
    value.append(value)
    return value


def nested() -> list[object]:
    value: list[object] = [PLANTED]
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        ([PLANTED, b"x"], TypeError, "The call must be made of JSON values: .*bytes is not"),
        ([PLANTED, {("a",): 1}], TypeError, "The call must be made of JSON values: keys must be"),
        ([PLANTED, {1, 2}], TypeError, "The call must be made of JSON values: .*set is not"),
        ([PLANTED, float("nan")], ValueError, "The call cannot be sent as JSON: Out of range"),
        ([PLANTED, float("inf")], ValueError, "The call cannot be sent as JSON: Out of range"),
        ([PLANTED, "\ud800"], ValueError, "The call cannot be sent as JSON: .*lone surrogate"),
        ([PLANTED, {"\udfff": 1}], ValueError, "The call cannot be sent as JSON: .*lone surr"),
        (looped(), ValueError, "The call cannot be sent as JSON: Circular reference"),
        (nested(), ValueError, "The call cannot be sent as JSON: maximum recursion depth"),
    ],
    ids=["bytes", "key", "set", "nan", "inf", "surrogate", "surrogate key", "loop", "deep"],
)
def test_what_json_cannot_hold_is_refused_without_showing_the_rest(
    value: object, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says) as caught:
        encode_json(value, "The call")
    # Before its own frame is rendered: what is nested as deeply as this, nothing can print.
    del value
    assert type(caught.value) is kind
    shown = rendered(caught.value)
    assert "_json.py" in shown
    assert PLANTED not in shown

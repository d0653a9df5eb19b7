"""An identifier is one segment of a path, as JavaScript's `encodeURIComponent` writes it."""

import enum
import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._wire import encode_segment

# By hand, from what encodeURIComponent is specified to do (ECMA-262, 19.2.6.4).
ENCODED = {
    "slack": "slack",
    "google_analytics": "google_analytics",
    "a/b c": "a%2Fb%20c",
    "../x": "..%2Fx",
    "..": None,
    ".": None,
    "": None,
    "...": "...",
    ".hidden": ".hidden",
    "%2e": "%252e",
    "%2e%2e": "%252e%252e",
    "%2F": "%252F",
    "ü": "%C3%BC",
    "日本": "%E6%97%A5%E6%9C%AC",
    "🎉": "%F0%9F%8E%89",
    "!~*'()": "!~*'()",
    "-_.!~*'()": "-_.!~*'()",
    ";,/?:@&=+$#": "%3B%2C%2F%3F%3A%40%26%3D%2B%24%23",
    '"<>\\^`{|}[]': "%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D",
    "a b": "a%20b",
    "a+b": "a%2Bb",
    "a\u00a0b": "a%C2%A0b",
    "a\u2028b": "a%E2%80%A8b",
    "0aZ": "0aZ",
}
KEPT = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()]|%[0-9A-F]{2})+")


@pytest.mark.parametrize(
    ("value", "encoded"), [pair for pair in ENCODED.items() if pair[1] is not None]
)
def test_a_segment_is_encoded_as_by_encodeuricomponent(value: str, encoded: str) -> None:
    assert encode_segment(value, "connector_id") == encoded


@pytest.mark.parametrize("value", [value for value, encoded in ENCODED.items() if encoded is None])
def test_what_would_select_another_route_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"^connector_id must not be"):
        encode_segment(value, "connector_id")


@pytest.mark.parametrize(
    "value", ["\0", "a\nb", "a\r", "\tb", "\x1b", "\x7f", "\x80", "\x9f", "\ud800", "a\udfff"]
)
def test_what_nobody_can_have_meant_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="control character or a lone surrogate") as caught:
        encode_segment(value, "connector_id")
    # It can be printed.
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", [None, 1, b"slack", ["slack"], object()])
def test_what_is_no_string_is_refused(value: object) -> None:
    with pytest.raises(
        TypeError, match=f"integration_type must be a str, not {type(value).__name__}"
    ):
        encode_segment(value, "integration_type")


def test_a_member_of_a_string_enumeration_is_its_value() -> None:
    class Kind(enum.StrEnum):
        ODD = "a/b"

    assert encode_segment(Kind.ODD, "integration_type") == "a%2Fb"


@given(st.text())
def test_a_segment_stays_one_and_means_what_it_said(value: str) -> None:
    try:
        encoded = encode_segment(value, "connector_id")
    except ValueError:
        assert value in {"", ".", ".."} or re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", value)
        return
    assert KEPT.fullmatch(encoded)
    assert encoded not in {".", ".."}
    assert unquote(encoded, errors="strict") == value

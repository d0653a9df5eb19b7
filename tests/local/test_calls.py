"""A call is taken as its app means it, or refused before anything is sent."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.local._answers import Refusal
from connectors.local._calls import Call, read_call

FORM = "application/x-www-form-urlencoded"


def called(**fields: object) -> Call:
    return read_call(json.dumps({"path": "/x", **fields}).encode())


def refused(body: bytes) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        read_call(body)
    return caught.value.response.status, json.loads(caught.value.response.body)["detail"]


def test_what_is_left_out_has_a_default() -> None:
    call = called()
    assert (call.method, call.path, call.host, call.query) == ("GET", "/x", None, "")
    assert (dict(call.headers), call.body) == ({}, None)
    nothing = called(query=None, headers=None, body=None, host=None)
    assert nothing == call


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
def test_a_method_of_the_protocol_is_taken(method: str) -> None:
    assert called(method=method).method == method


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ({}, ""),
        ({"q": "a b&c=d/é"}, "q=a%20b%26c%3Dd%2F%C3%A9"),
        ({"n": 1, "x": 1.5, "yes": True, "no": False}, "n=1&x=1.5&yes=true&no=false"),
        ({"many": ["a", 2, True]}, "many=a&many=2&many=true"),
        ({"none": []}, ""),
        ({"a b": ""}, "a%20b="),
    ],
)
def test_a_query_is_encoded_as_javascript_would(query: object, sent: str) -> None:
    assert called(query=query).query == sent


@pytest.mark.parametrize(
    ("body", "headers", "sent", "kind"),
    [
        ({"a": [1, None]}, {}, b'{"a":[1,null]}', "application/json"),
        ([], {}, b"[]", "application/json"),
        (0, {}, b"0", "application/json"),
        ({"é": 1}, {"Content-Type": "application/vnd.api+json"}, '{"é":1}'.encode(), None),
        ("é", {}, "é".encode(), "text/plain; charset=utf-8"),
        ("", {}, b"", "text/plain; charset=utf-8"),
        ('{"a":1}', {"content-type": "application/json"}, b'{"a":1}', None),
        ("<a/>", {"CONTENT-TYPE": "application/xml"}, b"<a/>", None),
        ({"a": "b c", "d": [1, 2]}, {"content-type": FORM}, b"a=b%20c&d=1&d=2", None),
        ("a=b", {"content-type": f"{FORM}; charset=utf-8"}, b"a=b", None),
        (None, {"content-type": "text/csv"}, None, None),
    ],
)
def test_a_body_is_text_as_it_is_a_form_or_json(
    body: object, headers: dict[str, str], sent: bytes | None, kind: str | None
) -> None:
    call = called(body=body, headers=headers)
    assert call.body == sent
    assert call.headers.get("content-type") == (kind or next(iter(headers.values()), None))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b"NaN", b'{"path": "/x", "body": 1e999}']
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    assert refused(body) == (400, "The body is not JSON")


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"method": "get"}, "method must be one of GET, POST, PUT, PATCH, DELETE, HEAD, "),
        ({"method": "TRACE"}, "method must be one of"),
        ({"method": None}, "method must be one of"),
        ({"method": ["GET"]}, "method must be one of"),
        ({"path": None}, "path must be a text"),
        ({"path": 7}, "path must be a text"),
        ({"host": 7}, "host must be a text or null"),
        ({"query": []}, "query must be an object"),
        ({"query": "a=b"}, "query must be an object"),
        ({"query": {"a": None}}, "query must hold texts, numbers, booleans or lists of those"),
        ({"query": {"a": {}}}, "query must hold"),
        ({"query": {"a": [[]]}}, "query must hold"),
        ({"query": {"a": "\ud800"}}, "query has half of a character in it"),
        ({"query": {"\ud800": 1}}, "query has half of a character in it"),
        ({"headers": []}, "headers must be an object"),
        ({"headers": {"a": 1}}, "headers must hold texts, in ASCII"),
        ({"headers": {"a": "é"}}, "headers must hold texts, in ASCII"),
        ({"headers": {"a": "b\r\nc: d"}}, "headers can't be sent: The value of the header field"),
        ({"headers": {"a b": "c"}}, "headers can't be sent: 'a...' does not name a header field"),
        ({"headers": {"": "c"}}, "headers can't be sent: "),
        ({"body": "\ud800"}, "body has half of a character in it"),
        ({"body": {"a": "\ud800"}}, "body has half of a character in it"),
        ({"body": {}, "headers": {"content-type": "text/csv"}}, "body must be a text when"),
        ({"body": [], "headers": {"content-type": FORM}}, "body must be a text when"),
        ({"body": {"a": None}, "headers": {"content-type": FORM}}, "body must hold texts"),
    ],
)
def test_what_cant_be_meant_is_refused(fields: dict[str, object], detail: str) -> None:
    status, told = refused(json.dumps({"path": "/x", **fields}).encode())
    assert status == 422
    assert told.startswith(detail)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"path"', b"1"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    assert refused(body) == (422, "The body must be a JSON object")


def test_what_an_app_sends_is_in_no_repr() -> None:
    call = called(
        path="/planted-path",
        query={"q": "planted-query"},
        headers={"x-key": "planted-header"},
        body="planted-body",
    )
    assert "planted" not in repr(call)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)
NAMES = st.sampled_from(["method", "path", "host", "query", "headers", "body"])


@given(st.dictionaries(NAMES, JSON) | JSON)
def test_whatever_json_comes_it_is_a_call_or_a_refusal(data: object) -> None:
    with suppress(Refusal):
        call = read_call(json.dumps(data).encode())
        assert call.query.isascii()
        assert all(value.isascii() for value in call.headers.values())

"""An envelope says how far a call came, and gives away nothing that was sent with it."""

import base64
import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._requests import LARGEST_ENVELOPE
from connectors.catalog import Integration, integrations
from connectors.local._envelopes import envelope, phase
from transports import (
    BodyTooLargeError,
    ConnectError,
    DisconnectedError,
    Phase,
    ProtocolError,
    ReadTimeoutError,
    Response,
    Secret,
    TransportClosedError,
    TransportError,
)

TOKEN = "xoxb-planted-token-8d1c"
GITHUB, DROPBOX = integrations()["github"], integrations()["dropbox"]
NOTHING: dict[str, object] = {
    "status_code": None,
    "data": None,
    "data_base64": None,
    "content_type": None,
    "headers": {},
    "credits_charged": 0,
}


def told(result: Response | TransportError, integration: Integration = GITHUB) -> dict[str, object]:
    response = envelope(result, integration, Secret(TOKEN))
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    assert response.headers["cache-control"] == "no-store"
    assert TOKEN.encode() not in response.body
    data = json.loads(response.body)
    assert isinstance(data, dict)
    return data


def failed(kind: type[TransportError], phase: Phase, *, maybe_sent: bool) -> TransportError:
    url = "https://api.github.com/x?planted-query"
    return kind("It broke", method="POST", url=url, phase=phase, maybe_sent=maybe_sent)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (failed(ConnectError, "connect", maybe_sent=False), "not_sent"),
        (failed(ReadTimeoutError, "pool", maybe_sent=False), "not_sent"),
        (failed(ReadTimeoutError, "headers", maybe_sent=True), "timed_out"),
        (failed(ReadTimeoutError, "body", maybe_sent=True), "timed_out"),
        (failed(DisconnectedError, "headers", maybe_sent=True), "sent_unconfirmed"),
        (failed(BodyTooLargeError, "body", maybe_sent=True), "sent_unconfirmed"),
        (failed(ProtocolError, "headers", maybe_sent=True), "sent_unconfirmed"),
        (failed(TransportClosedError, "pool", maybe_sent=False), "not_sent"),
        (failed(TransportClosedError, "headers", maybe_sent=True), "sent_unconfirmed"),
    ],
)
def test_a_call_without_an_answer_came_as_far_as_is_known(
    error: TransportError, expected: str
) -> None:
    assert phase(error) == expected
    assert told(error) == {**NOTHING, "success": False, "phase": expected, "detail": str(error)}
    assert "planted" not in json.dumps(told(error))


def test_what_a_transport_of_ones_own_says_has_no_token_in_it() -> None:
    error = ConnectError(
        f"with {TOKEN}", method="GET", url="http://x", phase="connect", maybe_sent=False
    )
    assert "with [redacted]" in str(told(error)["detail"])


@pytest.mark.parametrize(
    ("status", "success"),
    [(200, True), (204, True), (299, True), (302, False), (400, False), (401, False), (503, False)],
)
def test_every_answer_of_a_provider_is_a_result(status: int, success: object) -> None:
    assert told(Response(status)) == {
        **NOTHING,
        "success": success,
        "phase": "responded",
        "status_code": status,
    }


PNG = b"\x89PNG\r\n\0\xff"


@pytest.mark.parametrize(
    ("kind", "body", "data"),
    [
        ("application/json", b'{"a": [1, 2.5, null, "\xc3\xa9"]}', {"a": [1, 2.5, None, "é"]}),
        ("application/json; charset=utf-8", b" 1 ", 1),
        ("Application/Problem+JSON", b'"x"', "x"),
        ("application/json", b"\xef\xbb\xbf[]", []),
        ("text/html; charset=utf-8", "é<\0>".encode(), "é<\0>"),
        ("text/csv", b"a,b\n", "a,b\n"),
        ("application/json", b"", None),
        ("image/png", b"", None),
    ],
)
def test_json_and_text_come_as_what_they_are(kind: str, body: bytes, data: object) -> None:
    found = told(Response(200, {"content-type": kind}, body))
    assert (found["data"], found["data_base64"]) == (data, None)
    assert found["content_type"] == kind


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("image/png", PNG),
        ("application/octet-stream", b"{}"),
        ("application/jsonlines", b"{}"),
        ("application/json", b"{"),
        ("application/json", b"NaN"),
        ("application/json", b"1e999"),
        ("application/json", b'{"a": Infinity}'),
        ("application/json", b'"\xff"'),
        ("application/json", b'"\\ud800"'),
        ("application/json", b"[" * 100_000),
        ("application/json", b"1" * 5000),
        ("text/plain", b"\xff"),
        ("text/plain; charset=utf-16", "é".encode("utf-16")),
        (None, b"x"),
        ("", b"x"),
    ],
)
def test_everything_else_comes_byte_for_byte(kind: str | None, body: bytes) -> None:
    headers = {} if kind is None else {"content-type": kind}
    found = told(Response(200, headers, body))
    assert found["data"] is None
    assert base64.b64decode(str(found["data_base64"])) == body
    assert found["content_type"] == kind


def test_json_that_is_as_deep_as_can_be_read_can_be_told() -> None:
    for depth in range(300, 1100, 50):
        body = b"[" * depth + b"]" * depth
        found = told(Response(200, {"content-type": "application/json"}, body))
        assert (found["data"] is None) != (found["data_base64"] is None)


def test_an_answer_that_would_be_too_long_as_text_comes_in_base64() -> None:
    body = b"\0" * (11 * 1024 * 1024)
    response = envelope(Response(200, {"content-type": "text/plain"}, body), GITHUB, Secret(TOKEN))
    assert 6 * len(body) > LARGEST_ENVELOPE > len(response.body)
    assert base64.b64decode(json.loads(response.body)["data_base64"]) == body


def test_only_the_allowed_headers_are_shown() -> None:
    sent = {
        "Content-Type": "text/plain",
        "ETag": '"1"',
        "Link": '<https://api.github.com/x?page=2>; rel="next"',
        "X-RateLimit-Remaining": "7",
        "X-GitHub-Request-Id": "A:1",
        "Set-Cookie": "planted=1",
        "Server": "nginx",
        "X-Internal": "planted",
        "Dropbox-API-Result": "{}",
    }
    allowed = {"etag", "link", "x-ratelimit-remaining", "x-github-request-id"}
    for integration, more in ((GITHUB, set[str]()), (DROPBOX, {"dropbox-api-result"})):
        found = told(Response(200, sent), integration)["headers"]
        assert isinstance(found, dict)
        assert set(found) == allowed | more
        assert found["etag"] == '"1"'


def test_a_field_that_came_twice_is_shown_as_one() -> None:
    headers = [("Link", "<https://a.example>"), ("link", "<https://b.example>")]
    found = told(Response(200, headers))["headers"]
    assert found == {"link": "<https://a.example>, <https://b.example>"}


@pytest.mark.parametrize(
    "location",
    [
        "https://files.example/a/b?page=2&upload_id=7#part",
        "/relative?cursor=x",
        "https://user.example/a@b",
        "",
    ],
)
def test_a_redirect_is_told_and_not_followed(location: str) -> None:
    found = told(Response(302, {"location": location}))
    assert (found["phase"], found["status_code"], found["success"]) == ("responded", 302, False)
    assert found["headers"] == {"location": location}


@pytest.mark.parametrize(
    "location",
    [
        f"https://files.example/{TOKEN}",
        f"https://files.example/?x={TOKEN.replace('-', '%2D')}",
        "https://files.example/?access_token=planted",
        "https://files.example/?X-Amz-Signature=planted",
        "https://files.example/?a=b&sig=planted",
        "https://files.example/#token=planted",
        "https://app.example/callback?code=planted",
        "https://planted@files.example/",
        "//planted:planted@files.example/",
        "https://[files.example/",
    ],
)
def test_an_address_that_opens_what_it_leads_to_is_not_told(location: str) -> None:
    found = told(Response(302, {"location": location}))
    assert (found["status_code"], found["headers"]) == (302, {})


def test_a_token_that_comes_back_is_in_no_header() -> None:
    found = told(Response(401, {"www-authenticate": f'Bearer error="x", token="{TOKEN}"'}))
    assert found["headers"] == {}


BODIES = st.binary(max_size=30) | st.sampled_from([b"{}", b"[1]", b'"\\udc00"', b"1e400", b"\0"])
KINDS = st.none() | st.sampled_from(["application/json", "text/plain", "image/png", "a/b+json"])
NAMES = st.sampled_from(["location", "link", "etag", "set-cookie", "x-other", "retry-after"])
VALUES = st.text("".join(map(chr, range(32, 127))), max_size=30)


@given(
    status=st.integers(100, 599),
    kind=KINDS,
    body=BODIES,
    fields=st.lists(st.tuples(NAMES, VALUES), max_size=4),
)
def test_whatever_a_provider_answers_it_is_told_and_comes_whole(
    status: int, kind: str | None, body: bytes, fields: list[tuple[str, str]]
) -> None:
    headers = [*fields, *([] if kind is None else [("content-type", kind)])]
    found = told(Response(status, headers, body))
    assert found["status_code"] == status
    assert set(found) == {*NOTHING, "success", "phase"}
    assert isinstance(found["headers"], dict)
    assert not {"set-cookie", "x-other"} & set(found["headers"])
    if found["data_base64"] is not None:
        assert base64.b64decode(str(found["data_base64"])) == body
        assert found["data"] is None
    elif kind == "text/plain":
        assert (found["data"] or "") == body.decode()
    else:
        assert found["data"] == (json.loads(body) if body else None)


def test_the_type_says_which_fields_it_knows() -> None:
    mine = attrs.evolve(GITHUB, api=attrs.evolve(GITHUB.api, optional_headers=("X-Mine",)))
    assert told(Response(200, {"x-mine": "1"}), mine)["headers"] == {"x-mine": "1"}
    assert told(Response(200, {"x-mine": "1"}))["headers"] == {}

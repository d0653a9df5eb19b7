"""Requests, responses and limits are checked when they are made, and printed without secrets."""

import math
from collections.abc import Callable

import anyio
import attrs
import pytest

from tests.loops import EVERY, on
from tests.transports.leaks import TOKEN, assert_no_leak
from transports import (
    MAX_BODY,
    Headers,
    ReadTimeoutError,
    Request,
    Response,
    Secret,
    Timeouts,
    within_deadline,
)

URL = "https://service.example/path"


def test_a_request_has_defaults_that_fit_most() -> None:
    request = Request("GET", URL)
    assert (request.headers, request.body) == (Headers(), None)
    assert request.timeouts == Timeouts(connect=10.0, read=30.0)
    assert (request.deadline, request.max_body) == (math.inf, MAX_BODY)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_what_may_be_repeated_follows_from_the_method(method: str) -> None:
    assert Request(method, URL).idempotent
    assert not Request(method, URL, idempotent=False).idempotent
    assert not Request("POST", URL).idempotent
    assert Request("PATCH", URL, idempotent=True).idempotent


def test_header_fields_may_be_a_mapping_pairs_or_headers() -> None:
    headers = Headers({"a": "1"})
    assert Request("GET", URL, headers).headers is headers
    assert Request("GET", URL, {"a": "1"}).headers == headers
    assert Request("GET", URL, (pair for pair in [("a", Secret("1"))])).headers == headers
    assert Response(200, headers).headers is headers
    assert Response(200, {"a": "1"}).headers == headers


def test_requests_are_equal_when_they_ask_for_the_same() -> None:
    one = Request("GET", URL, {"a": "1"}, b"x", deadline=1.0, timeouts=Timeouts(read=1))
    two = attrs.evolve(one, deadline=2.0, timeouts=Timeouts())
    assert one == two
    assert hash(one) == hash(two)
    assert two.deadline == 2.0
    changes: list[dict[str, object]] = [
        {"method": "PUT"},
        {"url": URL + "2"},
        {"headers": Headers({"a": "2"})},
        {"body": b"y"},
        {"max_body": 1},
        {"idempotent": False},
    ]
    for change in changes:
        assert attrs.evolve(one, **change) != one  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "http://a",
        "http://a?b",
        "https://a.example:8443/b?c=d%20e&f=/",
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://[fe80::1]:80/x",
        "http://under_score.example/",
        "http://xn--bcher-kva.example/",
        "http://a/!$&'()*+,;=:@[]\\^`{|}\"<>%",
    ],
)
def test_an_absolute_url_that_can_be_sent_as_it_is_is_taken(url: str) -> None:
    assert Request("GET", url).url == url


WRONG_URLS = {
    "relative": "/path",
    "another scheme": "ftp://a.example/",
    "capital letters": "HTTP://a.example/",
    "no host": "http:///path",
    "a fragment": f"http://a.example/#access_token={TOKEN}",
    "a user": f"http://me:{TOKEN}@a.example/",
    "a user in an odd place": f"https:/me:{TOKEN}@a.example/",
    "a space": f"http://a.example/?a b{TOKEN}",
    "a line break": "http://a.example/\r\nHost: b",
    "a line break at the end": "http://a.example/\n",
    "beyond ASCII": "http://a.example/\xfc",
    "a host beyond ASCII": "http://b\xfccher.example/",
    "NUL in the host": "http://a\x00.example/",
    "a backslash in the host": "http://a\\.example/",
    "a port that is no number": "http://a.example:x/",
    "an empty port": "http://a.example:/",
    "port 0": "http://a.example:0/",
    "a port too large": "http://a.example:65536/",
    "a broken address": "http://[::1/",
    "an address that is none": "http://[:::::::::]/",
    "bytes": b"http://a.example/",
    "None": None,
}


@pytest.mark.parametrize("url", WRONG_URLS.values(), ids=WRONG_URLS)
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be absolute") as caught:
        Request("GET", url)
    assert_no_leak(caught.value)


WRONG = {
    "a method in small letters": (lambda: Request("get", URL), ValueError),
    "a method with a space": (lambda: Request("GET /", URL), ValueError),
    "no method": (lambda: Request(None, URL), ValueError),  # type: ignore[arg-type]
    "a field with a line break": (lambda: Request("GET", URL, {"a": TOKEN + "\n"}), ValueError),
    "a field of bytes": (lambda: Request("GET", URL, {"a": TOKEN.encode()}), TypeError),  # type: ignore[arg-type]
    "a body of text": (lambda: Request("GET", URL, {}, TOKEN), TypeError),  # type: ignore[arg-type]
    "a bytearray": (lambda: Request("GET", URL, {}, bytearray(1)), TypeError),  # type: ignore[arg-type]
    "no deadline": (lambda: Request("GET", URL, deadline=None), ValueError),  # type: ignore[arg-type]
    "a deadline that is no number": (lambda: Request("GET", URL, deadline=math.nan), ValueError),
    "a cap below 0": (lambda: Request("GET", URL, max_body=-1), ValueError),
    "a cap in parts": (lambda: Request("GET", URL, max_body=1.5), ValueError),  # type: ignore[arg-type]
    "a status of text": (lambda: Response("200", {"a": TOKEN}), ValueError),  # type: ignore[arg-type]
    "an answer of text": (lambda: Response(200, body=TOKEN), TypeError),  # type: ignore[arg-type]
    "an answer with a broken field": (lambda: Response(200, {"a": TOKEN + "\n"}), ValueError),
    "a limit of 0": (lambda: Timeouts(connect=0), ValueError),
    "a limit for ever": (lambda: Timeouts(read=math.inf), ValueError),
    "a limit that is no number": (lambda: Timeouts(read=math.nan), ValueError),
    "a limit of text": (lambda: Timeouts(connect="1"), ValueError),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("make", "kind"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_sent_is_refused_before_anything_happens(
    make: Callable[[], object], kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        make()
    assert_no_leak(caught.value)


def test_a_limit_may_be_none() -> None:
    assert Timeouts(connect=None, read=None) == Timeouts(None, None)


def test_no_repr_shows_a_query_a_body_or_a_credential() -> None:
    request = Request("POST", f"{URL}?code={TOKEN}", {"api_key": TOKEN}, TOKEN.encode())
    response = Response(200, {"set-cookie": TOKEN}, TOKEN.encode(), elapsed=0.12345)
    assert repr(request) == (
        "Request(method='POST', url='https://service.example/path?...', "
        "headers=<Headers api_key: ...>, body=<22 bytes>)"
    )
    assert repr(response) == (
        "Response(status=200, headers=<Headers set-cookie: ...>, body=<22 bytes>, "
        "elapsed=0.123, source='network')"
    )
    assert "body=None" in repr(Request("GET", URL))


@on(EVERY)
async def test_within_deadline_gives_the_answer_or_a_timeout() -> None:
    async def answer(seconds: float) -> str:
        await anyio.sleep(seconds)
        return "answer"

    request = Request("GET", f"{URL}?{TOKEN}", deadline=anyio.current_time() + 0.1)
    assert await within_deadline(request, answer(0)) == "answer"
    with pytest.raises(ReadTimeoutError, match="deadline") as caught:
        await within_deadline(request, answer(10))
    assert caught.value.maybe_sent
    assert_no_leak(caught.value)


def test_a_request_with_another_deadline_is_the_same_in_all_else() -> None:
    limits = Timeouts(connect=1, read=2)
    request = Request(
        "POST", URL, {"a": "b"}, b"c", timeouts=limits, deadline=3, max_body=4, idempotent=True
    )
    later = request.until(5)
    assert later == request
    assert (later.deadline, request.deadline) == (5, 3)
    assert (later.timeouts, later.max_body, later.idempotent) == (limits, 4, True)
    assert later.headers is request.headers

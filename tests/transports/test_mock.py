"""The mock answers from routes and a handler, and keeps a log."""

import re

import anyio
import pytest

from tests.loops import EVERY, on
from tests.transports.leaks import TOKEN, assert_no_leak
from transports import (
    ConnectError,
    PoolTimeoutError,
    ReadTimeoutError,
    Request,
    Response,
    TransportClosedError,
    UnmatchedRequestError,
)
from transports.mock import Answer, Call, MockTransport, json_response

pytestmark = on(EVERY)

URL = "https://service.example"


def get(path: str = "/a", **more: object) -> Request:
    return Request("GET", URL + path, **more)  # type: ignore[arg-type]


def refused() -> ConnectError:
    return ConnectError("Refused", method="GET", url=URL, phase="connect", maybe_sent=False)


async def body_of(transport: MockTransport, request: Request) -> bytes:
    return (await transport.send(request)).body


@pytest.mark.parametrize("path", ["/a", "/a/b?c=d", "/a?next=/b/c"])
async def test_a_route_matches_a_url_or_its_path_alone(path: str) -> None:
    transport = MockTransport()
    transport.route("GET", path, Response(200, body=b"path"))
    assert await body_of(transport, get(path)) == b"path"
    transport.route("GET", URL + path, Response(200, body=b"url"))
    assert await body_of(transport, get(path)) == b"url"


@pytest.mark.parametrize(("url", "route"), [("", "/"), ("/", "/"), ("?a=b", "/?a=b")])
async def test_a_url_without_a_path_has_the_root(url: str, route: str) -> None:
    transport = MockTransport()
    transport.route("GET", route, Response(200, body=b"root"))
    assert await body_of(transport, get(url)) == b"root"


async def test_the_newest_route_that_matches_answers_and_then_the_handler() -> None:
    transport = MockTransport(lambda _: Response(200, body=b"handler"))
    assert await body_of(transport, get()) == b"handler"
    transport.route("GET", "/a", Response(200, body=b"one"))
    transport.route("GET", URL + "/a", Response(200, body=b"two"))
    assert await body_of(transport, get()) == b"two"
    transport.route("GET", "/a", Response(200, body=b"three"))
    assert await body_of(transport, get()) == b"three"
    assert await body_of(transport, Request("POST", URL + "/a")) == b"handler"


async def test_a_handler_may_answer_at_once_later_or_with_an_error() -> None:
    async def later(request: Request) -> Response:
        await anyio.sleep(0.01)
        return Response(200, body=request.url.encode())

    def fail(_: Request) -> Response:
        raise refused()

    transport = MockTransport()
    transport.route("GET", "/later", later)
    transport.route("GET", "/fail", fail)
    transport.route("GET", "/error", refused())
    response = await transport.send(get("/later"))
    assert (response.body, response.source) == (f"{URL}/later".encode(), "mock")
    assert response.elapsed >= 0.009
    for path in ("/fail", "/error"):
        with pytest.raises(ConnectError):
            await transport.send(get(path))


async def test_an_error_that_is_raised_often_does_not_gather_frames() -> None:
    error = refused()
    transport = MockTransport()
    transport.route("GET", "/a", error)
    lengths = set()
    for _ in range(3):
        with pytest.raises(ConnectError) as caught:
            await transport.send(get())
        lengths.add(len(caught.traceback))
    assert len(lengths) == 1


@pytest.mark.parametrize(
    ("method", "url", "answer", "kind"),
    [
        ("get", "/a", Response(200), ValueError),
        ("GET", "a", Response(200), ValueError),
        ("GET", "/a b", Response(200), ValueError),
        ("GET", "ftp://a/", Response(200), ValueError),
        ("GET", None, Response(200), ValueError),
        ("GET", "/a", {"status": 200}, TypeError),
        ("GET", "/a", ConnectError, TypeError),
        ("GET", "/a", None, TypeError),
    ],
)
async def test_a_route_that_could_never_work_is_refused(
    method: str, url: str, answer: Answer, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        MockTransport().route(method, url, answer)


async def test_a_handler_that_gives_no_response_is_told_so() -> None:
    async def nothing(_: Request) -> Response:
        return None  # type: ignore[return-value]

    for handler in (nothing, lambda _: "text"):
        with pytest.raises(TypeError, match="A handler gives a Response, not"):
            await MockTransport(handler).send(get())  # type: ignore[arg-type]


async def test_every_request_is_logged_with_how_it_ended() -> None:
    async def stuck(_: Request) -> Response:
        await anyio.sleep_forever()
        raise AssertionError

    error = refused()
    transport = MockTransport()
    transport.route("GET", "/a", Response(204))
    transport.route("GET", "/error", error)
    transport.route("GET", "/stuck", stuck)
    requests = [get(), get("/error"), get("/none"), get("/stuck")]
    await transport.send(requests[0])
    with pytest.raises(ConnectError):
        await transport.send(requests[1])
    with pytest.raises(UnmatchedRequestError):
        await transport.send(requests[2])
    with anyio.move_on_after(0.01):
        await transport.send(requests[3])
    answered, failed, unmatched, cancelled = transport.calls
    assert [call.request for call in transport.calls] == requests
    assert answered.response is not None
    assert (answered.response.status, answered.error) == (204, None)
    assert (failed.response, failed.error) == (None, error)
    assert isinstance(unmatched.error, UnmatchedRequestError)
    assert (cancelled.response, cancelled.error) == (None, None)


async def test_a_call_is_logged_with_its_route_and_what_the_request_says() -> None:
    transport = MockTransport(lambda _: Response(204))
    route = transport.route("POST", "/users/{id}?*", Response(200))
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    path = "/users/a%20b?x=1&y=%26&x=2&z"
    await transport.send(Request("POST", URL + path, form, b"a=1&b=%C3%A9+\xc3\xa9&a="))
    await transport.send(Request("PUT", URL, body=b'{"a": [1, "\xc3\xa9"]}'))
    routed, handled = transport.calls
    assert route.calls == [routed]
    assert (routed.route, routed.params) == (route, {"id": "a b"})
    assert routed.path == "/users/a b"
    assert routed.query == {"x": ("1", "2"), "y": ("&",), "z": ("",)}
    assert routed.form == {"a": ("1", ""), "b": ("é é",)}
    assert (handled.route, handled.params, handled.path, handled.query) == (None, {}, "/", {})
    assert handled.json == {"a": [1, "é"]}


@pytest.mark.parametrize(
    ("body", "view", "why"),
    [
        (None, "json", "has no JSON to look at: it has no body"),
        (b"{", "json", "has no JSON to look at: its body is no JSON"),
        (b"\xff", "json", "its body is no JSON"),
        (b"[" * 100_000, "json", "its body is nested too deeply"),
        (None, "form", "has no form to look at: it has no body"),
        (b"a=1", "form", "has no form to look at: its content-type is 'text/plain'"),
    ],
)
async def test_a_body_that_is_something_else_fails_the_test_that_looks(
    body: bytes | None, view: str, why: str
) -> None:
    call = Call(Request("POST", f"{URL}/a?b={TOKEN}", {"content-type": "text/plain"}, body))
    with pytest.raises(AssertionError, match=re.escape(f"POST {URL}/a?... ")) as caught:
        getattr(call, view)
    assert why in str(caught.value)


async def test_the_log_shows_no_credential() -> None:
    def fail(_: Request) -> Response:
        raise ValueError(TOKEN)

    transport = MockTransport(fail)
    transport.route("GET", f"/a?b={TOKEN}", Response(200, {"x": TOKEN}, TOKEN.encode()))
    await transport.send(get(f"/a?b={TOKEN}", headers={"authorization": TOKEN}))
    with pytest.raises(ValueError):
        await transport.send(get(f"/b?c={TOKEN}"))
    call = Call(Request("POST", URL, {"content-type": "text/plain"}, f"{{{TOKEN}".encode()))
    for view in ("json", "form"):
        with pytest.raises(AssertionError) as caught:
            getattr(call, view)
        assert_no_leak(caught.value)
    shown = repr([*transport.calls, transport.calls[0].route, transport])
    assert TOKEN not in shown
    assert "route=GET /a?..." in shown
    assert "error=ValueError" in shown


async def test_a_handler_may_close_the_transport() -> None:
    async def closing(_: Request) -> Response:
        await transport.aclose()
        await anyio.sleep_forever()
        raise AssertionError

    transport = MockTransport(closing)
    with pytest.raises(TransportClosedError) as caught:
        await transport.send(get())
    assert caught.value.maybe_sent


@pytest.mark.parametrize("body", [None, b"body"])
async def test_a_deadline_ends_a_handler_and_a_past_one_asks_none(body: bytes | None) -> None:
    async def stuck(_: Request) -> Response:
        await anyio.sleep_forever()
        raise AssertionError

    transport = MockTransport(stuck)
    request = Request("POST", URL, body=body, deadline=anyio.current_time() + 0.05)
    with pytest.raises(ReadTimeoutError) as late:
        await transport.send(request)
    assert late.value.maybe_sent
    with pytest.raises(PoolTimeoutError) as past:
        await transport.send(request)
    assert not past.value.maybe_sent


async def test_a_json_response_says_that_it_is_json() -> None:
    response = json_response({"a": [1, None]}, 201, {"x-b": "c"})
    assert (response.status, response.body) == (201, b'{"a": [1, null]}')
    assert dict(response.headers) == {"content-type": "application/json", "x-b": "c"}
    other = json_response([], headers={"Content-Type": "application/problem+json"})
    assert other.headers.get_all("content-type") == ("application/problem+json",)

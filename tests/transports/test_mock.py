"""The mock answers from routes and a handler, refuses the rest, and keeps a log."""

import anyio
import pytest

from tests.loops import EVERY, on
from transports import (
    ConnectError,
    PoolTimeoutError,
    ReadTimeoutError,
    Request,
    Response,
    TransportClosedError,
    UnmatchedRequestError,
)
from transports.mock import Answer, MockTransport, json_response

pytestmark = on(EVERY)

URL = "https://service.example"


def get(path: str = "/a", **more: float) -> Request:
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


async def test_what_nothing_answers_is_an_assertion_error_that_names_what_is_missing() -> None:
    with pytest.raises(
        UnmatchedRequestError, match=r"answers GET .*/a\?\.\.\.\.\nIt has no routes"
    ):
        await MockTransport().send(get("/a?code=1"))


@pytest.mark.parametrize(
    ("routes", "nearest"),
    [
        ([("POST", "/a")], "POST /a. The request differs:\n  method: GET, the route has POST"),
        ([("GET", "/b")], "GET /b. The request differs:\n  path: segment 1 is 'a', the route has"),
        ([("GET", "/a?x=1")], "GET /a?.... The request differs:\n  query: 'x' is missing"),
        ([("GET", "http://other.example/a")], "\n  server: https://service.example, the route has"),
        ([("GET", "https://other.example/a")], "the route has https://other.example"),
        ([("PUT", "/a?x=1")], "  method: GET, the route has PUT\n  query: 'x' is missing"),
        ([("PUT", "/b"), ("GET", "/b")], "The nearest of 2 routes is GET /b."),
    ],
)
async def test_an_unmatched_request_is_told_the_nearest_route(
    routes: list[tuple[str, str]], nearest: str
) -> None:
    transport = MockTransport()
    for method, url in routes:
        transport.route(method, url, Response(200))
    with pytest.raises(UnmatchedRequestError) as caught:
        await transport.send(get())
    assert nearest in str(caught.value)


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

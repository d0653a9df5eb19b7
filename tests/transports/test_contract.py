"""What every transport keeps, whatever carries its requests."""

import anyio
import pytest

from tests.transports.harnesses import Handler, Harness, each
from tests.transports.leaks import TOKEN, assert_no_leak
from transports import (
    BodyTooLargeError,
    Headers,
    ReadTimeoutError,
    Request,
    Response,
    Secret,
    TransportClosedError,
    TransportTimeoutError,
)
from transports import Transport as TransportProtocol

pytestmark = each()

PROMPTLY = 0.05
"""Seconds in which a cancelled `send` has ended."""


def always(response: Response) -> Handler:
    async def handler(_: Request) -> Response:
        return response

    return handler


class Stuck:
    """Never answers; says when it was asked."""

    def __init__(self) -> None:
        self.asked = anyio.Event()

    async def __call__(self, request: Request) -> Response:
        if request.url.endswith("/quick"):
            return Response(200, body=b"quick")
        self.asked.set()
        await anyio.sleep_forever()
        raise AssertionError


async def test_it_is_a_transport(harness: Harness) -> None:
    async with harness.serve(always(Response(200))) as (transport, _):
        assert isinstance(transport, TransportProtocol)


@pytest.mark.parametrize("body", [None, b"", b"\x00\xff" * 5000])
async def test_a_request_arrives_exactly_as_it_is(harness: Harness, body: bytes | None) -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        return Response(200)

    fields = Headers([("X-Two", "1"), ("X-Two", "2"), ("authorization", Secret("Bearer abc"))])
    async with harness.serve(handler) as (transport, url):
        await transport.send(Request("POST", f"{url}/a%2Fb/..%2Fx?q=%252e", fields, body))
    (request,) = seen
    assert (request.method, request.url) == ("POST", f"{url}/a%2Fb/..%2Fx?q=%252e")
    assert request.headers.get_all("x-two") == ("1", "2")
    assert request.headers["Authorization"] == "Bearer abc"
    assert (request.body or b"") == (body or b"")


async def test_nothing_is_added_but_what_http_needs(harness: Harness) -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        return Response(200)

    async with harness.serve(handler) as (transport, url):
        await transport.send(Request("POST", f"{url}/", {"x-mine": "1"}, b"data"))
    needed = {"host", "accept", "accept-encoding", "content-length"} if harness.has_wire else set()
    assert set(seen[0].headers) == {"x-mine"} | needed


@pytest.mark.parametrize("status", [200, 201, 302, 307, 401, 404, 429, 500, 503])
async def test_an_answer_of_any_status_comes_back_as_it_is(harness: Harness, status: int) -> None:
    answer = Response(status, [("X-A", "1"), ("x-a", "2"), ("Location", "/other")], b"\x00body")
    async with harness.serve(always(answer)) as (transport, url):
        response = await transport.send(Request("GET", f"{url}/"))
    assert (response.status, response.body) == (status, b"\x00body")
    assert response.headers.get_all("X-A") == ("1", "2")
    assert response.headers["location"] == "/other"
    assert response.source == harness.source
    assert response.elapsed >= 0


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_an_answer_without_a_body_is_complete(
    harness: Harness, method: str, status: int
) -> None:
    async with harness.serve(always(Response(status, {"etag": '"1"'}))) as (transport, url):
        for _ in range(2):
            response = await transport.send(Request(method, f"{url}/"))
            assert (response.status, response.body) == (status, b"")
            assert response.headers["etag"] == '"1"'


async def test_no_cookie_is_kept(harness: Harness) -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        return Response(200, {"Set-Cookie": "session=1; Path=/"})

    async with harness.serve(handler) as (transport, url):
        for _ in range(2):
            await transport.send(Request("GET", f"{url}/"))
    assert "cookie" not in seen[1].headers


async def test_requests_at_the_same_time_get_each_its_own_answer(harness: Harness) -> None:
    async def handler(request: Request) -> Response:
        return Response(200, body=request.url.encode())

    async def ask(transport: TransportProtocol, url: str) -> None:
        bodies.append((await transport.send(Request("GET", url))).body.decode() == url)

    bodies: list[bool] = []
    async with harness.serve(handler) as (transport, url), anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(ask, transport, f"{url}/{number}")
    assert bodies == [True] * 20


async def test_a_body_as_large_as_the_cap_is_taken(harness: Harness) -> None:
    async with harness.serve(always(Response(200, body=b"x" * 100_000))) as (transport, url):
        response = await transport.send(Request("GET", f"{url}/", max_body=100_000))
    assert len(response.body) == 100_000


@pytest.mark.parametrize("cap", [0, 99_999])
async def test_a_body_larger_than_the_cap_is_refused(harness: Harness, cap: int) -> None:
    async with harness.serve(always(Response(200, body=b"x" * 100_000))) as (transport, url):
        with pytest.raises(BodyTooLargeError) as caught:
            await transport.send(Request("GET", f"{url}/", max_body=cap))
        assert (caught.value.phase, caught.value.maybe_sent) == ("body", True)
        response = await transport.send(Request("GET", f"{url}/"))
    assert len(response.body) == 100_000


async def test_cancelled_it_ends_at_once_and_its_connection_is_free(harness: Harness) -> None:
    stuck = Stuck()
    ended_after: list[float] = []

    async def ask(transport: TransportProtocol, url: str) -> None:
        try:
            await transport.send(Request("GET", f"{url}/"))
        finally:
            ended_after.append(anyio.current_time() - cancelled_at)

    async with harness.serve(stuck) as (transport, url):
        for _ in range(3):
            stuck.asked = anyio.Event()
            async with anyio.create_task_group() as group:
                group.start_soon(ask, transport, url)
                await stuck.asked.wait()
                cancelled_at = anyio.current_time()
                group.cancel_scope.cancel()
        assert min(ended_after) < PROMPTLY  # A busy machine may be late once, not always.
        with anyio.fail_after(1):
            response = await transport.send(Request("GET", f"{url}/quick"))
    assert response.body == b"quick"


async def test_at_its_deadline_it_ends_with_a_timeout(harness: Harness) -> None:
    async with harness.serve(Stuck()) as (transport, url):
        deadline = anyio.current_time() + 0.1
        with pytest.raises(ReadTimeoutError, match="deadline") as caught:
            await transport.send(Request("GET", f"{url}/", deadline=deadline))
        assert 0 <= anyio.current_time() - deadline < 1
        assert (caught.value.phase, caught.value.maybe_sent) == ("headers", True)
        assert isinstance(caught.value, TimeoutError)
        response = await transport.send(Request("GET", f"{url}/quick"))
    assert response.body == b"quick"


async def test_after_its_deadline_nothing_is_sent(harness: Harness) -> None:
    stuck = Stuck()
    async with harness.serve(stuck) as (transport, url):
        request = Request("GET", f"{url}/", deadline=anyio.current_time() - 1)
        with pytest.raises(TransportTimeoutError) as caught:
            await transport.send(request)
    assert not caught.value.maybe_sent
    assert not stuck.asked.is_set()


async def test_a_transport_that_was_never_used_can_be_closed_twice(harness: Harness) -> None:
    async with harness.serve(Stuck()) as (transport, _):
        await transport.aclose()
        await transport.aclose()


async def test_after_it_is_closed_nothing_is_sent(harness: Harness) -> None:
    async with harness.serve(always(Response(200))) as (transport, url):
        await transport.send(Request("GET", f"{url}/"))
        await transport.aclose()
        await transport.aclose()
        with pytest.raises(TransportClosedError, match="make a new one") as caught:
            await transport.send(Request("GET", f"{url}/"))
    assert (caught.value.phase, caught.value.maybe_sent) == ("pool", False)


async def test_closing_ends_what_is_under_way(harness: Harness) -> None:
    stuck = Stuck()
    errors: list[TransportClosedError] = []

    async def ask(transport: TransportProtocol, url: str) -> None:
        with pytest.raises(TransportClosedError) as caught:
            await transport.send(Request("GET", f"{url}/"))
        errors.append(caught.value)

    async with harness.serve(stuck) as (transport, url), anyio.create_task_group() as group:
        group.start_soon(ask, transport, url)
        await stuck.asked.wait()
        with anyio.fail_after(1):
            await transport.aclose()
    assert errors[0].maybe_sent


async def test_closing_in_a_cancelled_scope_closes_all_the_same(harness: Harness) -> None:
    async with harness.serve(always(Response(200))) as (transport, url):
        await transport.send(Request("GET", f"{url}/"))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await transport.aclose()
        with pytest.raises(TransportClosedError):
            await transport.send(Request("GET", f"{url}/"))


async def test_no_secret_stands_in_an_error(harness: Harness) -> None:
    async with harness.serve(Stuck()) as (transport, url):
        request = Request(
            "POST",
            f"{url}/?code={TOKEN}",
            Headers({"Authorization": f"Bearer {TOKEN}"}),
            f"client_secret={TOKEN}".encode(),
            deadline=anyio.current_time() + 0.05,
        )
        with pytest.raises(ReadTimeoutError) as caught:
            await transport.send(request)
    assert_no_leak(caught.value)


async def test_no_secret_stands_in_a_repr(harness: Harness) -> None:
    answer = Response(200, {"set-cookie": TOKEN}, TOKEN.encode())
    async with harness.serve(always(answer)) as (transport, url):
        request = Request("POST", f"{url}/?code={TOKEN}", {"api_key": TOKEN}, TOKEN.encode())
        response = await transport.send(request)
        assert TOKEN not in repr((request, response, transport))

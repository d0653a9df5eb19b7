"""A request that nothing answers is told what was asked, what comes nearest, and what to add."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest

from tests.loops import ASYNCIO_VIRTUAL, on
from transports import Request, UnmatchedRequestError
from transports.mock import MockTransport, json_response

pytestmark = on([ASYNCIO_VIRTUAL])

URL = "https://service.example"
OK = json_response({})


async def told(request: Request, *routes: Sequence[str], **conditions: Any) -> str:
    transport = MockTransport()
    for method, url in routes:
        transport.route(method, url, OK, **conditions)
    with pytest.raises(UnmatchedRequestError) as caught:
        await transport.send(request)
    return str(caught.value)


def get(path: str = "/a") -> Request:
    return Request("GET", URL + path)


async def differences(request: Request, *routes: Sequence[str], **conditions: Any) -> list[str]:
    lines = (await told(request, *routes, **conditions)).splitlines()
    return [line.strip() for line in lines[2:-2]]


async def test_a_mock_without_routes_says_so() -> None:
    assert await told(get("/users?code=1")) == (
        "No route of the mock transport answers GET https://service.example/users?....\n"
        "It has no routes.\n"
        "To answer it, add:\n"
        '  transport.route("GET", "/users?*", json_response({...}))'
    )


async def test_the_nearest_route_is_shown_with_every_difference() -> None:
    request = Request("POST", f"{URL}/users/7?page=2", {"x-a": "1"}, b'{"name": "Ann"}')
    routes = [("PUT", "http://other.example/users/{id}/items")]
    conditions = {"json": {"name": "Bob"}, "headers": {"x-a": "2"}, "query": {"page": "1"}}
    assert await told(request, *routes, **conditions) == (
        "No route of the mock transport answers POST https://service.example/users/7?....\n"
        "The nearest of 1 route is PUT http://other.example/users/{id}/items with query, json, "
        "'x-a'. The request differs:\n"
        "  method: POST, the route has PUT\n"
        "  server: https://service.example, the route has http://other.example\n"
        "  path: it ends there, the route's goes on with 'items'\n"
        "  query: 'page' has another value\n"
        "  headers: 'x-a' has another value\n"
        "  json: $.name has another value\n"
        "To answer it, add:\n"
        '  transport.route("POST", "/users/7?*", json_response({...}))'
    )


async def test_the_line_to_add_answers_the_request() -> None:
    request = Request("DELETE", f"{URL}/a%20b/c'd\"\\?x=1")
    line = (await told(request)).splitlines()[-1]
    transport = MockTransport()
    names = {"transport": transport, "json_response": json_response}
    exec(line.strip().replace("{...}", "{}"), names)
    assert (await transport.send(request)).body == b"{}"


@pytest.mark.parametrize(
    ("path", "route", "difference"),
    [
        ("/a/b", "/a/c", "path: segment 2 is 'b', the route has 'c'"),
        ("/a/b/c", "/x/{y}/d", "path: segment 1 is 'a', the route has 'x'"),
        ("/a/", "/a/{b}", "path: segment 2 is '', the route has '{b}'"),
        ("/a/b", "/a", "path: it goes on with 'b', the route's ends there"),
        ("/a", "/a/{b:path}", "path: it ends there, the route's goes on with '{b:path}'"),
        ("/a?x=1&y=2", "/a?y=3", "query: 'y' has another value; 'x' is not in the route"),
        ("/a", "/a?x=1", "query: 'x' is missing"),
    ],
)
async def test_a_difference_names_its_place(path: str, route: str, difference: str) -> None:
    assert await differences(get(path), ("GET", route)) == [difference]


async def test_a_port_that_is_not_the_usual_one_is_shown() -> None:
    assert await differences(get("/a"), ("GET", "https://service.example:444/a")) == [
        "server: https://service.example, the route has https://service.example:444"
    ]


@pytest.mark.parametrize(
    ("body", "value", "difference"),
    [
        (None, 1, "it has no body"),
        (b"<", 1, "its body is no JSON"),
        (b"1", 2, "$ has another value"),
        (b'"1"', 1, "$ is a string, the route has a number"),
        (b"true", 1, "$ is a boolean, the route has a number"),
        (b"null", {}, "$ is null, the route has an object"),
        (b'{"a": {"b": [0, {"c d": 1}]}}', {"a": {"b": [0, {"c d": 2}]}}, '$.a.b[1]["c d"] has'),
        (b'{"a": 1}', {"b": 1}, "$.b is missing; $.a is not in the route"),
        (b"[1]", [1, 2], "$[1] is missing"),
        (b"[1, 2]", [1], "$[1] is not in the route"),
        (b"[1,1,1,1,1,1,1]", [0] * 7, "$[3] has another value; $[4] has another value; 2 more"),
        (b"[1,1,1,1,1]", [0] * 5, "; $[4] has another value"),
    ],
)
async def test_a_body_that_differs_is_told_where(
    body: bytes | None, value: object, difference: str
) -> None:
    [said] = await differences(Request("GET", URL, body=body), ("GET", "/"), json=value)
    assert said.startswith("json: ")
    assert difference in said
    assert "more" in difference or "more" not in said


async def test_header_fields_are_told_by_name() -> None:
    request = Request("GET", URL, {"X-A": "1", "x-b": "2", "x-c": "3"})
    wanted = {"x-a": "1", "x-b": "1", "x-d": "1"}
    said = await differences(request, ("GET", "/"), headers=wanted)
    assert said == ["headers: 'x-b' has another value; 'x-d' is missing"]


@pytest.mark.parametrize(
    ("routes", "nearest"),
    [
        (["GET /tokens/github", "GET /tokens/slakc", "GET /"], "GET /tokens/slakc"),
        (["GET /tokens", "POST /tokens/slack"], "POST /tokens/slack"),
        (["GET /tokens/slacks", "POST /tokens/slack"], "POST /tokens/slack"),
        (["GET /tokens/slack/x?*", "GET /other"], "GET /tokens/slack/x?*. "),
        (["POST /tokens/slack", "GET /tokens/slack?x=1"], "GET /tokens/slack?..."),
        (["GET /tokens/{id}/x", "GET /slack"], "GET /tokens/{id}/x"),
        (["GET /other/{any:path}", "GET /token/{any:path}"], "GET /token/{any:path}"),
        (["GET https://other.example/tokens/slack", "GET /a"], "GET https://other.example/token"),
        (["GET /tokens/slack?x=1", "GET /tokens/slack?y=1"], "GET /tokens/slack?..."),
    ],
)
async def test_the_nearest_route_is_the_one_that_was_meant(routes: list[str], nearest: str) -> None:
    for given in (routes, routes[::-1]):
        message = await told(get("/tokens/slack"), *(route.split() for route in given))
        assert f"The nearest of {len(routes)} routes is {nearest}" in message


async def test_of_routes_that_are_equally_near_the_newest_is_shown() -> None:
    assert "is GET /c." in await told(get(), ("GET", "/b"), ("GET", "/c"))


@pytest.mark.parametrize(
    ("answer", "limits", "why"),
    [
        ([OK], {}, "GET /a matches, but has given its 1 answer: give it more of them."),
        ([OK, OK], {}, "GET /a matches, but has given its 2 answers: give it more of them."),
        (OK, {"times": 1}, "GET /a matches, but has been called 1 time, as times= says: raise"),
        (OK, {"times": 2}, "GET /a matches, but has been called 2 times, as times= says: raise"),
    ],
)
async def test_a_route_that_is_used_up_is_said_to_be(
    answer: Any, limits: Mapping[str, Any], why: str
) -> None:
    transport = MockTransport()
    route = transport.route("GET", "/a", answer, **limits)
    transport.route("GET", "/b", OK)
    for _ in range(2):
        with suppress(UnmatchedRequestError):
            await transport.send(get())
    with pytest.raises(UnmatchedRequestError) as caught:
        await transport.send(get())
    assert why in str(caught.value)
    assert "nearest" not in str(caught.value)
    assert route.calls

"""A route of the mock takes the requests that meet its conditions, and no others."""

import math
from collections.abc import Mapping

import pytest

from tests.loops import EVERY, on
from tests.transports.leaks import TOKEN, assert_no_leak
from transports import Request, Response, Secret, UnmatchedRequestError
from transports.mock import MockTransport, json_response

pytestmark = on(EVERY)

URL = "https://service.example"
OK = json_response({})


async def is_taken(request: Request, url: str, **conditions: object) -> bool:
    transport = MockTransport(lambda _: Response(404))
    route = transport.route(request.method, url, OK, **conditions)  # type: ignore[arg-type]
    status = (await transport.send(request)).status
    assert (status == 200) == bool(route.calls)
    return status == 200


@pytest.mark.parametrize(
    ("path", "template", "params"),
    [
        ("/users/7", "/users/{id}", {"id": "7"}),
        ("/users/a%2Fb%20c", "/users/{id}", {"id": "a/b c"}),
        ("/users/%7Bid%7D/x", "/users/{_id2}/x", {"_id2": "{id}"}),
        ("/users/7/items/8", "/users/{user}/items/{item}", {"user": "7", "item": "8"}),
        ("/users/7", f"{URL}/users/{{id}}", {"id": "7"}),
        ("/users/7?a=b", "/users/{id}?a=b", {"id": "7"}),
        ("/users/7?a=b", "/users/{id}?*", {"id": "7"}),
        ("/files/a", "/files/{name:path}", {"name": "a"}),
        ("/files/a/b%2Fc/", "/files/{name:path}", {"name": "a/b/c/"}),
        ("/files/", "/files/{name:path}", {"name": ""}),
        ("/v1/files/a/b", "/{version}/files/{name:path}", {"version": "v1", "name": "a/b"}),
        ("/", "/{all:path}", {"all": ""}),
        ("/users/", "/users/{id}", None),
        ("/users", "/users/{id}", None),
        ("/users/7/", "/users/{id}", None),
        ("/users/7/8", "/users/{id}", None),
        ("/files", "/files/{name:path}", None),
        ("/a%2Fb", "/a/b", None),
        ("/a%62", "/ab", None),
    ],
)
async def test_a_place_in_a_path_stands_for_a_segment_or_for_the_rest(
    path: str, template: str, params: Mapping[str, str] | None
) -> None:
    transport = MockTransport(lambda _: Response(404))
    transport.route("GET", template, OK)
    await transport.send(Request("GET", URL + path))
    [call] = transport.calls
    assert (call.params if call.route else None) == params


@pytest.mark.parametrize(
    ("url", "known", "taken"),
    [
        ("https://service.example:443/a", "https://service.example/a", True),
        ("https://SERVICE.example/a", "https://service.example/a", True),
        ("http://service.example:80/a", "http://service.example/a", True),
        ("http://service.example/a", "https://service.example/a", False),
        ("https://service.example:444/a", "https://service.example/a", False),
        ("https://service.example", "https://service.example/", True),
        ("https://[::1]:81/a", "https://[::1]:81/a", True),
        ("https://service.example//a", "//a", True),
        ("https://service.example/a", "//a", False),
    ],
)
async def test_a_server_is_a_scheme_a_host_and_a_port(url: str, known: str, *, taken: bool) -> None:
    assert await is_taken(Request("GET", url), known) == taken


@pytest.mark.parametrize(
    ("asked", "known", "query", "taken"),
    [
        ("", "", None, True),
        ("?", "", None, True),
        ("?a=1", "", None, False),
        ("", "?a=1", None, False),
        ("?b=2&a=1", "?a=1&b=2", None, True),
        ("?a=1&a=2", "?a=2&a=1", None, False),
        ("?a=1&a=2", "?a=1", None, False),
        ("?a=%20b", "?a=+b", None, True),
        ("?a", "?a=", None, True),
        ("?a=1&b=2", "?*", None, True),
        ("", "?*", None, True),
        ("?b=x%26y&a=1&a=2", "", {"a": ["1", "2"], "b": "x&y"}, True),
        ("?a=1", "", {"a": ("1",)}, True),
        ("?a=1", "", {"a": "2"}, False),
        ("", "", {}, True),
        ("?a=1", "", {}, False),
    ],
)
async def test_a_query_has_the_same_values_of_the_same_names(
    asked: str, known: str, query: Mapping[str, str] | None, *, taken: bool
) -> None:
    request = Request("GET", f"{URL}/a{asked}")
    assert await is_taken(request, f"/a{known}", query=query) == taken


@pytest.mark.parametrize(
    ("body", "value", "taken"),
    [
        (b'{"b": [1, null], "a": "x"}', {"a": "x", "b": [1, None]}, True),
        (b"[1.0, true]", (1, True), True),
        (b"null", None, True),
        (b'{"a": 1}', {"a": 2}, False),
        (b'{"a": 1}', {"a": True}, False),
        (b'{"a": 1, "b": 2}', {"a": 1}, False),
        (b"{}", {"a": 1}, False),
        (b"[1, 2]", [1], False),
        (b"[1]", [1, 2], False),
        (b"[]", {}, False),
        (b"{", {}, False),
        (b"\xff", {}, False),
        (b"[" * 100_000, [], False),
        (None, None, False),
    ],
)
async def test_a_body_has_the_same_json_value(
    body: bytes | None, value: object, *, taken: bool
) -> None:
    assert await is_taken(Request("POST", URL, body=body), "/", json=value) == taken


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ([("X-A", "1")], True),
        ([("x-a", "1"), ("x-a", "2"), ("x-b", "3")], True),
        ([("x-a", "2")], False),
        ([("x-b", "1")], False),
    ],
)
async def test_header_fields_may_stand_beside_others(
    headers: list[tuple[str, str]], *, taken: bool
) -> None:
    request = Request("GET", URL, headers)
    assert await is_taken(request, "/", headers={"x-a": Secret("1")}) == taken


async def test_a_route_for_the_same_requests_takes_the_place_of_the_older() -> None:
    transport = MockTransport()
    for status in (500, 200):
        transport.route("GET", "/a?b=1&c=2", Response(status))
        transport.route("GET", "/a", Response(status), json={"x": [1], "y": 2}, headers={"a": "b"})
    transport.route("GET", "/a", Response(201), query={"c": "2", "b": "1"})
    transport.route("GET", "/a", Response(202), json={"y": 2, "x": [1]}, headers={"A": "b"})
    transport.route("GET", "/a", Response(203), json={"y": 2, "x": [True]}, headers={"A": "b"})
    get = Request("GET", f"{URL}/a?b=1&c=2")
    conditional = Request("GET", f"{URL}/a", {"a": "b"}, b'{"x": [1], "y": 2}')
    assert [(await transport.send(request)).status for request in (get, conditional)] == [201, 202]
    with pytest.raises(AssertionError) as caught:
        transport.assert_all_called()
    assert str(caught.value).splitlines()[1:] == ["  GET /a with json, 'a': 0 of at least 1 call"]


@pytest.mark.parametrize(
    ("url", "conditions", "kind", "message"),
    [
        ("/{", {}, ValueError, r"\{name\} or \{name:path\}, not '\{'"),
        ("/{}", {}, ValueError, "not '{}'"),
        ("/{1}", {}, ValueError, r"not '\{1\}'"),
        ("/{a:int}", {}, ValueError, "not '{a:int}'"),
        ("/x-{a}", {}, ValueError, "not 'x-{a}'"),
        ("/{a}/{a}", {}, ValueError, "have the same name"),
        ("/{a:path}/b", {}, ValueError, "Nothing can follow"),
        ("https://{host}/a", {}, ValueError, "absolute"),
        ("/a#b", {}, ValueError, "no fragment"),
        ("/a?b=c", {"query": {"b": "c"}}, ValueError, "not in both"),
        ("/a", {"query": "b=c"}, TypeError, "query= maps"),
        ("/a", {"query": {"b": 1}}, TypeError, "query= maps"),
        ("/a", {"query": {"b": [1]}}, TypeError, "query= maps"),
        ("/a", {"json": object()}, TypeError, "JSON"),
        ("/a", {"json": math.nan}, TypeError, "JSON"),
        ("/a", {"headers": {"x y": "z"}}, ValueError, "header field"),
        ("/a", {"headers": {"x": 1}}, TypeError, "header field"),
        ("/a", {"times": 0}, ValueError, "times must be a whole number from 1, not 0"),
        ("/a", {"times": 1.5}, ValueError, "times must be a whole number"),
        ("/a", {"delay": -1}, ValueError, "delay must be a number of seconds from 0, not -1"),
        ("/a", {"delay": math.inf}, ValueError, "delay must be"),
        ("/a", {"delay": "1"}, ValueError, "delay must be"),
    ],
)
async def test_conditions_that_no_request_could_meet_are_refused(
    url: str, conditions: dict[str, object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        MockTransport().route("GET", url, OK, **conditions)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "times", "kind", "message"),
    [
        ([], None, ValueError, "needs one at least"),
        ((), None, ValueError, "needs one at least"),
        ([OK, None], None, TypeError, "A route answers with"),
        ([OK, [OK]], None, TypeError, "A route answers with"),
        ([OK, OK], 3, ValueError, "2 answers, each given once, are not for 3 calls"),
        ([OK, OK], 1, ValueError, "are not for 1 calls"),
    ],
)
async def test_a_sequence_that_could_not_be_given_is_refused(
    answer: object, times: int | None, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        MockTransport().route("GET", "/a", answer, times=times)  # type: ignore[arg-type]


async def test_neither_a_refused_route_nor_an_unmatched_request_shows_a_value() -> None:
    transport = MockTransport()

    def route(**conditions: object) -> None:
        transport.route("GET", "/a", OK, **conditions)  # type: ignore[arg-type]

    for refused in (
        {"json": {"a": TOKEN}, "times": 0},
        {"query": {"a": TOKEN}, "times": 0},
        {"headers": {"a": TOKEN}, "times": 0},
        {"headers": {"a": TOKEN + "\n"}},
    ):
        with pytest.raises(ValueError) as caught:
            route(**refused)
        assert_no_leak(caught.value)
    kept = transport.route("GET", f"/a?b={TOKEN}", OK, json={"a": TOKEN}, headers={"a": TOKEN})
    request = Request("POST", f"{URL}/a?b=1{TOKEN}", {"a": TOKEN + "1"}, f'["{TOKEN}"]'.encode())
    with pytest.raises(UnmatchedRequestError) as unmatched:
        await transport.send(request)
    assert_no_leak(unmatched.value)
    with pytest.raises(AssertionError) as uncalled:
        transport.assert_all_called()
    assert_no_leak(uncalled.value)
    for shown in (kept, transport, transport.calls):
        assert TOKEN not in f"{shown} {shown!r}"

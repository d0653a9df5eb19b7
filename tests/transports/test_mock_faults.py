"""A fault of the mock is what a client sees when something goes wrong on the way to a server."""

import inspect
import json
from collections.abc import Callable

import anyio
import pytest

from tests.loops import VIRTUAL, on
from transports import (
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    Phase,
    ProtocolError,
    ReadTimeoutError,
    Request,
    ResolveError,
    Response,
    Timeouts,
    TLSError,
    TransportError,
)
from transports.mock import Handler, MockTransport, faults, json_response

pytestmark = on(VIRTUAL)

URL = "https://service.example/a"
WHOLE = json_response({"a": 1})

ERRORS: dict[Callable[[], Handler], tuple[type[TransportError], Phase, bool, float]] = {
    faults.reset: (DisconnectedError, "headers", True, 0),
    faults.truncate: (DisconnectedError, "body", True, 0),
    faults.refuse: (ConnectError, "connect", False, 0),
    faults.no_such_host: (ResolveError, "resolve", False, 0),
    faults.bad_certificate: (TLSError, "tls", False, 0),
    faults.not_http: (ProtocolError, "headers", True, 0),
    faults.connect_timeout: (ConnectTimeoutError, "connect", False, 4),
    faults.hang: (ReadTimeoutError, "headers", True, 6),
}


def request(method: str = "GET", **more: object) -> Request:
    return Request(method, URL, timeouts=Timeouts(connect=4, read=6), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", ERRORS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("way", ["route", "handler", "within a handler"])
async def test_an_error_says_how_far_the_request_came(
    fault: Callable[[], Handler], way: str
) -> None:
    kind, phase, maybe_sent, seconds = ERRORS[fault]

    async def within(asked: Request) -> Response:
        given = fault()(asked)
        assert inspect.isawaitable(given)
        return await given

    transport = MockTransport({"handler": fault(), "within a handler": within}.get(way))
    if way == "route":
        transport.route("POST", "/a", fault())
    errors = []
    for body in (None, b"body"):
        began = anyio.current_time()
        with pytest.raises(kind) as caught:
            await transport.send(request("POST", body=body))
        assert type(caught.value) is kind
        assert (caught.value.phase, caught.value.maybe_sent) == (phase, maybe_sent)
        assert (caught.value.method, caught.value.url) == ("POST", URL)
        assert anyio.current_time() - began == pytest.approx(seconds)
        errors.append(caught.value)
    assert errors[0] is not errors[1]


@pytest.mark.parametrize("fault", [faults.hang(), faults.connect_timeout()])
@pytest.mark.parametrize("read", [None, 6])
async def test_silence_ends_at_the_deadline_if_that_is_first(
    fault: Handler, read: float | None
) -> None:
    limits = Timeouts(connect=None, read=read)
    for send in (MockTransport(fault).send, fault):
        began = anyio.current_time()
        asked = Request("GET", URL, timeouts=limits, deadline=began + 3)
        with pytest.raises((ReadTimeoutError, ConnectTimeoutError), match="before the deadline"):
            await send(asked)  # type: ignore[misc]
        assert anyio.current_time() - began == pytest.approx(3)


async def test_a_delay_is_bounded_by_the_limit_of_where_the_fault_happens() -> None:
    transport = MockTransport()
    transport.route("GET", "/a", faults.refuse(), delay=3)
    with pytest.raises(ConnectError, match="refused"):
        await transport.send(Request("GET", URL, timeouts=Timeouts(connect=4, read=1)))
    transport.route("GET", "/a", faults.refuse(), delay=5)
    with pytest.raises(ConnectTimeoutError, match=r"within 4 s"):
        await transport.send(request())


async def test_a_slow_body_passes_every_limit_but_the_deadline() -> None:
    transport = MockTransport()
    transport.route("GET", "/a", faults.slow(WHOLE, seconds=100))
    response = await transport.send(request())
    assert response.body == WHOLE.body
    assert response.elapsed == pytest.approx(100)
    began = anyio.current_time()
    with pytest.raises(ReadTimeoutError, match="not complete before the deadline") as caught:
        await transport.send(request(deadline=began + 99))
    assert (caught.value.phase, caught.value.maybe_sent) == ("body", True)
    assert anyio.current_time() - began == pytest.approx(99)


async def test_a_truncated_answer_says_how_much_of_it_came() -> None:
    transport = MockTransport()
    transport.route("GET", "/a", faults.truncate(Response(200, body=b"12345")))
    with pytest.raises(DisconnectedError, match="broke in the body after 2 of 5 bytes"):
        await transport.send(request())


async def test_broken_json_and_a_gateways_page_are_answers() -> None:
    transport = MockTransport()
    transport.route("GET", "/a", [faults.bad_json(), faults.gateway_page()])
    broken, page = await transport.send(request()), await transport.send(request())
    assert (broken.status, broken.headers["content-type"]) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken.body)
    assert (page.status, page.headers["content-type"]) == (502, "text/html")
    assert b"<html>" in page.body


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
async def test_what_could_not_happen_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        faults.slow(WHOLE, seconds=seconds)
    with pytest.raises(ValueError, match="without a body"):
        faults.truncate(Response(204))

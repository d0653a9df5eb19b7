"""What goes wrong between a client and a server, as answers for a route.

    transport.route("GET", "/users", [faults.reset(), json_response([])])

Each error is one of the request under way, made anew for every call, and says truly how far the
request came: that decides who may send it again. Times are on the clock of the event loop.
"""

import math
from typing import Final, NoReturn

import anyio

from transports._attempt import Attempt
from transports._base import Response
from transports._checks import seconds_problem
from transports._errors import (
    ConnectError,
    DisconnectedError,
    Phase,
    ProtocolError,
    ResolveError,
    TLSError,
    TransportError,
)
from transports.mock._answers import Handler
from transports.mock._outcomes import Outcome, silence

__all__ = [
    "bad_certificate",
    "bad_json",
    "connect_timeout",
    "gateway_page",
    "hang",
    "no_such_host",
    "not_http",
    "refuse",
    "reset",
    "slow",
    "truncate",
]

_UNSENT: Final[frozenset[Phase]] = frozenset({"resolve", "connect", "tls"})
"""Where an attempt is that has no connection yet."""

_PAGE: Final = b"<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"


def reset() -> Handler:
    """The connection breaks when the request is out: `DisconnectedError`, maybe sent."""
    return _fails(DisconnectedError, "headers", "The connection broke")


def truncate(response: Response | None = None) -> Handler:
    """The connection breaks in the middle of the body: `DisconnectedError`, maybe sent.

    Args:
        response: What would have come, for an error that says how much of it did.

    Raises:
        ValueError: It has no body that could break off.
    """
    size = None if response is None else len(response.body)
    if size == 0:
        raise ValueError("A response without a body cannot be truncated.")
    how_far = f" after {size // 2} of {size} bytes" if size else ""
    return _fails(DisconnectedError, "body", f"The connection broke in the body{how_far}")


def refuse() -> Handler:
    """Nobody listens at the server's port: `ConnectError`, not sent."""
    return _fails(ConnectError, "connect", "No connection could be made: Connection refused")


def no_such_host() -> Handler:
    """The server's name is unknown: `ResolveError`, not sent."""
    return _fails(ResolveError, "resolve", "The host has no address")


def bad_certificate() -> Handler:
    """The server's certificate is not trusted: `TLSError`, not sent, not to be tried again."""
    return _fails(TLSError, "tls", "The connection could not be secured")


def not_http() -> Handler:
    """What comes back is something else: `ProtocolError`, maybe sent."""
    return _fails(ProtocolError, "headers", "What came back is not HTTP")


def connect_timeout() -> Handler:
    """No connection is made: `ConnectTimeoutError`, not sent, when `timeouts.connect` is over."""

    async def never(_: Attempt) -> NoReturn:
        while True:
            await anyio.sleep_forever()

    return Outcome(never, is_sent=False)


def hang() -> Handler:
    """No answer comes: `ReadTimeoutError`, maybe sent, when `timeouts.read` is over."""

    async def never(attempt: Attempt) -> NoReturn:
        while True:
            await silence(attempt, math.inf)

    return Outcome(never)


def slow(response: Response, *, seconds: float) -> Handler:
    """The body trickles in for so long, byte by byte, so that only the deadline ends it.

    Raises:
        ValueError: The seconds are no number above 0.
    """
    problem = seconds_problem("seconds", seconds)
    if problem:
        raise problem

    async def trickle(attempt: Attempt) -> Response:
        attempt.answer_begins()
        await anyio.sleep(seconds)
        return response

    return Outcome(trickle)


def bad_json() -> Response:
    """A 200 that says it is JSON, with a body that breaks off."""
    return Response(200, {"content-type": "application/json"}, b'{"data": [{"id": 1, "na')


def gateway_page() -> Response:
    """A 502 with a page for people, as a proxy gives it whose server is gone."""
    return Response(502, {"content-type": "text/html"}, _PAGE)


def _fails(kind: type[TransportError], phase: Phase, message: str) -> Handler:
    async def fail(attempt: Attempt) -> NoReturn:
        raise attempt.error(kind, message, phase)

    return Outcome(fail, is_sent=phase not in _UNSENT)

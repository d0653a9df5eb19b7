"""The seam: a request goes in, a response comes out, and nothing else happens.

A transport makes one attempt. It does not retry, follow a redirect, keep a cookie or log; it
gives meaning to nothing. So whatever stands above can be tested against any of them, and an
answer with an error status is as good an answer as every other.

Cancellation is part of the contract: a transport that is cancelled in `send` ends within 50 ms,
and its connection is free again or gone. A request that has a deadline ends there, with a timeout
that names the phase.
"""

import math
from collections.abc import Awaitable
from typing import Final, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

import anyio
import attrs

from transports._checks import (
    body_problem,
    method_problem,
    number_problem,
    seconds_problem,
    url_problem,
    without_query,
)
from transports._errors import ReadTimeoutError
from transports._headers import Fields, Headers, checked_headers

MAX_BODY: Final = 1024 * 1024
"""Bytes of a decoded response body that are accepted unless a request says otherwise: 1 MiB."""

Source: TypeAlias = Literal["network", "local", "mock", "replay"]
"""Where a response came from."""

_T = TypeVar("_T")

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
"""RFC 9110, section 9.2.2."""


def _check_limit(_: object, field: "attrs.Attribute[float]", seconds: float | None) -> None:
    problem = None if seconds is None else seconds_problem(field.name, seconds)
    if problem:
        raise problem


@attrs.frozen
class Timeouts:
    """How long one attempt may wait, in seconds; None is for ever, up to the deadline."""

    connect: float | None = attrs.field(default=10.0, validator=_check_limit)
    """For a connection: name look-up, TCP and TLS of all addresses together."""

    read: float | None = attrs.field(default=30.0, validator=_check_limit)
    """For the next bytes of the answer."""


_TIMEOUTS: Final = Timeouts()


@attrs.frozen(init=False)
class Request:
    """What a transport sends: plain values, complete, and good to be sent again.

    Raises:
        TypeError: The body is no bytes, or a header field is no string.
        ValueError: A part is not what it should be. No message and no frame shows what a header
            field, a query or a body holds.
    """

    method: str
    """The method, in capital letters."""

    url: str = attrs.field(repr=lambda url: repr(without_query(url)))
    """The absolute URL, percent-encoded already: it goes over the wire exactly as it stands."""

    headers: Headers
    """The header fields, credentials among them; a transport adds only what its protocol needs."""

    body: bytes | None = attrs.field(
        repr=lambda body: f"<{len(body)} bytes>" if body is not None else "None"
    )
    """The whole body, so that the request can always be sent again."""

    timeouts: Timeouts = attrs.field(repr=False, eq=False)
    """The limits of this attempt."""

    deadline: float = attrs.field(repr=False, eq=False)
    """When the attempt must have ended, on the clock of `anyio.current_time()`."""

    max_body: int = attrs.field(repr=False)
    """Bytes of the decoded answer's body that are accepted."""

    idempotent: bool = attrs.field(repr=False)
    """May it be sent again when the server could have seen it? By its method unless given."""

    def __init__(
        self,
        method: str,
        url: str,
        headers: Fields = (),
        body: bytes | None = None,
        *,
        timeouts: Timeouts = _TIMEOUTS,
        deadline: float = math.inf,
        max_body: int = MAX_BODY,
        idempotent: bool | None = None,
    ) -> None:
        fields = checked_headers(headers)
        problem = (
            method_problem(method)
            or url_problem(url)
            or (fields if isinstance(fields, Exception) else None)
            or (None if body is None else body_problem(body))
            or number_problem("deadline", deadline, float, -math.inf)
            or number_problem("max_body", max_body, int, 0)
        )
        if problem:
            del method, url, headers, body
            raise problem
        assert not isinstance(fields, Exception)
        safe = method in _IDEMPOTENT if idempotent is None else idempotent
        self.__attrs_init__(method, url, fields, body, timeouts, deadline, max_body, safe)

    def until(self, deadline: float) -> "Request":
        """The same request with another deadline.

        Args:
            deadline: When the attempt must have ended, on the clock of `anyio.current_time()`.
        """
        # Nothing else has changed, so nothing is looked at again: this is done for every call.
        same = object.__new__(Request)
        same.__attrs_init__(
            self.method,
            self.url,
            self.headers,
            self.body,
            self.timeouts,
            deadline,
            self.max_body,
            self.idempotent,
        )
        return same


@attrs.frozen(init=False)
class Response:
    """What came back, whole: whatever its status, the server has answered.

    Raises:
        TypeError: The body is no bytes, or a header field is no string.
        ValueError: A part is not what it should be. No message and no frame shows what a header
            field or a body holds.
    """

    status: int
    """The status code."""

    headers: Headers
    """The header fields; one that came twice is there twice."""

    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")
    """The decoded body, complete."""

    elapsed: float = attrs.field(eq=False, repr="{:.3f}".format)
    """Seconds from the call to the last byte."""

    source: Source
    """Where it came from."""

    def __init__(
        self,
        status: int,
        headers: Fields = (),
        body: bytes = b"",
        *,
        elapsed: float = 0.0,
        source: Source = "network",
    ) -> None:
        fields = checked_headers(headers)
        problem = (
            number_problem("status", status, int, 0)
            or (fields if isinstance(fields, Exception) else None)
            or body_problem(body)
        )
        if problem:
            del headers, body
            raise problem
        assert not isinstance(fields, Exception)
        self.__attrs_init__(status, fields, body, elapsed, source)


@runtime_checkable
class Transport(Protocol):
    """What carries requests. Implement these two to bring your own.

    What they must keep, `transports.testing` can check.
    """

    async def send(self, request: Request, /) -> Response:
        """Make one attempt at a request and return the complete answer.

        Raises:
            TransportError: There is no answer; it says in which phase it ended and whether the
                server could have seen the request.

        Cancelled, it ends within 50 ms and leaves nothing behind. At `request.deadline` it raises
        a timeout; `within_deadline` does that for a transport that has no better way.
        """
        ...

    async def aclose(self) -> None:
        """Free what the transport holds. A second call does nothing; a `send` after it fails.

        What is under way ends at once with `TransportClosedError`.
        """
        ...


async def within_deadline(request: Request, answer: Awaitable[_T]) -> _T:
    """Await an answer until the request's deadline.

    Raises:
        ReadTimeoutError: The deadline came first. The request counts as sent.

    Cancellation passes through to the awaitable.
    """
    with anyio.CancelScope(deadline=request.deadline):
        return await answer
    raise ReadTimeoutError(
        "The deadline passed before the answer was complete",
        method=request.method,
        url=request.url,
        phase="headers",
        maybe_sent=True,
    )

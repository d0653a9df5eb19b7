"""The seam: a request goes in, a response comes out, and nothing else happens.

A transport makes one attempt. It does not retry, follow a redirect, keep a cookie or log; it
gives meaning to nothing. So whatever stands above can be tested against any of them, and an
answer with an error status is as good an answer as every other.

Cancellation is part of the contract: a transport that is cancelled in `send` ends within 50 ms,
and its connection is free again or gone. A request that has a deadline ends there, with a timeout
that names the phase.
"""

import math
import re
from collections.abc import Awaitable, Iterable, Mapping
from typing import Final, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable
from urllib.parse import urlsplit

import anyio
import attrs

from transports._errors import ReadTimeoutError
from transports._headers import FieldValue, Headers

MAX_BODY: Final = 1024 * 1024
"""Bytes of a decoded response body that are accepted unless a request says otherwise: 1 MiB."""

Source: TypeAlias = Literal["network", "local", "mock", "replay"]
"""Where a response came from."""

_T = TypeVar("_T")

_METHOD: Final = re.compile(r"[A-Z][A-Z-]*")
# RFC 3986 allows only printable ASCII, and a URL that is sent as it stands must be one.
_URL: Final = re.compile(r"https?://[^/?#@\s]+(?:[/?][!-~]*)?")


def _check_method(_request: "Request", _: "attrs.Attribute[str]", method: str) -> None:
    if not isinstance(method, str) or not _METHOD.fullmatch(method):
        raise ValueError(f"A method is written in capital letters, like GET; {method!r} is not.")


def _check_url(_request: "Request", _: "attrs.Attribute[str]", url: str) -> None:
    if not _is_sendable(url):
        raise ValueError(
            "The URL of a request must be absolute, start with http:// or https://, and hold only "
            f"printable ASCII, no user name and no fragment: {without_query(str(url))!r} is not."
        )


def _is_sendable(url: object) -> bool:
    if not isinstance(url, str) or not _URL.fullmatch(url) or not url.isascii() or "#" in url:
        return False
    try:
        return bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:  # A port that is no number, or a broken IPv6 address.
        return False


def _check_seconds(_: object, field: "attrs.Attribute[float]", seconds: float | None) -> None:
    if seconds is not None and not (isinstance(seconds, int | float) and seconds > 0):
        raise ValueError(f"{field.name} is a number of seconds above 0, or None for no limit.")


def _as_headers(fields: Mapping[str, FieldValue] | Iterable[tuple[str, FieldValue]]) -> Headers:
    return fields if isinstance(fields, Headers) else Headers(fields)


@attrs.frozen
class Timeouts:
    """How long one attempt may wait, in seconds; None is for ever, up to the deadline."""

    connect: float | None = attrs.field(default=10.0, validator=_check_seconds)
    """For a connection: name look-up, TCP and TLS, one address after the other."""

    read: float | None = attrs.field(default=30.0, validator=_check_seconds)
    """For the next bytes of the answer."""


@attrs.frozen
class Request:
    """What a transport sends: plain values, complete, and good to be sent again."""

    method: str = attrs.field(validator=_check_method)
    """The method, in capital letters."""

    url: str = attrs.field(validator=_check_url, repr=lambda url: repr(without_query(url)))
    """The absolute URL, percent-encoded already: it goes over the wire exactly as it stands."""

    headers: Headers = attrs.field(factory=Headers, converter=_as_headers)
    """The header fields, credentials among them; a transport adds only what its protocol needs."""

    body: bytes | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(attrs.validators.instance_of(bytes)),
        repr=lambda body: f"<{len(body)} bytes>" if body is not None else "None",
    )
    """The whole body, so that the request can always be sent again."""

    timeouts: Timeouts = attrs.field(factory=Timeouts, kw_only=True, repr=False, eq=False)
    """The limits of this attempt."""

    deadline: float = attrs.field(default=math.inf, kw_only=True, repr=False, eq=False)
    """When the attempt must have ended, on the clock of `anyio.current_time()`."""

    max_body: int = attrs.field(
        default=MAX_BODY, kw_only=True, repr=False, validator=attrs.validators.ge(0)
    )
    """Bytes of the decoded answer's body that are accepted."""

    idempotent: bool = attrs.field(kw_only=True, repr=False)
    """May it be sent again when the server could have seen it? By its method (RFC 9110, 9.2.2)."""

    @idempotent.default
    def _by_method(self) -> bool:
        return self.method in {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}


@attrs.frozen
class Response:
    """What came back, whole: whatever its status, the server has answered."""

    status: int
    """The status code."""

    headers: Headers = attrs.field(factory=Headers, converter=_as_headers)
    """The header fields; one that came twice is there twice."""

    body: bytes = attrs.field(
        default=b"",
        validator=attrs.validators.instance_of(bytes),
        repr=lambda body: f"<{len(body)} bytes>",
    )
    """The decoded body, complete."""

    elapsed: float = attrs.field(default=0.0, kw_only=True, eq=False, repr="{:.3f}".format)
    """Seconds from the call to the last byte."""

    source: Source = attrs.field(default="network", kw_only=True)
    """Where it came from."""


@runtime_checkable
class Transport(Protocol):
    """What carries requests. Implement these two to bring your own."""

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
        """Free what the transport holds. A second call does nothing; a `send` after it fails."""
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


def without_query(url: str) -> str:
    """A URL as it may be printed: a query can hold a code or a token."""
    path, mark, _ = url.partition("?")
    return f"{path}?..." if mark else path

"""What a cassette holds: one request after the other, each with what became of it.

They are scrubbed (see `transports.replay._scrubbing`) before they are held, compared or shown. All
the same their reprs show neither a header's value nor a query or a body.
"""

from datetime import datetime
from typing import TypeAlias

import attrs

from transports._base import Request
from transports._errors import Phase

Fields: TypeAlias = tuple[tuple[str, str], ...]
"""Header fields, in order; a name may come more than once."""


def _size(body: bytes | None) -> str:
    return "None" if body is None else f"<{len(body)} bytes>"


@attrs.frozen
class RecordedRequest:
    """What was sent."""

    method: str
    url: str = attrs.field(repr=lambda url: repr(url.partition("?")[0]))
    headers: Fields = attrs.field(default=(), repr=False)
    body: bytes | None = attrs.field(default=None, repr=_size)


@attrs.frozen
class RecordedResponse:
    """What was answered."""

    status: int
    reason: str = ""
    headers: Fields = attrs.field(default=(), repr=False)
    body: bytes = attrs.field(default=b"", repr=_size)


@attrs.frozen
class RecordedFault:
    """The error that came in the place of an answer."""

    error: str
    """The name of its class in `transports`."""

    message: str = attrs.field(repr=False)
    phase: Phase
    maybe_sent: bool


Outcome: TypeAlias = RecordedResponse | RecordedFault
"""What becomes of a request."""


@attrs.frozen
class Interaction:
    """A request and what became of it."""

    request: RecordedRequest
    outcome: Outcome

    recorded_at: datetime | None = None
    """When; None where a file of another program does not say."""

    elapsed: float = 0.0
    """Seconds from the request to the last byte, or to the error."""


def is_form(headers: Fields) -> bool:
    """Do header fields say that the body is a form?"""
    kinds = (value.lower() for name, value in headers if name.lower() == "content-type")
    return any("x-www-form-urlencoded" in kind for kind in kinds)


def as_sent(request: Request) -> RecordedRequest:
    """A request as it stands, with all its secrets: to be scrubbed at once."""
    return RecordedRequest(request.method, request.url, request.headers.fields, request.body)

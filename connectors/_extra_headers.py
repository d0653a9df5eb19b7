"""The header fields that a program adds to every request: which there may be, and which are secret.

A value that the program gave as a `Secret` is one. So is a value whose name says so: it is wrapped
before anything can raise. From then on the two are the same: no traceback shows them, and they are
taken out of what a server writes.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import attrs

from transports import FieldValue, Headers, Secret

_OURS: Final = frozenset(
    {
        "accept",
        "api_key",
        "authorization",
        "base44-rejected-token",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "on-behalf-of",
        "transfer-encoding",
        "x-app-id",
        "x-request-id",
    }
)
_STATE: Final = "base44-state"
_NAMES_A_SECRET: Final = re.compile(
    rf"auth|cookie|credential|key|passw|pwd|secret|session|signature|token|^{_STATE}$",
    re.IGNORECASE,
)

# What is shorter protects nothing, and would be found in any text.
_SHORTEST: Final = 4


@attrs.frozen
class WrongType:
    """What was given in the place of something else, by its type alone."""

    kind: str


GivenHeaders: TypeAlias = Mapping[str, FieldValue] | WrongType
"""Header fields as a program gave them, the secret ones wrapped."""


def wrapped_headers(headers: object) -> GivenHeaders:
    """Header fields whose secrets no traceback can show; whatever they are, this raises nothing.

    What was wrapped before stays as it is.
    """
    if isinstance(headers, WrongType):
        return headers
    if not isinstance(headers, Mapping | None):
        return WrongType(type(headers).__name__)
    return {name: _wrapped(name, value) for name, value in (headers or {}).items()}


def checked_headers(given: GivenHeaders) -> Headers:
    """Header fields that can be sent with every request.

    Raises:
        TypeError: They are no mapping, or a name or a value is no string.
        ValueError: A field is none, one that the client sets itself, or not in ASCII.
    """
    if isinstance(given, WrongType):
        raise TypeError(f"headers must be a mapping of names to values, not {given.kind}.")
    fields = sendable(Headers(given))
    for name in fields:
        if name in _OURS:
            raise ValueError(f"headers must not hold {name!r}: the client sets it itself.")
    return fields


def sendable(fields: Headers) -> Headers:
    """The same fields, if every client would send them in the same bytes.

    Raises:
        ValueError: A value is beyond ASCII; the message names the field.
    """
    for name in fields:
        if not all(map(str.isascii, fields.get_all(name))):
            raise ValueError(f"The value of the header field {name!r} is not ASCII: encode it.")
    return fields


def secrets_given(given: GivenHeaders) -> tuple[Secret, ...]:
    """What must not come back in an error, of fields that were checked."""
    values = given.values() if isinstance(given, Mapping) else ()
    return tuple(part for value in values if isinstance(value, Secret) for part in _parts(value))


def secrets_passed_on(fields: Headers) -> tuple[Secret, ...]:
    """What must not come back in an error, of fields that an incoming request carried."""
    state = _wrapped(_STATE, fields.get(_STATE, ""))
    return secrets_given({_STATE: state})


def _wrapped(name: object, value: FieldValue) -> FieldValue:
    told = isinstance(name, str) and _NAMES_A_SECRET.search(name)
    return Secret(value) if told and isinstance(value, str) and len(value) >= _SHORTEST else value


def _parts(value: Secret) -> Iterator[Secret]:
    """A value as a server may repeat it: whole, or what stands behind the name of a scheme."""
    yield Secret(value.reveal().strip())
    credential = Secret(value.reveal().strip().partition(" ")[2].strip())
    if len(credential.reveal()) >= _SHORTEST:
        yield credential

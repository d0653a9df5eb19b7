"""The bytes of HTTP/1.1 as a server has them, without any I/O.

What is read here is what a transport under test has written, so nothing is forgiven: a request that
another server could read otherwise is refused, and the refusal says why.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Literal, TypeAlias, final

import attrs

from transports._base import Request, Response

Pairs: TypeAlias = tuple[tuple[str, str], ...]
"""Header fields as they came."""

MAX_HEAD: Final = 64 * 1024
"""Bytes of a request line with its header fields, or of a line that says how large a chunk is."""

# RFC 9112, sections 3 and 5, without line folding, which section 5.2 has servers refuse.
_LINE: Final = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (/[!-~]*) HTTP/1\.([0-9])")
_FIELD: Final = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")

_LAST_STATUS: Final = 999
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class RefusedError(Exception):
    """Raised when a request is not one that this server takes.

    Args:
        status: What it is answered with.
        why: The body of that answer.
    """

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


@final
@attrs.frozen
class Head:
    """The request line and the header fields."""

    method: str
    target: str
    fields: Pairs

    def values(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for field, value in self.fields if field.lower() == name]

    @property
    def closes(self) -> bool:
        """Does the client want no other answer over this connection?"""
        return "close" in ", ".join(self.values("connection")).lower().replace(" ", "").split(",")

    def request(self, body: bytes | None) -> Request:
        """The request as the client was given it.

        Raises:
            RefusedError: No client can have been given such a one.
        """
        try:
            url = f"http://{self.values('host')[0]}{self.target}"
            return Request(self.method, url, self.fields, body)
        except ValueError as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None


def parsed_head(data: bytes) -> Head:
    """Read a request line and header fields, without the empty line at their end.

    Raises:
        RefusedError: They are not HTTP/1.1, or ask for what this server does not do.
    """
    first, *rest = data.decode("latin-1").split("\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"{first!r} is no request line")
    method, target, minor = line.groups()
    if minor != "1":
        raise RefusedError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "Only HTTP/1.1 is spoken here")
    head = Head(method, target, tuple(map(_field, rest)))
    if len(head.values("host")) != 1:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "A request has one Host (RFC 9112, section 3.2)")
    if head.values("expect"):
        raise RefusedError(HTTPStatus.EXPECTATION_FAILED, "Nothing can be expected of this server")
    return head


def _field(line: str) -> tuple[str, str]:
    field = _FIELD.fullmatch(line)
    if field is None:
        # What stands behind the colon may be a credential.
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"{line.partition(':')[0]!r} is no header field")
    return field[1], field[2]


def framing(head: Head) -> int | Literal["chunked"] | None:
    """How the body comes: so many bytes, in chunks, or not at all.

    Raises:
        RefusedError: The fields do not say that clearly (RFC 9112, section 6.3).
    """
    lengths, codings = head.values("content-length"), head.values("transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "It is said twice where the body ends")
    if codings:
        if codings[0].lower() != "chunked":
            raise RefusedError(HTTPStatus.NOT_IMPLEMENTED, "The only transfer coding is 'chunked'")
        return "chunked"
    if lengths and not (lengths[0].isascii() and lengths[0].isdigit()):
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"{lengths[0]!r} is no Content-Length")
    return int(lengths[0]) if lengths else None


def chunk_size(line: bytes) -> int:
    """How many bytes follow; 0 for the end.

    Raises:
        RefusedError: The line does not say that.
    """
    size = _CHUNK.fullmatch(line)
    if size is None:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "A chunk does not begin with its size")
    return int(size[1], 16)


def written(response: Response, method: str, *, closing: bool) -> bytes:
    """An answer as it goes over the wire.

    Raises:
        ValueError: It is not one that can be sent. No message shows what a header field holds.
    """
    if not HTTPStatus.OK <= response.status <= _LAST_STATUS:
        raise ValueError(f"A final answer has a status from 200 to 999, not {response.status}.")
    if "transfer-encoding" in response.headers:
        raise ValueError("The server says by itself where a body ends: leave Transfer-Encoding out")
    fields = list(response.headers.fields)
    has_body = method != "HEAD" and response.status not in _BODILESS
    length = str(len(response.body))
    if has_body and set(response.headers.get_all("content-length")) - {length}:
        raise ValueError(f"The body has {length} bytes, and Content-Length says otherwise.")
    if "content-length" not in response.headers and response.status not in _BODILESS:
        fields.append(("Content-Length", length))
    if closing:
        fields.append(("Connection", "close"))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    head = f"HTTP/1.1 {response.status} {_phrase(response.status)}\r\n{lines}\r\n"
    return head.encode("latin-1") + (response.body if has_body else b"")


def _phrase(status: int) -> str:
    known: Callable[[int], HTTPStatus] = HTTPStatus
    try:
        return known(status).phrase
    except ValueError:
        return ""

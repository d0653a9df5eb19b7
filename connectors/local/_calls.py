"""A call of a provider's API as an app describes it, refused here if it can't be meant.

What is read here decides a method, a path, a query, a body and some header fields. Everything is
in the form in which it is sent, so nothing of it can fail later on.
"""

from collections.abc import Mapping
from typing import Final, cast
from urllib.parse import quote, urlencode

import attrs

from connectors._errors import Json
from connectors._json import Problem, encode_json, parsed
from connectors.local._answers import Refusal
from connectors.local._media import is_json, media_type
from transports import Headers

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"


@attrs.frozen
class Call:
    """What an app wants a provider to be asked."""

    method: str
    """The method."""

    path: str = attrs.field(repr=False)
    """The path as it was given."""

    host: str | None
    """The host, if it is not to be the type's usual one."""

    query: str = attrs.field(repr=False)
    """The query, encoded."""

    headers: Headers
    """The fields that were given, whether or not they may be sent."""

    body: bytes | None = attrs.field(repr=False)
    """The body, encoded."""


def read_call(body: bytes | None) -> Call:
    """The call that the body of a request describes.

    Raises:
        Refusal: It describes none.
    """
    data = parsed(body or b"")
    if isinstance(data, Problem):
        raise Refusal(400, "The body is not JSON")
    _demand(isinstance(data, dict), "The body must be a JSON object")
    given = cast("Mapping[str, Json]", data)
    method, path, host = given.get("method", "GET"), given.get("path"), given.get("host")
    _demand(method in _METHODS, f"method must be one of {', '.join(_METHODS)}, in capital letters")
    _demand(isinstance(path, str), "path must be a text")
    _demand(isinstance(host, str | None), "host must be a text or null")
    query = _query("query", given.get("query"))
    headers = _headers(given.get("headers"))
    kind, content = _encoded(given.get("body"), media_type(headers))
    if kind is not None:
        headers = headers.merged({"content-type": kind})
    return Call(str(method), str(path), cast("str | None", host), query, headers, content)


def _demand(met: bool, otherwise: str) -> None:  # noqa: FBT001 - it reads as a sentence.
    if not met:
        raise Refusal(422, otherwise)


def _query(what: str, values: Json) -> str:
    _demand(isinstance(values, dict | None), f"{what} must be an object")
    pairs = [
        (name, item)
        for name, value in cast("Mapping[str, Json]", values or {}).items()
        for item in (value if isinstance(value, list) else [value])
    ]
    _demand(
        all(isinstance(item, str | int | float) for _, item in pairs),
        f"{what} must hold texts, numbers, booleans or lists of those",
    )
    try:
        return urlencode([(name, _scalar(item)) for name, item in pairs], quote_via=quote)
    except UnicodeEncodeError:
        raise Refusal(422, f"{what} has half of a character in it") from None


def _scalar(value: Json) -> str:
    # JavaScript's spelling, which is what a provider expects.
    return str(value).lower() if isinstance(value, bool) else str(value)


def _headers(values: Json) -> Headers:
    _demand(isinstance(values, dict | None), "headers must be an object")
    given = cast("Mapping[str, Json]", values or {})
    _demand(
        all(isinstance(value, str) and value.isascii() for value in given.values()),
        "headers must hold texts, in ASCII",
    )
    try:
        return Headers(cast("Mapping[str, str]", given))
    except ValueError as error:
        raise Refusal(422, f"headers can't be sent: {error}") from None


def _encoded(body: Json, media: str) -> tuple[str | None, bytes | None]:
    """What the body is, if the headers don't say it, and the body as it is sent."""
    if body is None:
        return None, None
    if isinstance(body, str):
        return None if media else _TEXT, _utf8(body)
    if media == _FORM and isinstance(body, dict):
        return None, _query("body", body).encode("ascii")
    _demand(
        not media or is_json(media),
        f"body must be a text when content-type is neither JSON nor, for an object, {_FORM}",
    )
    try:
        return None if media else _JSON, encode_json(body, "body")
    except ValueError:
        raise Refusal(422, "body has half of a character in it") from None


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise Refusal(422, "body has half of a character in it") from None

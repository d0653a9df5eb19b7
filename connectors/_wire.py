"""Between values and the wire: path segments, JSON, models, and what an answer's status means.

All of it is pure: a function takes a value and returns one. The frames of a decoder hold tokens as
plain values, so none of them raises: a problem is returned as a `_Problem`, and raised where
nothing but the response lies in a local variable. That keeps tokens out of tracebacks.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Final, TypeVar, cast, get_args, get_origin
from urllib.parse import quote, urlsplit

import attrs
from cattrs import BaseValidationError, Converter
from cattrs import transform_error as describe
from cattrs.gen import make_dict_structure_fn, override

from connectors._errors import (
    ClientClosedError,
    ClientUsageError,
    ConnectorsError,
    ForbiddenError,
    Json,
    MalformedResponseError,
    MeteredConnectorError,
    NoAnswerError,
    NotConnectedError,
    OutOfCreditsError,
    RateLimitedError,
    RedirectError,
    ServerError,
    ServiceError,
    TimedOutError,
    UnauthorizedError,
    UnreachableError,
)
from connectors._models import ApiResponse, Connection
from connectors._redaction import Redactor
from transports import (
    BodyTooLargeError,
    ForkedProcessError,
    ProtocolError,
    Request,
    Response,
    TransportClosedError,
    TransportError,
    TransportTimeoutError,
    WrongEventLoopError,
)

T = TypeVar("T")

_UNENCODED: Final = "!~*'()"  # What encodeURIComponent leaves alone besides letters, digits, -_.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSENDABLE: Final = re.compile(r"[^!-~]")  # A bearer token is visible ASCII (RFC 6750, 2.1).

_BY_CODE: Final[Mapping[tuple[int, str], type[ServiceError]]] = {
    (403, "metered_connector_requires_proxy"): MeteredConnectorError,
    (404, "NOT_FOUND"): NotConnectedError,
}
_BY_STATUS: Final[Mapping[int, type[ServiceError]]] = {
    401: UnauthorizedError,
    402: OutOfCreditsError,
    403: ForbiddenError,
    429: RateLimitedError,
}
_BY_FAMILY: Final[Mapping[int, type[ServiceError]]] = {3: RedirectError, 5: ServerError}

# The most specific first.
_BY_FAILURE: Final[tuple[tuple[type[TransportError], type[ConnectorsError]], ...]] = (
    (TransportTimeoutError, TimedOutError),
    (TransportClosedError, ClientClosedError),
    (WrongEventLoopError, ClientUsageError),
    (ForkedProcessError, ClientUsageError),
    (BodyTooLargeError, MalformedResponseError),
    (ProtocolError, MalformedResponseError),
    (TransportError, UnreachableError),
)


def encode_segment(value: object, name: str) -> str:
    """A caller's identifier as one segment of a path, encoded as `encodeURIComponent` does.

    Raises:
        TypeError: It is no string.
        ValueError: It is empty, `.` or `..`, or holds a control character or a lone surrogate:
            what it would select is not what it says.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}.")
    if not value:
        raise ValueError(f"{name} must not be empty.")
    if value in {".", ".."}:
        raise ValueError(f"{name} must not be {value!r}: in a path that is another place.")
    if _CONTROL.search(value):
        raise ValueError(f"{name} {value!r} holds a control character or a lone surrogate.")
    return quote(value, safe=_UNENCODED)


def encode_json(value: object, name: str) -> bytes:
    """A value as the JSON body of a request.

    Raises:
        TypeError: It is not made of JSON values.
        ValueError: It holds NaN, an infinity, a lone surrogate, or itself.
    """
    try:
        return json.dumps(value, allow_nan=False).encode()
    except TypeError as error:
        raise TypeError(f"{name} must be made of JSON values: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} cannot be sent as JSON: {error}.") from None


def decode(response: Response, request: Request, model: type[T], *, request_id: str) -> T:
    """The body of a good answer as a model.

    Raises:
        MalformedResponseError: It is no JSON, or a value is missing or of a wrong type; the
            message names its path, never the value.
    """
    outcome = _structured(response.body, model)
    if isinstance(outcome, _Problem):
        raise MalformedResponseError(
            f"The answer is not what the protocol says: {outcome.text}",
            status=response.status,
            request_id=request_id,
            method=request.method,
            url=request.url.partition("?")[0],
        )
    return outcome


def error_of(
    response: Response,
    request: Request,
    *,
    redactor: Redactor,
    retry_after: float | None,
    request_id: str,
) -> ServiceError:
    """The error that an answer with any status but 2xx stands for."""
    parsed = _parsed(response.body)
    data = None if isinstance(parsed, _Problem) else redactor.json(parsed)
    code = _first_string(data, ("error", "code"), ("code",)) or _header_code(response, redactor)
    kind = _kind(response.status, code)
    return kind(
        _message(response, data),
        status=response.status,
        code=code,
        data=data,
        request_id=request_id,
        method=request.method,
        url=request.url.partition("?")[0],
        retry_after=retry_after,
    )


def error_without_answer(failure: TransportError, *, request_id: str) -> ConnectorsError:
    """The error that a transport's failure stands for; it is to be raised `from` the failure."""
    kind = next(ours for theirs, ours in _BY_FAILURE if isinstance(failure, theirs))
    text = str(failure.args[0])
    error = kind(text, method=failure.method, url=failure.url, request_id=request_id)
    if isinstance(error, NoAnswerError):
        error.maybe_sent = failure.maybe_sent
    return error


def _kind(status: int, code: str | None) -> type[ServiceError]:
    named = _BY_CODE.get((status, code or "")) or _BY_STATUS.get(status)
    return named or _BY_FAMILY.get(status // 100, ServiceError)


def _message(response: Response, data: Json) -> str:
    told = _first_string(data, ("error", "message"), ("message",), ("detail",))
    if told:
        return told
    if response.status // 100 == 3:  # noqa: PLR2004 - a family of statuses.
        return f"The service redirects to {_origin(response.headers.get('location', ''))}"
    return f"The service answered with {response.status} {_reason(response.status)}".rstrip()


def _first_string(data: Json, *paths: tuple[str, ...]) -> str | None:
    for path in paths:
        value = data
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            return value
    return None


def _header_code(response: Response, redactor: Redactor) -> str | None:
    code = response.headers.get("x-base44-connector-error")
    return redactor.text(code) if code else None


def _origin(location: str) -> str:
    """Where a redirect points, without a path or query that might hold a secret."""
    try:
        parts = urlsplit(location)
        host = parts.hostname
    except ValueError:
        return "nowhere"
    return f"{parts.scheme}://{host}" if host else "another path of the same server"


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


@attrs.frozen
class _Problem:
    """What is wrong with an answer; a value, because it is found where tokens lie about."""

    text: str


def _parsed(body: bytes) -> Json | _Problem:
    try:
        return cast("Json", json.loads(body))
    except (ValueError, RecursionError):
        # The error holds the whole document, so not even its text is kept.
        return _Problem("it is not JSON")


def _structured(body: bytes, model: type[T]) -> T | _Problem:
    data = _parsed(body)
    if isinstance(data, _Problem):
        return data
    try:
        return _converter().structure(data, model)
    except BaseValidationError as error:
        return _Problem("; ".join(describe(error, format_exception=_what_is_wrong)))
    except (TypeError, ValueError) as error:
        return _Problem(f"{_what_is_wrong(error, model)} @ $")


def _what_is_wrong(error: BaseException, _: object) -> str:
    match error:
        case KeyError():
            return "required field missing"
        case _WrongValueError():
            return str(error)
        case _:
            return "a value of a wrong type"


class _WrongValueError(ValueError):
    """Raised when a value of an answer is not of its type; says what was expected, never it."""


@cache
def _converter() -> Converter:
    """A converter that coerces nothing: a number is no string, and 1 is not true."""
    converter = Converter()
    for kind, accepted in _SCALARS.items():
        converter.register_structure_hook(kind, _scalar(kind, accepted))
    converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)
    converter.register_structure_hook_factory(attrs.has, lambda model: _object(converter, model))
    converter.register_structure_hook_factory(_is_mapping, lambda _: _strings(converter))
    converter.register_structure_hook_factory(
        _is_tuple, lambda kind: _array(converter, get_args(kind)[0])
    )
    return converter


_SCALARS: Final[Mapping[type, tuple[type, ...]]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (int, float),
}

# What the protocol calls otherwise, and what is checked beyond its type.
_FIELDS: Final = {
    Connection: {"access_token": override(struct_hook=lambda value, _: _sendable(value))},
    ApiResponse: {"status": override(rename="status_code")},
}


def _scalar(kind: type, accepted: tuple[type, ...]) -> Callable[[object, type], object]:
    def structure(value: object, _: type) -> object:
        # A bool is an int to Python, and to nobody else.
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise _WrongValueError(f"not a {_JSON_NAMES[kind]}")
        return value

    return structure


_JSON_NAMES: Final = {str: "string", bool: "boolean", int: "whole number", float: "number"}


def _sendable(token: object) -> str:
    if not isinstance(token, str):
        raise _WrongValueError("not a string")
    if not token or _UNSENDABLE.search(token):
        raise _WrongValueError("not a token that a header can hold")
    return token


def _object(converter: Converter, model: type[T]) -> Callable[[object, type], T]:
    structure = make_dict_structure_fn(model, converter, **_FIELDS.get(model, {}))  # type: ignore[arg-type]

    def structure_object(value: object, kind: type) -> T:
        if not isinstance(value, dict):
            raise _WrongValueError("not an object")
        # The protocol's null and an absent field say the same.
        given = {name: item for name, item in value.items() if item is not None}
        return structure(given, kind)

    return structure_object


def _is_mapping(kind: object) -> bool:
    return get_origin(kind) is Mapping


def _is_tuple(kind: object) -> bool:
    return get_origin(kind) is tuple


def _strings(converter: Converter) -> Callable[[object, type], Mapping[str, str]]:
    structure = converter.get_structure_hook(dict[str, str])

    def structure_strings(value: object, _: type) -> Mapping[str, str]:
        if not isinstance(value, dict):
            raise _WrongValueError("not an object")
        return cast("Mapping[str, str]", structure(value, dict[str, str]))

    return structure_strings


def _array(converter: Converter, item: type) -> Callable[[object, type], tuple[object, ...]]:
    structure = converter.get_structure_hook(list[item])  # type: ignore[valid-type]

    def structure_array(value: object, _: type) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise _WrongValueError("not an array")
        return tuple(structure(value, list[item]))  # type: ignore[valid-type]

    return structure_array

"""Between values and the wire: path segments, and JSON as models.

All of it is pure: a function takes a value and returns one. The frames of a decoder hold tokens as
plain values, so none of them lets an error out: a problem is returned as a `Problem`, and raised
where nothing but the response lies in a local variable. That keeps tokens out of tracebacks. A
problem names the place by the protocol's names and never by what the server sent.

The other way of an answer, from a refusal to an error, is `connectors._refusals`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Final, Literal, TypeVar, get_args, get_origin
from urllib.parse import quote

import attrs
from cattrs import BaseValidationError, ClassValidationError, Converter, IterableValidationError
from cattrs.errors import IterableValidationNote
from cattrs.gen import make_dict_structure_fn, override

from connectors._errors import MalformedResponseError
from connectors._json import Problem, parsed
from connectors._models import ApiResponse, Connection
from transports import Request, Response

T = TypeVar("T")

_UNENCODED: Final = "!~*'()"  # What encodeURIComponent leaves alone besides letters, digits, -_.
_UNREADABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_UNSENDABLE: Final = re.compile(r"[^!-~]")  # A bearer token is visible ASCII (RFC 6750, 2.1).


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
    if _UNREADABLE.search(value):
        raise ValueError(f"{name} {value!r} holds a control character or a lone surrogate.")
    return quote(value, safe=_UNENCODED)


def decode(response: Response, request: Request, model: type[T], *, request_id: str) -> T:
    """The body of a good answer as a model.

    Fields that the model does not have are ignored.

    Raises:
        MalformedResponseError: It is no JSON, or a value is missing or of a wrong type; the
            message names its path, never the value.
    """
    outcome = _structured(response.body, model)
    if isinstance(outcome, Problem):
        raise MalformedResponseError(
            f"The answer is not what the protocol says: {outcome.text}",
            status=response.status,
            request_id=request_id,
            method=request.method,
            url=request.url,
        )
    return outcome


def _structured(body: bytes, model: type[T]) -> T | Problem:
    data = parsed(body)
    if isinstance(data, Problem):
        return data
    try:
        return _converter().structure(data, model)
    except (BaseValidationError, _WrongValueError) as error:
        return Problem("; ".join(_described(error, "$")))


def _described(error: BaseException, path: str) -> Iterator[str]:
    match error:
        case ClassValidationError():
            for inner, field in error.group_exceptions()[0]:
                yield from _described(inner, f"{path}.{_json_name(error.cl, field.name)}")
        case IterableValidationError():
            for inner, item in error.group_exceptions()[0]:
                yield from _described(inner, f"{path}[{item.index}]")
        case KeyError():
            yield f"required field missing @ {path}"
        case _:
            yield f"{error} @ {path}"


class _WrongValueError(ValueError):
    """Raised when a value of an answer is not of its type; says what was expected, never it."""


def _json_name(model: type, attribute: str) -> str:
    renamed = _FIELDS.get(model, {}).get(attribute)
    return (renamed and renamed.rename) or attribute


@cache
def _converter() -> Converter:
    """A converter that coerces nothing: a number is no string, and 1 is not true."""
    converter = Converter()
    for kind, accepted in _SCALARS.items():
        converter.register_structure_hook(kind, _scalar(kind, accepted))
    converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)
    converter.register_structure_hook_func(_is(Literal), _literal)
    converter.register_structure_hook_func(_is(Mapping), _strings)
    converter.register_structure_hook_factory(attrs.has, lambda model: _object(converter, model))
    converter.register_structure_hook_factory(
        _is(tuple), lambda kind: _array(converter, get_args(kind)[0])
    )
    return converter


def _is(origin: object) -> Callable[[object], bool]:
    return lambda kind: get_origin(kind) is origin


_SCALARS: Final[Mapping[type, tuple[type, ...]]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (int, float),
}
_JSON_NAMES: Final = {str: "string", bool: "boolean", int: "whole number", float: "number"}


def _scalar(kind: type, accepted: tuple[type, ...]) -> Callable[[object, type], object]:
    def structure(value: object, _: type) -> object:
        # A bool is an int to Python, and to nobody else.
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise _WrongValueError(f"not a {_JSON_NAMES[kind]}")
        if isinstance(value, str) and not _is_text(value):
            raise _WrongValueError("not a string of whole characters")
        return value

    return structure


def _literal(value: object, kind: object) -> object:
    if value not in get_args(kind):
        raise _WrongValueError(f"not one of {', '.join(get_args(kind))}")
    return value


def _strings(value: object, _: object) -> Mapping[str, str]:
    # As a whole: a path to one of its values would hold a name that the server has chosen.
    if not isinstance(value, dict) or not all(map(_is_text, (*value, *value.values()))):
        raise _WrongValueError("not an object of strings")
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and (value.isascii() or not _SURROGATE.search(value))


def _token(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise _WrongValueError("not a string")
    if not value or _UNSENDABLE.search(value):
        raise _WrongValueError("not a token that a header can hold")
    return value


# What the protocol calls otherwise, and what is checked beyond its type.
_FIELDS: Final = {
    Connection: {"_access_token": override(rename="access_token", struct_hook=_token)},
    ApiResponse: {"status": override(rename="status_code")},
}


def _object(converter: Converter, model: type[T]) -> Callable[[object, type], T]:
    structure = make_dict_structure_fn(model, converter, **_FIELDS.get(model, {}))  # type: ignore[arg-type]

    def structure_object(value: object, kind: type) -> T:
        if not isinstance(value, dict):
            raise _WrongValueError("not an object")
        # The protocol's null and an absent field say the same.
        given = {name: item for name, item in value.items() if item is not None}
        return structure(given, kind)

    return structure_object


def _array(converter: Converter, item: type) -> Callable[[object, type], tuple[object, ...]]:
    structure = converter.get_structure_hook(item)

    def structure_array(value: object, kind: type) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise _WrongValueError("not an array")
        items: list[object] = []
        for index, given in enumerate(value):
            try:
                items.append(structure(given, item))
            except (BaseValidationError, _WrongValueError) as error:
                # The first is enough: an answer can hold a hundred thousand of them.
                error.add_note(IterableValidationNote("", index, item))
                raise IterableValidationError("", [error], kind) from None
        return tuple(items)

    return structure_array

"""JSON, strict in both directions: what leaves is what a JavaScript client would send, and what
comes in is a finite value of Unicode text or a `Problem`.

What is parsed here may hold tokens, so no function raises while it has a body or a value in its
frame: a problem is returned, in words that quote nothing.
"""

import json
from codecs import BOM_UTF8
from json import JSONDecodeError, JSONDecoder
from math import isfinite
from typing import Final, NoReturn, cast

import attrs

from connectors._errors import Json


@attrs.frozen
class Problem:
    """What is wrong with an answer; a value, because it is found where tokens lie about."""

    text: str


def parsed(body: bytes) -> Json | Problem:
    """The JSON value of a body in UTF-8, with or without a byte order mark."""
    try:
        return cast("Json", _DECODER.decode(body.removeprefix(BOM_UTF8).decode()))
    except UnicodeDecodeError:
        return Problem("it is not UTF-8")
    except JSONDecodeError:
        # The error holds the whole document, so not even its text is kept.
        return Problem("it is not JSON" if body else "it is empty")
    except ValueError:
        return Problem("it holds NaN, an infinity or a number that is too large")
    except RecursionError:
        return Problem("it is nested too deeply")


def encode_json(value: object, name: str) -> bytes:
    """A value as the JSON body of a request.

    Raises:
        TypeError: It is not made of JSON values.
        ValueError: It holds NaN, an infinity, a lone surrogate, or itself.
    """
    encoded = _encoded(value)
    # A traceback shows what lies in a frame, and a body may hold anything.
    del value
    if isinstance(encoded, bytes):
        return encoded
    if isinstance(encoded, TypeError):
        raise TypeError(f"{name} must be made of JSON values: {encoded}.")
    raise ValueError(f"{name} cannot be sent as JSON: {encoded}.")


def _encoded(value: object) -> bytes | Exception:
    try:
        return json.dumps(
            value, allow_nan=False, ensure_ascii=False, separators=(",", ":")
        ).encode()
    except UnicodeEncodeError:
        return ValueError("a string in it holds half of a character (a lone surrogate)")
    except (TypeError, ValueError, RecursionError) as error:
        # Without the frames that it came through: they hold the value.
        return error.with_traceback(None)


def _finite(number: str) -> float:
    value = float(number)
    if not isfinite(value):
        raise ValueError
    return value


def _no_number(_: str) -> NoReturn:
    # Python reads NaN and Infinity, which are no JSON (RFC 8259, section 6).
    raise ValueError


_DECODER: Final = JSONDecoder(parse_float=_finite, parse_constant=_no_number)

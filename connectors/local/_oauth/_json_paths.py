"""JSON of a provider, taken as it is: what can't be read in it must not cost the rest.

A rotated token is told once. So a `NaN` beside it or a number of a thousand digits is read as an
empty text, which is nothing that anybody looks for and yet something, and the token is kept.
"""

import re
from json import JSONDecoder
from math import isfinite
from typing import Final, cast

from connectors._errors import Json

_INDEX: Final = re.compile(r"[0-9]{1,4}")
_MOST_DIGITS: Final = 30
_UNREADABLE: Final = ""


def lenient_json(text: str) -> Json:
    """The value of a JSON text, or null for what is none."""
    try:
        return cast("Json", _DECODER.decode(text))
    except (ValueError, RecursionError):
        return None


def at(value: Json, path: str | None) -> Json:
    """What stands at a dotted path, where a number is an index; null for nothing."""
    for name in () if path is None else path.split("."):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return None if path is None else value


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if isfinite(number) else _UNREADABLE


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else _UNREADABLE


def _no_number(_: str) -> str:
    return _UNREADABLE


_DECODER: Final = JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=_no_number)

"""JSON of a provider, taken as it is: what can't be read in it must not cost the rest.

A rotated token is told once. So a `NaN` beside it is read as Python does, and a number of a
thousand digits, which Python does not read, as an empty text: nothing that anybody looks for, and
the token is kept.
"""

import re
from json import JSONDecoder
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


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else _UNREADABLE


_DECODER: Final = JSONDecoder(parse_int=_int)

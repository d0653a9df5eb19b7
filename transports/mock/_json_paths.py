"""Where two JSON values differ, without a word of what they hold."""

from collections import deque
from collections.abc import Iterator
from itertools import zip_longest
from json import dumps
from typing import Final

_MISSING: Final = object()

_KINDS: Final[dict[type, str]] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def json_differences(known: object, found: object) -> Iterator[str]:
    """Each place where what was found is not what is known, the highest first."""
    places = deque([("$", known, found)])
    while places:
        place, left, right = places.popleft()
        if isinstance(left, dict) and isinstance(right, dict):
            for name in {**left, **right}:
                one, other = left.get(name, _MISSING), right.get(name, _MISSING)
                places.append((f"{place}{_key(name)}", one, other))
        elif isinstance(left, list) and isinstance(right, list):
            pairs = enumerate(zip_longest(left, right, fillvalue=_MISSING))
            places.extend((f"{place}[{index}]", *pair) for index, pair in pairs)
        elif said := _difference(left, right):
            yield f"{place} {said}"


def _difference(known: object, found: object) -> str:
    if found is _MISSING:
        return "is missing"
    if known is _MISSING:
        return "is not in the route"
    one, other = _KINDS[type(known)], _KINDS[type(found)]
    if one != other:
        return f"is {other}, the route has {one}"
    return "" if known == found else "has another value"


def _key(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{dumps(name)}]"

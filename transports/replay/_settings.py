"""How a cassette is used: what is recorded, and what is done with an old one."""

import os
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final, Literal, TypeAlias, TypeVar, get_args

Mode: TypeAlias = Literal["none", "once", "new_episodes", "all"]
"""`none` records nothing; `once` records a file that is not there yet; `new_episodes` records what
the file has no answer for; `all` records everything anew."""

WhenStale: TypeAlias = Literal["warn", "fail", "record"]
"""What is done with a cassette that is too old."""

_T = TypeVar("_T", bound=str)

_OFF: Final = frozenset({"", "0", "false", "no"})


def mode_in(environment: Mapping[str, str], mode: Mode) -> Mode:
    """The mode that holds: where `CI` is set nothing is recorded, whatever the program says."""
    return mode if environment.get("CI", "").lower() in _OFF else "none"


def effective_mode(mode: Mode) -> Mode:
    """The mode that holds in this process.

    Raises:
        ValueError: There is none of that name.
    """
    return mode_in(os.environ, checked("mode", mode, get_args(Mode)))


def checked(name: str, value: _T, known: Collection[_T]) -> _T:
    """A value that is one of several.

    Raises:
        ValueError: It is not.
    """
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}.")
    return value


def checked_parts(match_on: Collection[_T], known: Collection[_T]) -> frozenset[_T]:
    """The parts of a request that are compared.

    Raises:
        TypeError: They are one string.
        ValueError: There are none, or one is not known.
    """
    if isinstance(match_on, str):
        raise TypeError("match_on is a collection of the parts, like {'method', 'path'}.")
    parts = frozenset(checked("A part of match_on", part, known) for part in match_on)
    if not parts:
        raise ValueError("match_on must name a part, or every request would be every other.")
    return parts


def checked_age(max_age: float | None) -> timedelta | None:
    """How old a cassette may be.

    Raises:
        ValueError: It is no positive number of seconds.
    """
    if max_age is None:
        return None
    if isinstance(max_age, bool) or not isinstance(max_age, int | float) or not max_age > 0:
        raise ValueError(f"max_age is a number of seconds above 0, or None, not {max_age!r}.")
    return timedelta(seconds=min(max_age, timedelta.max.total_seconds() // 2))

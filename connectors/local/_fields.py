"""What fields of records may hold: how it is checked, and how it is hidden.

A token is a `Secret` and the values of a configuration are hidden from the moment they come in: no
frame that can raise has them in a form that a traceback's locals would show. So what is wrong with
them is found by functions that return the error, and raised when they are hidden.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NoReturn, final

import attrs

from transports import Secret

_FARTHEST: Final = 1e11
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@final
class ConnectionConfig(Mapping[str, str]):
    """The values that a connection needs besides its token; its `repr` shows only their names.

    A value may be a secret, such as a developer token, so like one it refuses to be pickled.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"ConnectionConfig({', '.join(f'{name}=...' for name in self._values)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A ConnectionConfig is not pickled: its values may be secrets.")


def check_text(what: str, value: object) -> None:
    """Refuse anything but printable text.

    Raises:
        TypeError: It is not a `str`.
        ValueError: It is empty, or has characters that can't be printed.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, not {type(value).__name__}")
    if not value or not value.isprintable():
        raise ValueError(f"{what} must be printable text and not empty, not {value!r}")


def check_name(what: str, value: object) -> None:
    """Refuse anything but letters, digits, `_` and `-`: a file is called so.

    Raises:
        TypeError: It is not a `str`.
        ValueError: It is empty, longer than 64, or has another character.
    """
    check_text(what, value)
    if not _NAME.fullmatch(str(value)):
        raise ValueError(f"{what} must be at most 64 letters, digits, _ and -, not {value!r:.80}")


def check_seconds(what: str, value: object) -> None:
    """Refuse anything but a time that a clock can show.

    Raises:
        TypeError: It is not a number.
        ValueError: It is no number of seconds, or thousands of years away.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{what} must be Unix seconds, not {type(value).__name__}")
    # Not a number is not within either.
    if not abs(value) <= _FARTHEST:
        raise ValueError(f"{what} must be Unix seconds, and not thousands of years away")


def text(_: object, field: "attrs.Attribute[str]", value: object) -> None:
    check_text(field.name, value)


def name(_: object, field: "attrs.Attribute[str]", value: object) -> None:
    """A field that `check_name` is true of."""
    check_name(field.name, value)


def texts(_: object, field: "attrs.Attribute[tuple[str, ...]]", value: tuple[object, ...]) -> None:
    for item in value:
        check_text(f"each of the {field.name}", item)


def seconds(_: object, field: "attrs.Attribute[float]", value: object) -> None:
    check_seconds(field.name, value)


MAYBE_TEXT: Final = attrs.validators.optional(text)
INTEGER: Final = attrs.validators.instance_of(int)
MAYBE_SECONDS: Final = attrs.validators.optional(seconds)
FLAG: Final = attrs.validators.instance_of(bool)


def several(what: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Scopes or the like as a tuple.

    Raises:
        TypeError: They are a single `str`.
    """
    if isinstance(texts, str):
        raise TypeError(f"{what} must be several str, not one")
    return tuple(texts)


def as_secret(value: object) -> Secret:
    """The value where nothing prints it; what is neither `str` nor `Secret` becomes empty."""
    if isinstance(value, Secret):
        return value
    return Secret(value if isinstance(value, str) else "")


def hidden(config: object) -> ConnectionConfig | None:
    """A configuration whose values nothing prints; what is none becomes None."""
    return ConnectionConfig(config) if isinstance(config, Mapping) else None


def token_error(what: str, token: object) -> Exception | None:
    """What is wrong with a token; None when it is one."""
    if not isinstance(token, str | Secret):
        return TypeError(f"{what} must be a str or a Secret, not {type(token).__name__}")
    text = as_secret(token).reveal()
    if not text or set(text) & set("\r\n\0"):
        return ValueError(f"{what} must be one line of text, and not empty")
    return None


def config_error(config: object) -> Exception | None:
    """What is wrong with a configuration; None when it is one, or None."""
    if config is None:
        return None
    if not isinstance(config, Mapping):
        return TypeError(f"connection_config must be a mapping, not {type(config).__name__}")
    if not all(isinstance(item, str) for pair in config.items() for item in pair):
        return TypeError("connection_config must map str to str")
    return None

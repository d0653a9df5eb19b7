"""A document that may hold anything, read with a path to every value.

What is wrong with a file is said by where it stands, `interactions[3].response.status.code`, and by
what was expected there; never by what was found, which may be a secret.
"""

import json
import sys
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import attrs

from transports.replay._errors import CassetteFormatError

_T = TypeVar("_T", bound=str)

# A body that was sent as a JSON value has no more letters and parts than this. A few lines of YAML
# can mean billions.
_MOST: Final = 1_000_000


@attrs.frozen
class Document:
    """What a file holds, as plain values."""

    path: Path
    value: object = attrs.field(repr=False)

    @property
    def top(self) -> "Place":
        """All of it."""
        return Place(self.path, "", self.value)


@attrs.frozen
class Place:
    """A value of a document, and where it stands."""

    file: Path
    path: str
    value: object = attrs.field(repr=False)

    def wrong(self, expected: str) -> CassetteFormatError:
        """The error of something else than what was expected."""
        where = f"at {self.path}" if self.path else "as a whole"
        return CassetteFormatError(
            f"{self.file} is no cassette that can be read: {where} it needs {expected}. "
            "Restore it, or delete it and record it again."
        )

    @property
    def is_array(self) -> bool:
        """Is it an array?"""
        return isinstance(self.value, list)

    @property
    def is_object(self) -> bool:
        """Is it an object?"""
        return isinstance(self.value, dict)

    def has(self, name: str) -> bool:
        """Does it have something, not null, under a name?"""
        return self._object().get(name) is not None

    def at(self, name: str) -> "Place":
        """What it has under a name; null where there is nothing."""
        path = f"{self.path}.{name}" if self.path else name
        return Place(self.file, path, self._object().get(name))

    def items(self) -> Iterator["Place"]:
        """The values of an array."""
        if not isinstance(self.value, list):
            raise self.wrong("an array")
        for index, item in enumerate(self.value):
            yield Place(self.file, f"{self.path}[{index}]", item)

    def members(self) -> Iterator[tuple[str, "Place"]]:
        """The names and values of an object; null has none."""
        if self.value is not None:
            for name in self._object():
                if not isinstance(name, str):
                    raise self.wrong("an object with names that are strings")
                yield name, self.at(name)

    def _object(self) -> Mapping[object, object]:
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return self.value

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise self.wrong("a string")
        return self.value

    def url(self) -> str:
        """A URL that can be taken apart."""
        try:
            _ = urlsplit(self.text()).port
        except ValueError:
            raise self.wrong("a URL") from None
        return self.text()

    def truth(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def whole_number(self) -> int:
        """A whole number, from 0."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            raise self.wrong("a whole number")
        return self.value

    def seconds(self) -> float:
        """A finite number, from 0."""
        number = self.value
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise self.wrong("a number of seconds")
        if not 0 <= number <= sys.float_info.max:
            raise self.wrong("a number of seconds")
        return float(number)

    def one_of(self, known: Collection[_T]) -> _T:
        """One of several strings."""
        found = next((name for name in known if name == self.value), None)
        if found is None:
            raise self.wrong(f"one of {', '.join(known)}")
        return found

    def hexadecimal(self) -> bytes:
        """Bytes in hexadecimal."""
        try:
            return bytes.fromhex(self.text())
        except ValueError:
            raise self.wrong("bytes in hexadecimal") from None

    def base64(self) -> bytes:
        """Bytes in base64, as they stand."""
        raw = self.value if isinstance(self.value, bytes) else self.text().encode()
        try:
            b64decode(raw)
        except Base64Error:
            raise self.wrong("bytes in base64") from None
        return raw

    def moment(self) -> datetime:
        """A date and time; without a zone it is UTC."""
        moment = _moment(self.value) if isinstance(self.value, str) else self.value
        if not isinstance(moment, datetime):
            raise self.wrong("a date and time, like 2026-11-30T20:00:00Z")
        try:
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except OverflowError:
            raise self.wrong("a date and time between the years 1 and 9999") from None

    def as_body(self, encoding: str = "utf-8") -> bytes | None:
        """The body that a value stands for; text in an encoding that is known, or else in UTF-8."""
        match self.value:
            case None:
                return None
            case bytes():
                return self.value
            case str():
                return _encoded(self.value, encoding)
            case _:
                self._demand_few()
                return _json(self)

    def _demand_few(self) -> None:
        left, size = [self.value], 0
        while left:
            part = left.pop()
            size += 1 + (len(part) if isinstance(part, str | bytes | list | dict) else 0)
            if size > _MOST:
                raise self.wrong("a body that is no larger")
            left += part if isinstance(part, list) else ()
            left += (*part, *part.values()) if isinstance(part, dict) else ()


def _encoded(text: str, encoding: str) -> bytes:
    with suppress(LookupError, UnicodeError):
        return text.encode(encoding)
    return text.encode("utf-8", "surrogatepass")


def _moment(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError):
            return read(text)
    return None


def _json(place: Place) -> bytes:
    try:
        return json.dumps(place.value, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError):
        raise place.wrong("a body that is text, bytes or a JSON value") from None

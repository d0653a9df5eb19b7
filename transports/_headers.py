"""HTTP fields as a value: case-insensitive, several values a name, and safe to print.

A repr shows the values of the fields on an allow-list and only the names of all others: a
deny-list forgets the one field that somebody invents next. What is wrong with a field is found by
functions that return it, so that no frame of an exception holds a plain value.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NoReturn, TypeAlias, final

from transports._secret import Secret

FieldValue: TypeAlias = str | Secret
"""The value of a header field. A secret one is wrapped, so that no traceback can show it."""

Fields: TypeAlias = Mapping[str, FieldValue] | Iterable[tuple[str, FieldValue]]
"""A mapping, or pairs where a name may come more than once."""

# What tells an operator something and can hold no credential.
_SHOWN: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "retry-after",
        "retry-after-ms",
        "server",
        "user-agent",
        "x-app-id",
        "x-base44-connector-error",
        "x-data-env",
        "x-request-id",
    }
)
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2
_FORBIDDEN: Final = re.compile(r"[^\t -~\x80-\xff]")  # RFC 9110, section 5.5: field-value


@final
class Headers(Mapping[str, str]):
    """The fields of a message, in order, found by name whatever its case.

    `headers[name]` is the first value of a name, `headers.get_all(name)` are all of them, and
    `headers.fields` are the pairs as they were given. Two are equal when they would be the same
    message: names are compared without case, and only values of the same name have an order.

    Args:
        fields: A mapping, or pairs where a name may come more than once.

    Raises:
        TypeError: A name or a value is no string.
        ValueError: A name is no token, or a value holds a line break or another control
            character. The message names the field, never the value.
    """

    __slots__ = ("_by_name", "_hash", "_pairs")

    def __init__(self, fields: Fields = ()) -> None:
        pairs = _checked(fields)
        del fields
        if isinstance(pairs, Exception):
            raise pairs
        self._pairs = pairs
        self._by_name: dict[str, list[Secret]] | None = None
        self._hash: int | None = None

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The pairs in the order in which they were given."""
        return self._pairs.plain

    def get_all(self, name: str) -> tuple[str, ...]:
        """Every value of a name, in order; none is an empty tuple."""
        return tuple(value.reveal() for value in self._named().get(name.lower(), ()))

    def merged(self, other: Mapping[str, FieldValue]) -> "Headers":
        """These fields, with those of `other` in the place of the ones of the same name."""
        headers = checked_headers(other)
        del other
        if isinstance(headers, Exception):
            raise headers
        kept = (pair for pair in self.fields if pair[0] not in headers)
        return Headers(_Pairs((*kept, *headers.fields)))

    def __getitem__(self, name: str) -> str:
        return self._named()[name.lower()][0].reveal()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._named()

    def __iter__(self) -> Iterator[str]:
        return iter(self._named())

    def __len__(self) -> int:
        return len(self._named())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._named() == other._named()

    def __hash__(self) -> int:
        # A herd of equal requests is looked up in a table, each with the same header fields.
        if self._hash is None:
            named = self._named().items()
            self._hash = hash(frozenset((name, *values) for name, values in named))
        return self._hash

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}: {_shown(name, value)}" for name, value in self.fields)
        return f"<Headers {shown}>" if shown else "<Headers>"

    def _named(self) -> dict[str, list[Secret]]:
        # Made when a name is asked for, which of most answers none is.
        if self._by_name is None:
            by_name: dict[str, list[Secret]] = {}
            for name, value in self._pairs:
                by_name.setdefault(name.lower(), []).append(Secret(value))
            self._by_name = by_name
        return self._by_name


@final
class _Pairs:
    """Fields that are good, wrapped as one: like a `Secret`, it shows nothing of the values."""

    __slots__ = ("plain",)

    def __init__(self, plain: tuple[tuple[str, str], ...]) -> None:
        self.plain = plain

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.plain)

    def __repr__(self) -> str:
        return f"<{len(self.plain)} header fields>"

    def __deepcopy__(self, _memo: dict[int, object]) -> "_Pairs":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("Header fields are not pickled; take Headers.fields where they must be.")


def checked_headers(fields: Fields) -> Headers | Exception:
    """The header fields of a message, or what is wrong with them."""
    if isinstance(fields, Headers):
        return fields
    pairs = _checked(fields)
    return pairs if isinstance(pairs, Exception) else Headers(pairs)


def _checked(fields: Fields) -> _Pairs | Exception:
    if isinstance(fields, _Pairs):
        return fields
    if isinstance(fields, Headers):
        return _Pairs(fields.fields)
    try:
        pairs = [(name, _revealed(value)) for name, value in _items(fields)]
    except (TypeError, ValueError):
        return TypeError("Header fields are a mapping, or pairs of a name and a value.")
    problem = None if _all_are_good(pairs) else next(filter(None, map(_problem, pairs)), None)
    return problem or _Pairs(tuple(pairs))


def _all_are_good(pairs: Sequence[tuple[str, str]]) -> bool:
    """Look at all of them at once, which is most often all that there is to do."""
    names, values = [name for name, _ in pairs], [value for _, value in pairs]
    try:
        good = _TOKEN.fullmatch("".join(names)) and not _FORBIDDEN.search("".join(values))
    except TypeError:  # One of them is no string.
        return False
    return bool(good) and all(names)  # An empty name would hide between the others.


def _items(fields: Fields) -> Iterable[tuple[str, FieldValue]]:
    return fields.items() if isinstance(fields, Mapping) else fields


def _revealed(value: FieldValue) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _problem(pair: tuple[object, object]) -> Exception | None:
    name, value = pair
    if not isinstance(name, str):
        return TypeError(f"The name of a header field must be a str, not {type(name).__name__}.")
    if not _TOKEN.fullmatch(name):
        return ValueError(
            f"{_safe_start(name)!r} does not name a header field (RFC 9110, section 5.1)."
        )
    if not isinstance(value, str):
        kind = type(value).__name__
        return TypeError(f"The value of the header field {name!r} must be a str, not {kind}.")
    if _FORBIDDEN.search(value):
        return ValueError(
            f"The value of the header field {name!r} holds a character that none may hold."
        )
    return None


def _safe_start(name: str) -> str:
    # Somebody has written the whole line as a name: what follows may be the credential.
    token = _TOKEN.match(name)
    return f"{token[0]}..." if token else "..."


def _shown(name: str, value: str) -> str:
    return repr(value) if name.lower() in _SHOWN else "..."

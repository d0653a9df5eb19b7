"""Take secrets out of what a server wrote, before anything keeps it.

Three nets, because each has holes: the exact values that this client sent, in the encodings in
which they come back; the shapes of well-known tokens; and JSON fields whose name says what they
hold. What is found is replaced, never shortened: a prefix of a token is still a hint.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final, final

from connectors._errors import Json
from transports import Secret
from transports._shapes import SHAPES, names_a_secret
from transports._sightings import Span, forms, occurrences, readings

REDACTED: Final = "[redacted]"

# An error's data is copied, pickled and printed by recursion: nobody needs more of it than this.
_DEEPEST: Final = 32

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


@final
class Redactor:
    """Replaces the secrets that it was made with, and what looks like one.

    The secrets are ASCII, as everything is that a header of this client carries.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)

    def text(self, text: str) -> str:
        """The text without secrets; half of a character, which no log can hold, becomes U+FFFD."""
        if not text.isascii():
            text = _SURROGATE.sub("\ufffd", text)
        return SHAPES.sub(REDACTED, _without(text, _merged(self._found(text))))

    def json(self, value: Json) -> Json:
        """The JSON value without secrets, in keys and values; what is very deep is left out."""
        return self._json(value, 0)

    def _json(self, value: Json, depth: int) -> Json:
        match value:
            case str():
                return self.text(value)
            case list() | dict() if depth == _DEEPEST:
                return REDACTED
            case list():
                return [self._json(item, depth + 1) for item in value]
            case dict():
                return {
                    self.text(name): self._field(name, item, depth + 1)
                    for name, item in value.items()
                }
            case int() | float() if self.text(str(value)) != str(value):
                return REDACTED
            case _:
                return value

    def _field(self, name: str, value: Json, depth: int) -> Json:
        if value is None or isinstance(value, bool) or not names_a_secret(name):
            return self._json(value, depth)
        return REDACTED

    @cached_property
    def _forms(self) -> tuple[Secret, ...]:
        return tuple(form for secret in self._secrets for form in forms(secret))

    def _found(self, text: str) -> Iterator[Span]:
        """Where in the text a secret stands, in whatever encoding."""
        for reading, places in readings(text):
            for form in self._forms:
                for begin, end in occurrences(form, reading):
                    yield places[begin], places[end]


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def _without(text: str, spans: list[Span]) -> str:
    parts: list[str] = []
    kept_from = 0
    for begin, end in spans:
        parts += text[kept_from:begin], REDACTED
        kept_from = end
    parts.append(text[kept_from:])
    return "".join(parts)

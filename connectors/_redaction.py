"""Take secrets out of what a server wrote, before anything keeps it.

Three nets, because each has holes: the exact values that this client sent, in the encodings in
which they come back; the shapes of well-known tokens; and JSON fields whose name says what they
hold. What is found is replaced, never shortened: a prefix of a token is still a hint.

An exact value is searched in the text and in what is left of it when layers of encoding are taken
off. That needs no regular expression made of a token, which takes milliseconds to compile: a
client makes a redactor for every request that comes in, and nearly all of them are never used.
"""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from html import unescape
from typing import Final, TypeAlias, final

from connectors._errors import Json
from transports import Secret

REDACTED: Final = "[redacted]"

# Fewer letters of base64 than these would be found in any text.
_SHORTEST: Final = 8

# An error's data is copied, pickled and printed by recursion: nobody needs more of it than this.
_DEEPEST: Final = 32

# A URL in a JSON text in a JSON text has three.
_LAYERS: Final = 3
_ESCAPE: Final = re.compile(
    r"%([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|\\([\"'\\/])"
    r"|(&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|amp|lt|gt|quot|apos);)"
)

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")

# The values of bearer headers, unless they are a word of prose; JSON Web Tokens; tokens of Slack,
# GitHub, Google and Base44; private keys. None begins with \b: after %3D it would not hold. Each
# matches as soon as it is long enough, so that no text is read twice.
_SHAPES: Final = re.compile(
    r"(?i:(?<=bearer )|(?<=bearer%20))(?=[A-Za-z._~+/-]*[0-9]|[^\s]{24})[A-Za-z0-9._~+/-]{8,}=*"
    r"|eyJ[A-Za-z0-9_-]{16,}(?:\.[A-Za-z0-9_-]*)*"
    r"|xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,}"
    r"|github_pat_[A-Za-z0-9_]{16,}|gh[a-z]_[A-Za-z0-9]{16,}"
    r"|ya29\.[A-Za-z0-9_-]{8,}"
    r"|b44k_[A-Za-z0-9_-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)

# How the name of a field ends that holds a secret; without its separators, case and plural.
_FIELDS: Final = (
    "apikey",
    "assertion",
    "authorization",
    "codeverifier",
    "cookie",
    "credential",
    "onbehalfof",
    "password",
    "privatekey",
    "secret",
    "token",
)
_SEPARATORS: Final = str.maketrans("", "", "-_. ")

_Span: TypeAlias = tuple[int, int]


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
        return _SHAPES.sub(REDACTED, _without(text, _merged(self._found(text))))

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
        if value is None or isinstance(value, bool) or not _names_a_secret(name):
            return self._json(value, depth)
        return REDACTED

    @cached_property
    def _forms(self) -> tuple[Secret, ...]:
        return tuple(form for secret in self._secrets for form in _forms(secret))

    def _found(self, text: str) -> Iterator[_Span]:
        """Where in the text a secret stands, in whatever encoding."""
        for reading, places in _readings(text):
            for form in self._forms:
                for begin, end in _occurrences(form, reading):
                    yield places[begin], places[end]


def _names_a_secret(field: str) -> bool:
    return field.translate(_SEPARATORS).lower().rstrip("s").endswith(_FIELDS)


def _forms(secret: Secret) -> Iterator[Secret]:
    """A secret as it may come back: as it is, in hexadecimal, or inside something in base64."""
    yield secret
    yield Secret(secret.reveal().encode().hex())
    yield Secret(secret.reveal().encode().hex().upper())
    # Where the secret begins within the encoded text shifts its letters: there are three ways. The
    # first and last letters also depend on the neighbours, so they are left out.
    for shift in range(3):
        length = len(secret.reveal()) + shift
        skipped = (0, 2, 3)[shift]
        for encode in (b64encode, urlsafe_b64encode):
            letters = encode(b"\0" * shift + secret.reveal().encode()).decode().rstrip("=")
            whole = len(letters) - (1 if length % 3 else 0)
            if whole - skipped >= _SHORTEST:
                yield Secret(letters[skipped:whole])


def _occurrences(form: Secret, text: str) -> Iterator[_Span]:
    length = len(form.reveal())
    begin = text.find(form.reveal())
    while begin >= 0:
        yield begin, begin + length
        begin = text.find(form.reveal(), begin + length)


def _readings(text: str) -> Iterator[tuple[str, Sequence[int]]]:
    """The text, then with layer after layer of encoding less; and where each letter stood in it."""
    places: Sequence[int] = range(len(text) + 1)
    yield text, places
    for _ in range(_LAYERS):
        if not _ESCAPE.search(text):
            return
        text, places = _unescaped(text, places)
        yield text, places


def _unescaped(text: str, places: Sequence[int]) -> tuple[str, Sequence[int]]:
    """The text with one layer of encoding less, and where each of its letters stood before."""
    parts: list[str] = []
    origins: list[int] = []
    end = 0
    for escape in _ESCAPE.finditer(text):
        parts += text[end : escape.start()], _meant(escape)
        origins += places[end : escape.start() + 1]
        end = escape.end()
    parts.append(text[end:])
    origins += places[end:]
    return "".join(parts), origins


def _meant(escape: re.Match[str]) -> str:
    """The one letter that an escape stands for."""
    percent, four, two, letter, entity = escape.groups()
    if entity:
        return unescape(entity)[:1] or "\ufffd"
    return letter or chr(int(percent or four or two, 16))


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    merged: list[_Span] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def _without(text: str, spans: list[_Span]) -> str:
    parts: list[str] = []
    kept_from = 0
    for begin, end in spans:
        parts += text[kept_from:begin], REDACTED
        kept_from = end
    parts.append(text[kept_from:])
    return "".join(parts)

"""Where in a text a secret stands, in whatever encoding it came back.

An exact value is searched in the text and in what is left of it when layers of encoding are taken
off. That needs no regular expression made of a token, which takes milliseconds to compile: whoever
looks for secrets is made for every request that comes in, and nearly all of them never look.
"""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Final, TypeAlias

from transports._secret import Secret

Span: TypeAlias = tuple[int, int]
"""Where something begins in a text, and where it ends."""

# Fewer letters of base64 than these would be found in any text.
_SHORTEST: Final = 8

# A URL in a JSON text in a JSON text has three.
_LAYERS: Final = 3
_ESCAPE: Final = re.compile(
    r"%([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|\\([\"'\\/bfnrt])"
    r"|(&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|amp|lt|gt|quot|apos);)"
)
_CONTROLS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def forms(secret: Secret) -> Iterator[Secret]:
    """A secret as it may come back: as it is, in hexadecimal, or inside something in base64."""
    yield secret
    raw = secret.reveal().encode("utf-8", "surrogatepass")
    yield Secret(raw.hex())
    yield Secret(raw.hex().upper())
    # Where the secret begins within the encoded text shifts its letters: there are three ways. The
    # first and last letters also depend on the neighbours, so they are left out.
    for shift in range(3):
        length = len(raw) + shift
        skipped = (0, 2, 3)[shift]
        for encode in (b64encode, urlsafe_b64encode):
            letters = encode(b"\0" * shift + raw).decode().rstrip("=")
            whole = len(letters) - (1 if length % 3 else 0)
            if whole - skipped >= _SHORTEST:
                yield Secret(letters[skipped:whole])


def occurrences(form: Secret, text: str) -> Iterator[Span]:
    """Where a text holds exactly this."""
    length = len(form.reveal())
    begin = text.find(form.reveal())
    while begin >= 0:
        yield begin, begin + length
        begin = text.find(form.reveal(), begin + length)


def readings(text: str) -> Iterator[tuple[str, Sequence[int]]]:
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
    if letter:
        return _CONTROLS.get(letter, letter)
    return chr(int(percent or four or two, 16))

"""Take secrets out of what a server wrote, before anything keeps it.

Three nets, because each has holes: the exact values that this client sent, in the encodings in
which they come back; the shapes of well-known tokens; and JSON fields whose name says what they
hold. What is found is replaced, never shortened: a prefix of a token is still a hint.
"""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from typing import Final, final
from urllib.parse import quote

from connectors._errors import Json
from transports import Secret

REDACTED: Final = "[redacted]"

# Fewer letters of base64 than these would be found in any text.
_SHORTEST: Final = 8

# Bearer values, JSON Web Tokens, Slack, GitHub, Google and Base44 tokens.
_SHAPES: Final = (
    r"(?<=[Bb]earer )[A-Za-z0-9\-._~+/]+=*"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
    r"|\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,}"
    r"|\b(?:gh[a-z]_|github_pat_)[A-Za-z0-9_]{16,}"
    r"|\bya29\.[A-Za-z0-9_-]{8,}"
    r"|\bb44k_[A-Za-z0-9_-]{8,}"
)
_FIELDS: Final = re.compile(
    r"(?:(?:access|refresh|id|user|service|bearer)[_-]?)?token"
    r"|(?:client[_-]?)?secret|password|authorization|on-behalf-of|api[_-]?key|(?:set-)?cookie"
    r"|private[_-]?key|code[_-]?verifier",
    re.IGNORECASE,
)


@final
class Redactor:
    """Replaces the secrets that it was made with, and what looks like one."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        known = {form for secret in secrets if secret for form in _forms(secret.reveal())}
        # The longest first: a form that contains another one must not leave its rest.
        exact = "|".join(re.escape(form) for form in sorted(known, key=len, reverse=True))
        self._pattern = re.compile(f"{exact}|{_SHAPES}" if exact else _SHAPES)

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(REDACTED, text)

    def json(self, value: Json) -> Json:
        """The JSON value without secrets, in keys and values at any depth."""
        try:
            return self._json(value)
        except RecursionError:
            return REDACTED

    def _json(self, value: Json) -> Json:
        match value:
            case str():
                return self.text(value)
            case list():
                return [self._json(item) for item in value]
            case dict():
                return {self.text(name): self._field(name, item) for name, item in value.items()}
            case _:
                return value

    def _field(self, name: str, value: Json) -> Json:
        if isinstance(value, str) and _FIELDS.fullmatch(name):
            return REDACTED
        return self._json(value)


def _forms(value: str) -> Iterator[str]:
    """A secret as it may come back: plain, in a URL, in JSON, or inside something in base64."""
    raw = value.encode("utf-8", "surrogatepass")
    yield value
    yield value.encode("unicode_escape").decode("ascii")
    yield quote(raw, safe="")
    yield quote(raw, safe="").replace("%2F", "%2f").replace("%3D", "%3d").replace("%2B", "%2b")
    for encode in (b64encode, urlsafe_b64encode):
        yield from _base64_forms(raw, encode)


def _base64_forms(raw: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    # Where the secret begins within the encoded text shifts its letters: there are three ways. The
    # first and last letters also depend on the neighbours, so they are left out.
    for shift in range(3):
        encoded = encode(b"\0" * shift + raw).decode("ascii").rstrip("=")
        inner = encoded[(0, 2, 3)[shift] : len(encoded) - (1 if (len(raw) + shift) % 3 else 0)]
        if len(inner) >= _SHORTEST:
            yield inner

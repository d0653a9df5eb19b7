"""Where the sandbox keeps what it has given out: in memory, by digest, and never more than so much.

A shelf hands out a random string and keeps something under the string's digest, so nothing here has
a token to show. When it is full the oldest entry leaves: to the holder that is a token that nobody
knows.
"""

import secrets
from typing import Generic, TypeVar, final

from connectors._digests import hex_digest
from transports import Secret

_T = TypeVar("_T")


@final
class Shelf(Generic[_T]):
    """Keeps values under secrets of its own making.

    Args:
        kind: How its secrets begin, after `sandbox-`.
        limit: How many values it keeps.
    """

    def __init__(self, kind: str, limit: int) -> None:
        self._kind = kind
        self._limit = limit
        self._kept: dict[str, _T] = {}

    def put(self, value: _T) -> Secret:
        """Keep a value under a new secret."""
        secret = mint(self._kind)
        self._kept[hex_digest(secret)] = value
        if len(self._kept) > self._limit:
            del self._kept[next(iter(self._kept))]
        return secret

    def find(self, secret: Secret | None) -> _T | None:
        """What is kept under a secret, if anything is."""
        return None if secret is None else self._kept.get(hex_digest(secret))

    def take(self, secret: Secret | None) -> _T | None:
        """The same, and keep it no longer."""
        return None if secret is None else self._kept.pop(hex_digest(secret), None)


def mint(kind: str) -> Secret:
    """A random string whose beginning says what it is, so that it can be kept out of answers."""
    return Secret(f"sandbox-{kind}-{secrets.token_urlsafe(32)}")

"""Seals values so that each can be opened only with its key, and only in its own place.

AES-256-GCM with a random 96-bit nonce. The place of a value (whose it is, which generation, which
field) is authenticated with it: a value that is moved to another row or field, or put back after it
was replaced, does not open. A sealed value is text, `v1.<key id>.<nonce>.<ciphertext>` in base64url
without padding. It names its key, so keys can change: the first key of a ring seals, all open.

No function here that can raise has a key or an opened value in a local variable.
"""

import base64
import hmac
import json
import os
import re
from collections.abc import Mapping
from typing import Final

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors._digests import base64url
from transports import Secret

_VERSION: Final = "v1"
SEPARATORS: Final = r"[,\s]+"
"""What stands between the keys of a text, as a regular expression."""

_KEY_BYTES: Final = 32
_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
# The tag alone, of an empty value, is 22 letters.
_SEALED: Final = re.compile(r"v1\.([\w-]{11})\.([\w-]{16})\.([\w-]{22,})", re.ASCII)
_TO_STANDARD: Final = str.maketrans("-_", "+/")


class SealError(Exception):
    """Raised when a sealed value was edited, moved or put back: it does not open here."""


class UnknownKeyError(Exception):
    """Raised when a value is sealed with a key that is not in the ring."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"sealed with the key {key_id}")
        self.key_id = key_id


@attrs.frozen
class Place:
    """Where a sealed value belongs; it opens nowhere else."""

    identity: tuple[str, ...]
    """What makes the row this row: its table, its id, its owner."""

    generation: int
    """How often the row's values have been replaced."""

    field: str
    """The name of the value within the row."""

    @property
    def associated_data(self) -> bytes:
        """The place as bytes; two places never have the same."""
        parts = [_VERSION, *self.identity, self.generation, self.field]
        return json.dumps(parts, separators=(",", ":")).encode("ascii")


@attrs.frozen
class KeyRing:
    """Keys by their ids, in order: the first one seals, all of them open."""

    _ciphers: Mapping[str, AESGCM] = attrs.field(repr=lambda ciphers: str(list(ciphers)))

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys. An id is a keyed hash: it tells keys apart and nothing of them."""
        return tuple(self._ciphers)

    @property
    def beginning(self) -> str:
        """How every value begins that was sealed with the first key, and no other value."""
        return f"{_VERSION}.{self.ids[0]}."

    def seal(self, value: Secret, place: Place) -> str:
        """Seal a value for a place with the first key."""
        nonce = os.urandom(_NONCE_BYTES)
        body = self._ciphers[self.ids[0]].encrypt(
            nonce, value.reveal().encode("utf-8", "surrogatepass"), place.associated_data
        )
        return f"{self.beginning}{base64url(nonce)}.{base64url(body)}"

    def unseal(self, sealed: object, place: Place) -> Secret:
        """Open a sealed value in its place.

        Raises:
            UnknownKeyError: Its key is not in this ring.
            SealError: It is no sealed value, or was not sealed for this place.
        """
        parts = _SEALED.fullmatch(sealed) if isinstance(sealed, str) else None
        if parts is None:
            raise SealError("not a sealed value")
        if parts[1] not in self._ciphers:
            raise UnknownKeyError(parts[1])
        opened = _opened(self._ciphers[parts[1]], parts[2], parts[3], place.associated_data)
        if opened is None:
            raise SealError("edited, or sealed for another place")
        return opened


def key_ring(text: Secret) -> KeyRing | None:
    """The ring of keys in base64, separated by commas or white space; None if that is no such text.

    Standard base64 is read as well as base64url, and padding may be left out.
    """
    keys = [_key(part) for part in re.split(SEPARATORS, text.reveal().strip())]
    good = dict(key for key in keys if key is not None)
    return KeyRing(good) if None not in keys else None


def new_key() -> Secret:
    """A random key as text."""
    return Secret(base64url(os.urandom(_KEY_BYTES)))


def _key(text: str) -> tuple[str, AESGCM] | None:
    raw = _decoded(text.rstrip("="))
    if raw is None or len(raw) != _KEY_BYTES:
        return None
    key_id = hmac.digest(raw, b"base44-connectors vault key id", "sha256")[:_ID_BYTES]
    return base64url(key_id), AESGCM(raw)


def _opened(cipher: AESGCM, nonce: str, body: str, place: bytes) -> Secret | None:
    raw = _decoded(body)
    # The last letter of base64 may hold bits that decode to nothing: those are authenticated here.
    if raw is None or base64url(raw) != body:
        return None
    try:
        opened = cipher.decrypt(base64.urlsafe_b64decode(nonce), raw, place)
        return Secret(opened.decode("utf-8", "surrogatepass"))
    except InvalidTag:
        return None


def _decoded(text: str) -> bytes | None:
    try:
        padded = text.translate(_TO_STANDARD) + "=" * (-len(text) % 4)
        return base64.b64decode(padded, validate=True)
    except ValueError:
        return None

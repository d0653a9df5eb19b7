"""What stands in a cassette in the place of a secret.

A placeholder is a keyed hash: equal secrets stay equal, and two different ones stay different, so a
recording still shows which token was used where. The key is the salt of the file, so that a file
that grows keeps its placeholders. Nobody can try all tokens. Passwords they can, so what is short
gets a key that is written nowhere, and is equal only within one recording.

It is made of letters that need no encoding in a URL, a header, a form or JSON.
"""

import hmac
import re
from hashlib import sha256
from secrets import token_bytes
from typing import Final, final

from transports._secret import Secret

_PREFIX: Final = "SCRUBBED-"
PLACEHOLDER: Final = re.compile(rf"{_PREFIX}(?:[0-9a-f]{{16}})?")
ANY: Final = _PREFIX
"""What all placeholders are alike to who compares requests."""

# Letters that nobody can try all of: 20 of base64 are 120 bits.
_UNGUESSABLE: Final = 20


@final
class Placeholders:
    """Makes the placeholders of one cassette.

    Args:
        salt: The salt of its file.
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = Secret(salt.hex())
        self._unwritten = Secret(token_bytes(16).hex())

    def of(self, secret: Secret) -> str:
        """The placeholder of a secret."""
        raw = secret.reveal().encode("utf-8", "surrogatepass")
        key = self._salt if len(raw) >= _UNGUESSABLE else self._unwritten
        return _PREFIX + hmac.new(bytes.fromhex(key.reveal()), raw, sha256).hexdigest()[:16]


def alike(text: str) -> str:
    """A text in which all placeholders are the same: a test need not have the recorded tokens."""
    return PLACEHOLDER.sub(ANY, text)

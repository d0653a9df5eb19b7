"""The only randomness of the flow: what ties a callback to its consent, and a code to its asker."""

from secrets import token_urlsafe
from typing import Final

from connectors._digests import base64url_digest
from transports import Secret

_BYTES: Final = 32
"""256 bits make 43 characters, the fewest that a verifier may have (RFC 7636, section 4.1)."""


def new_state() -> Secret:
    """A value that comes back with the consent and that nobody can guess."""
    return Secret(token_urlsafe(_BYTES))


def new_verifier() -> Secret:
    """A PKCE verifier (RFC 7636, section 4.1)."""
    return Secret(token_urlsafe(_BYTES))


def code_challenge(verifier: Secret) -> str:
    """What a verifier is announced by: its SHA-256, method S256 (RFC 7636, section 4.2)."""
    return base64url_digest(verifier)

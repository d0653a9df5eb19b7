"""Hashes of secrets: they tell two apart and nothing of either, so they may be stored and sent.

That holds for secrets with more entropy than anybody can try, as tokens, states and verifiers are.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256

from transports import Secret


def hex_digest(secret: Secret) -> str:
    """The SHA-256 in hexadecimal."""
    return sha256(_raw(secret)).hexdigest()


def base64url_digest(secret: Secret) -> str:
    """The SHA-256 in base64url without padding."""
    return base64url(sha256(_raw(secret)).digest())


def base64url(raw: bytes) -> str:
    """Bytes in base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _raw(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")

"""Proof that who shows a code is who asked for it (RFC 7636), with S256 and nothing less."""

import re
from typing import Final

from connectors._digests import base64url_digest
from transports import Secret

_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def is_challenge(text: Secret) -> bool:
    """Can it be a challenge of S256?"""
    return _CHALLENGE.fullmatch(text.reveal()) is not None


def is_verified(challenge: Secret | None, verifier: Secret | None) -> bool:
    """Is a verifier the one that a challenge was made from?

    Where there was no challenge there may be no verifier either: else somebody has taken the
    challenge out of the authorization request (RFC 9700, section 4.8.2).
    """
    if challenge is None or verifier is None:
        return challenge is verifier
    if not _VERIFIER.fullmatch(verifier.reveal()):
        return False
    return Secret(base64url_digest(verifier)) == challenge

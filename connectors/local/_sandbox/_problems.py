"""What a request is refused for, as a value: it is found where tokens lie about, so nothing raises.

A description may go into a URL and on a page. It names parameters, never what they hold, and has
only the characters that RFC 6749, section 4.1.2.1 allows there.
"""

import re
from typing import Final

import attrs

_MINTED: Final = re.compile(r"sandbox-[a-z]+-[A-Za-z0-9_-]*")
_FORBIDDEN: Final = re.compile(r"[^ !#-\[\]-~]")
_LONGEST_NAME: Final = 40


@attrs.frozen
class OAuthProblem:
    """Why a request gets an error for an answer."""

    code: str
    """One of OAuth's error codes, or one of the type's own."""

    description: str
    """For the developer of the client: what is wrong, and what would be right."""

    status: int = 400
    """The status of the answer, where the type does not put errors into a 200."""


def invalid_request(description: str) -> OAuthProblem:
    """The request itself is not as it should be."""
    return OAuthProblem("invalid_request", description)


def invalid_grant(description: str) -> OAuthProblem:
    """The code or the token is not good, or not good any more."""
    return OAuthProblem("invalid_grant", description)


def invalid_client(description: str) -> OAuthProblem:
    """The client is not who it says."""
    return OAuthProblem("invalid_client", description, 401)


def shown(name: str) -> str:
    """A name that somebody sent, fit for a description."""
    return f"'{_FORBIDDEN.sub('?', without_tokens(name)[:_LONGEST_NAME])}'"


def without_tokens(text: str) -> str:
    """A text without anything that was minted here: no answer repeats a token, a code or a key."""
    return _MINTED.sub("[secret]", text)

"""What can go wrong between a person's consent and the tokens, sorted by who has said no.

The words of a provider are in an error only if they are fit to be shown: printable, short, and
without anything that was sent to it.
"""

import re
from typing import Final

from connectors._printable import printable
from connectors._redaction import Redactor

_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LONGEST: Final = 200
# To search more of it for secrets would hold up everybody else, and an honest one is a sentence.
_LONGEST_SEARCHED: Final = 4096


class OAuthError(Exception):
    """Raised when a connection is not made; the base of the two."""

    code: str | None
    """The provider's error code, if it is one that can be shown."""

    description: str | None
    """What the provider says about it, made fit to be shown."""

    def __init__(
        self, problem: str, *, code: str | None = None, description: str | None = None
    ) -> None:
        super().__init__(problem)
        self.code = code
        self.description = description

    def __str__(self) -> str:
        told = ": ".join(filter(None, [self.code, self.description]))
        return f"{self.args[0]} ({told})" if told else str(self.args[0])


class ConsentError(OAuthError):
    """Raised when the way back from the consent brings no code: it was denied, or is forged."""


class TokenError(OAuthError):
    """Raised when the provider gives no tokens for the code. The code is used up: start again."""

    status: int
    """The status of the answer."""

    client_rejected: bool
    """Does the answer blame the client's registration or its secret?"""

    def __init__(
        self,
        problem: str,
        *,
        status: int,
        code: str | None = None,
        description: str | None = None,
        client_rejected: bool,
    ) -> None:
        super().__init__(problem, code=code, description=description)
        self.status = status
        self.client_rejected = client_rejected


def shown_code(value: object, redactor: Redactor) -> str | None:
    """An error code as it came, if it looks like one and not like a secret."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if _CODE.fullmatch(text) and redactor.text(text) == text else None


def shown_description(value: object, redactor: Redactor) -> str | None:
    """The words of a provider without the secrets, on one line, and not too many of them."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_SEARCHED:
        return None
    return printable(redactor.text(value))[:_LONGEST]

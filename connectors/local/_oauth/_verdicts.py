"""What an answer without tokens means, decided by its status and the codes of the catalogue."""

from typing import Final, Literal, TypeAlias

from connectors.catalog import Call, Integration
from connectors.local._oauth._answers import Refused

FailureKind: TypeAlias = Literal[
    "not_sent", "busy", "ambiguous", "unanswered", "refused", "client_rejected", "unknown"
]
"""What a refresh that brought no tokens means.

* `not_sent`: the provider has seen nothing; the tokens are as they were.
* `busy`: it says that it has done nothing, and asks for patience.
* `ambiguous`: it has answered, and may or may not have renewed the tokens before it failed.
* `unanswered`: it may have seen the request, and may still be working on it.
* `refused`: the connection is over; only a new consent helps.
* `client_rejected`: the client's registration or secret is wrong; the connection is as it was.
* `unknown`: it is refused, in words that nobody here knows.
"""

_Verdict: TypeAlias = tuple[FailureKind, str | None]

_UNAUTHORIZED: Final = 401

# The provider says that it has not done it (RFC 6585, section 4; RFC 9110, section 15.6.4).
_BUSY: Final = frozenset({429, 503})

# The server gives up on a request, and does not say how far it came with it.
_UNCLEAR: Final = frozenset({408, 425})


def verdict(integration: Integration, call: Call, refused: Refused) -> _Verdict:
    """The kind of a failure, and the error code that it is to be known by."""
    code = next(iter(refused.codes), None)
    family = refused.status // 100
    if refused.status in _BUSY:
        return "busy", code
    if refused.status in _UNCLEAR or family not in {2, 4}:
        return "ambiguous", code
    known = _known(integration, refused.codes)
    if known is not None:
        return known
    if refused.status == _UNAUTHORIZED and _shows_the_client(call):
        return "client_rejected", code
    return ("unknown" if refused.is_error or family == 4 else "ambiguous"), code  # noqa: PLR2004


def _known(integration: Integration, codes: tuple[str, ...]) -> _Verdict | None:
    """The verdict that the catalogue has for one of the codes."""
    refresh = integration.refresh
    kinds: tuple[tuple[FailureKind, tuple[str, ...]], ...] = (
        ("refused", refresh.terminal_errors),
        ("client_rejected", refresh.client_errors),
        ("ambiguous", refresh.passing_errors),
    )
    verdicts = ((kind, code) for kind, known in kinds for code in codes if code in known)
    return next(verdicts, None)


def _shows_the_client(call: Call) -> bool:
    """Whether a 401 can be about the client at all."""
    templates = (*call.parameters.values(), *call.headers.values())
    return call.basic_auth or any("{client_secret}" in str(template) for template in templates)

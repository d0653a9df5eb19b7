"""Why there is no token to hand out, as an answer: with a code for a program, and the command that
helps for a person.
"""

import math
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from connectors.local._answers import Refusal, not_connected
from connectors.local._places import DEFAULT_APP
from connectors.local._records import Owner
from connectors.local._refresh import (
    ClientMissingError,
    ClientRejectedError,
    ConnectionUnusableError,
    ReconnectRequiredError,
    RefreshPostponedError,
)

_ENDED: Final[Mapping[str, str]] = {
    "invalid_grant": "the provider has ended it",
    "refresh_outcome_lost": "the answer to a refresh was lost, and the provider has ended it since",
    "refresh_token_expired": "its refresh token has expired",
    "consent_required": "the provider asks for the consent again",
    "no_refresh_token": "its token has expired, and there is nothing to renew it with",
    "token_rejected": "its token was refused, and there is nothing to renew it with",
    "client_replaced": "it was granted to an OAuth client that was replaced by another one",
    "config_refused": "its values are not what the type takes, so its token can't be renewed",
}
_ANY_END: Final = "the provider refuses to renew its token"
_STATES: Final[Mapping[str, str]] = {
    "no_refresh_token": "expired",
    "token_rejected": "active",
    "client_replaced": "active",
    "config_refused": "active",
}


@contextmanager
def refusing(owner: Owner) -> Iterator[None]:
    """Turn what is wrong with the connection of an owner into an answer.

    Raises:
        Refusal: There is no token to hand out.
    """
    try:
        yield
    except ConnectionUnusableError as error:
        raise _REFUSALS[type(error)](error, owner) from None


def how_to_connect(integration_type: str, owner: Owner) -> str:
    """The command that connects an owner's account."""
    options = {
        "--connector": None if owner.kind == "app" else owner.name,
        "--user": owner.user,
        "--app-id": None if owner.app_id == DEFAULT_APP else owner.app_id,
    }
    given = [word for pair in options.items() if pair[1] is not None for word in pair]
    return shlex.join(["connectors", "connect", integration_type, *map(str, given)])


def how_to_configure(integration_type: str, *options: str) -> str:
    """The command that tells the vault the OAuth client of a type."""
    return shlex.join(["connectors", "configure", integration_type, *options])


def _reconnect(error: ReconnectRequiredError, owner: Owner) -> Refusal:
    if error.reason == "disconnected":
        return not_connected()
    name = error.integration_type
    return Refusal(
        409,
        f"The connection to {name} can't be used: {_ENDED.get(error.reason, _ANY_END)}; "
        f"run: {how_to_connect(name, owner)}",
        code="RECONNECT_REQUIRED",
        more={"reason": error.reason, "state": _STATES.get(error.reason, "refresh_failed")},
    )


def _postponed(error: RefreshPostponedError, _: Owner) -> Refusal:
    seconds = max(1, math.ceil(error.retry_after))
    return Refusal(
        503,
        f"The token of {error.integration_type} can't be renewed now: {error.problem}; "
        f"try again in {seconds} s",
        code="REFRESH_POSTPONED",
        headers={"retry-after": str(seconds)},
    )


def _client_missing(error: ClientMissingError, _: Owner) -> Refusal:
    name = error.integration_type
    return Refusal(
        409,
        f"The vault has no OAuth client for {name}; run: {how_to_configure(name)}",
        code="OAUTH_CLIENT_MISSING",
    )


def _client_rejected(error: ClientRejectedError, _: Owner) -> Refusal:
    name = error.integration_type
    return Refusal(
        409,
        f"{name} refuses the OAuth client of the vault, its id or its secret is wrong; "
        f"run: {how_to_configure(name)}",
        code="OAUTH_CLIENT_REJECTED",
    )


_REFUSALS: Final[Mapping[type[ConnectionUnusableError], Callable[[Any, Owner], Refusal]]] = {
    ReconnectRequiredError: _reconnect,
    RefreshPostponedError: _postponed,
    ClientMissingError: _client_missing,
    ClientRejectedError: _client_rejected,
}

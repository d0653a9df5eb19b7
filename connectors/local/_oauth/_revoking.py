"""Ends tokens at the provider (RFC 7009, and what providers have instead)."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from connectors.catalog import Call, Integration, placeholders
from connectors.local._oauth._answers import refusal
from connectors.local._oauth._client import OAuthClient
from connectors.local._oauth._templates import request_of
from connectors.local._oauth._values import Values, flow_values
from connectors.local._oauth._verdicts import verdict
from transports import Request, Response, Secret, TransportError

RevocationOutcome: TypeAlias = Literal["revoked", "refused", "later"]
"""What came of a revocation.

* `revoked`: the token is of no use any more, now or since before.
* `refused`: the provider won't, and asking again would not change that.
* `later`: it has not happened, or nobody knows; asking again does no harm.
"""

_TOKENS: Final = frozenset({"token", "access_token", "refresh_token"})
_OK: Final = 2  # The family of successes.


def revocation_request(
    integration: Integration,
    client: OAuthClient,
    *,
    access_token: Secret | None,
    refresh_token: Secret | None,
    config: Mapping[str, str],
    allow_local_hosts: bool = False,
) -> Request | None:
    """The request that ends a grant, or None if there is no way to ask for that.

    Args:
        integration: The type of the connection.
        client: The registration that the tokens were granted to.
        access_token: The token, if there is one.
        refresh_token: The refresh token, if there is one: it is the one to be ended then.
        config: The connection's config, with the values that were captured.
        allow_local_hosts: As for `connectors.catalog.check_config`.

    Raises:
        ValueError: The config or a token is refused. No value is shown.
        TypeError: The config is no mapping of strings.
    """
    values = flow_values(
        integration,
        client,
        config,
        allow_local_hosts=allow_local_hosts,
        access_token=access_token,
        refresh_token=refresh_token,
        token=refresh_token or access_token,
    )
    del config
    if isinstance(values, Exception):
        raise values
    call = integration.revocation
    if call is None or not _has_token(call, values):
        return None
    request = request_of(call, values)
    if isinstance(request, ValueError):
        raise request
    return request


def revocation_result(
    integration: Integration, result: Response | TransportError
) -> RevocationOutcome:
    """Say what came of a revocation, whatever it is."""
    call = integration.revocation
    if isinstance(result, TransportError) or call is None:
        return "later"
    refused = refusal(call, result)
    if refused.status // 100 == _OK and not refused.is_error:
        return "revoked"
    kind, _ = verdict(integration, call, refused)
    return _OUTCOMES.get(kind, "refused")


_OUTCOMES: Final[Mapping[str, RevocationOutcome]] = {
    # It knows no such token any more.
    "refused": "revoked",
    "busy": "later",
    "ambiguous": "later",
}


def _has_token(call: Call, values: Values) -> bool:
    templates = (*call.parameters.values(), *call.headers.values())
    used = frozenset().union(*(placeholders(str(template)) for template in templates))
    return not _TOKENS.isdisjoint(used & values.keys())

"""Renews an access token, and says of whatever comes back what it means for the old tokens.

The question is always the same: has the provider taken the token that was sent, and is it still
good? A connection must not be lost to an outage, and must not be asked for again and again when it
is lost. So every failure has a kind, and the refresh protocol decides by the kind alone.
"""

from collections.abc import Collection, Mapping
from typing import Final

import attrs

from connectors._retry import retry_after
from connectors.catalog import Integration
from connectors.local._oauth._answers import Tokens, read_answer
from connectors.local._oauth._chains import uses_refresh_token
from connectors.local._oauth._client import OAuthClient
from connectors.local._oauth._templates import request_of
from connectors.local._oauth._values import flow_values
from connectors.local._oauth._verdicts import FailureKind, verdict
from transports import Request, Response, Secret, TransportError

_GATEWAY_TIMEOUT: Final = 504


@attrs.frozen(kw_only=True)
class RefreshFailure:
    """A refresh that brought no tokens."""

    kind: FailureKind
    """What it means for the tokens from before."""

    code: str | None = None
    """The provider's error code, if it is one that can be shown."""

    status: int | None = None
    """The status of the answer, if there was one."""

    retry_after: float | None = None
    """Seconds that the provider asks to wait."""

    quarantine: bool = False
    """May the provider still be working on it? Then nobody sends the token again for a while."""


def refresh_request(
    integration: Integration,
    client: OAuthClient,
    *,
    access_token: Secret,
    refresh_token: Secret | None,
    config: Mapping[str, str],
    redirect_uri: str | None = None,
    allow_local_hosts: bool = False,
) -> Request:
    """The request that renews an access token.

    Args:
        integration: The type of the connection.
        client: The registration that the tokens were granted to.
        access_token: The token to be renewed.
        refresh_token: What it is renewed with, where the type has one.
        config: The connection's config, with the values that were captured.
        redirect_uri: The one that the consent came back to, for types that ask for it again.
        allow_local_hosts: As for `connectors.catalog.check_config`.

    Raises:
        ValueError: The type's tokens can't be renewed, or not without a refresh token; or the
            config or a token is refused. No value is shown.
        TypeError: The config is no mapping of strings.
    """
    values = flow_values(
        integration,
        client,
        config,
        allow_local_hosts=allow_local_hosts,
        access_token=access_token,
        refresh_token=refresh_token,
        redirect_uri=None if redirect_uri is None else Secret(redirect_uri),
    )
    del config
    if isinstance(values, Exception):
        raise values
    name, step = integration.integration_type, integration.refresh.call
    if step is None:
        raise ValueError(f"{name}: the provider renews no tokens; connect it again")
    if uses_refresh_token(integration) and refresh_token is None:
        raise ValueError(f"{name}: there is no refresh token to renew it with; connect it again")
    request = request_of(step.call, values)
    if isinstance(request, ValueError):
        raise request
    return request


def refresh_result(
    integration: Integration,
    result: Response | TransportError,
    *,
    sent_at: float,
    secrets: Collection[Secret] = (),
    allow_local_hosts: bool = False,
) -> Tokens | RefreshFailure:
    """Say what came of a refresh: whatever it is, it is the one or the other.

    Args:
        integration: The type of the connection.
        result: The answer, or the failure of the transport.
        sent_at: When the request was sent, in Unix time.
        secrets: What was sent: an error code or a scope that repeats it is left out.
        allow_local_hosts: As for `connectors.catalog.check_config`.
    """
    if isinstance(result, TransportError):
        sent = result.maybe_sent
        return RefreshFailure(kind="unanswered" if sent else "not_sent", quarantine=sent)
    step = integration.refresh.call
    if step is None:
        return RefreshFailure(kind="unknown", status=result.status)
    outcome = read_answer(
        integration,
        step,
        result,
        sent_at=sent_at,
        renewal=True,
        allow_local_hosts=allow_local_hosts,
        secrets=secrets,
    )
    if isinstance(outcome, Tokens):
        return outcome
    kind, code = verdict(integration, step.call, outcome)
    return RefreshFailure(
        kind=kind,
        code=code,
        status=result.status,
        retry_after=retry_after(result.headers, sent_at),
        quarantine=result.status == _GATEWAY_TIMEOUT,
    )

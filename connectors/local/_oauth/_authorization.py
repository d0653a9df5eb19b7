"""The address of the page where a person gives consent."""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from connectors.catalog import Integration
from connectors.local._oauth._client import OAuthClient
from connectors.local._oauth._templates import filled, filled_url, quoted, with_query
from connectors.local._oauth._unguessable import code_challenge
from connectors.local._oauth._values import Values, flow_values
from connectors.local._redirects import redirect_problem
from transports import Secret

_SCOPE: Final = re.compile(r"[!#-\[\]-~]+")  # RFC 6749, section 3.3.


def authorization_url(
    integration: Integration,
    client: OAuthClient,
    *,
    config: Mapping[str, str],
    redirect_uri: str,
    state: Secret,
    verifier: Secret,
    scopes: Sequence[str],
    allow_local_hosts: bool = False,
) -> Secret:
    """Say where a person gives consent. It has the state, so it is nobody else's business.

    Args:
        integration: The type to be connected.
        client: The registration that asks.
        config: The values of the type's `connection_config` that are known before the consent.
        redirect_uri: Where the person is sent back to, exactly as it is registered.
        state: What the callback has to bring back.
        verifier: What the code is exchanged with. A type that knows no PKCE gets nothing of it.
        scopes: What is asked for besides the scopes that the type always needs.
        allow_local_hosts: As for `connectors.catalog.check_config`.

    Raises:
        ValueError: The config, the redirect URI or a scope is refused.
        TypeError: The config is no mapping of strings.
    """
    values = flow_values(
        integration,
        client,
        config,
        allow_local_hosts=allow_local_hosts,
        redirect_uri=Secret(redirect_uri),
        state=state,
        code_verifier=verifier,
        code_challenge=Secret(code_challenge(verifier)),
    )
    del config
    error = (
        values
        if isinstance(values, Exception)
        else _redirect_error(redirect_uri) or scopes_error(integration, scopes)
    )
    if error is not None:
        raise error
    assert not isinstance(values, Exception)
    url = filled_url(integration.authorization.url, values)
    if isinstance(url, ValueError):
        raise url
    return with_query(url, _query(integration, values, scopes))


def _redirect_error(redirect_uri: str) -> ValueError | None:
    problem = redirect_problem(redirect_uri)
    return None if problem is None else ValueError(f"redirect_uri is refused: {problem}")


def scopes_error(integration: Integration, scopes: Sequence[str]) -> Exception | None:
    """Say what keeps scopes from being asked for, or None."""
    name = integration.integration_type
    if isinstance(scopes, str):
        return TypeError(f"{name}: scopes are several strings, not one")
    if scopes and not _takes_scopes(integration):
        return ValueError(f"{name} takes no scopes: leave them out, its app's settings say it all")
    bad = next((scope for scope in scopes if not _SCOPE.fullmatch(scope)), None)
    if bad is not None:
        return ValueError(f"{name}: {bad!r:.80} is no scope: write each as its provider does")
    return None


def _takes_scopes(integration: Integration) -> bool:
    return _SCOPES in integration.authorization.parameters.values()


_SCOPES: Final = "{scope}"


def _query(integration: Integration, values: Values, scopes: Sequence[str]) -> Secret:
    asked = tuple(dict.fromkeys((*integration.scopes.required, *scopes)))
    pairs = []
    for name, template in integration.authorization.parameters.items():
        if template == _SCOPES:
            value = _joined(asked, integration.scopes.separator) if asked else None
        else:
            found = filled(template, values)
            value = None if found is None else quoted(found.reveal())
        if value is not None:
            pairs.append(f"{quoted(name)}={value}")
    return Secret("&".join(pairs))


def _joined(scopes: Sequence[str], separator: str) -> str:
    # A space can't stand in a URL; every other separator must not become an escape.
    return quote(separator, safe=",+").join(map(quoted, scopes))

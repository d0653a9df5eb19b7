"""What belongs together when tokens are renewed."""

import json
from collections.abc import Mapping
from hashlib import sha256

from connectors.catalog import Integration


def uses_refresh_token(integration: Integration) -> bool:
    """Whether a token of this type is renewed with a refresh token, if at all."""
    step = integration.refresh.call
    return step is not None and "{refresh_token}" in step.call.parameters.values()


def is_renewable(integration: Integration, *, has_refresh_token: bool) -> bool:
    """Whether a token of this type can be renewed without a person."""
    renewal = integration.refresh.call is not None
    return renewal and (has_refresh_token or not uses_refresh_token(integration))


def lock_key(
    integration: Integration, client_id: str, connection_id: str, config: Mapping[str, str]
) -> str:
    """The name of a chain of refresh tokens: only one of a name may be renewed at a time.

    Normally a connection has a chain of its own. Where the catalogue says so (`lock_on`), one
    client's connections with the same captured values share it. The key is a digest and tells
    nothing of what it is made of.
    """
    shared = [config.get(name) for name in integration.refresh.lock_on]
    chain = (
        [integration.integration_type, client_id, *shared]
        if shared and all(shared)
        else [connection_id]
    )
    return sha256(json.dumps(chain).encode()).hexdigest()

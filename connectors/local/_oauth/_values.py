"""The values that fill in the templates of the catalogue, checked before any of them is used.

What is wrong is returned, never raised from here: the values are plain while they are checked.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from connectors.catalog import Integration, check_config
from connectors.local._oauth._client import OAuthClient
from transports import Secret

Values: TypeAlias = Mapping[str, Secret]
"""By the names of the placeholders; what has no value is not there."""

# What RFC 6749 allows in codes and tokens (appendix A): no line break gets into a header. A space
# at an end would be lost there.
_SENDABLE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def only_names(values: Mapping[str, str]) -> str:
    """How values that may be secrets show themselves in a repr."""
    return f"<{', '.join(values)}>"


def is_sendable(value: Secret) -> bool:
    """Whether a code or token arrives as it is, wherever it is put."""
    return _SENDABLE.fullmatch(value.reveal()) is not None


def config_values(
    integration: Integration, config: Mapping[str, str], *, allow_local_hosts: bool
) -> Values | ValueError | TypeError:
    """The values of a config and its defaults, or what is wrong with them.

    A config is checked for each request again, because it decides where the client's secret goes.
    """
    try:
        checked = check_config(integration, config, allow_local_hosts=allow_local_hosts)
    except (ValueError, TypeError) as error:
        return error.with_traceback(None)
    return {name: Secret(value) for name, value in checked.items()}


def flow_values(
    integration: Integration,
    client: OAuthClient,
    config: Mapping[str, str],
    *,
    allow_local_hosts: bool,
    **of_the_flow: Secret | None,
) -> Values | ValueError | TypeError:
    """All values of a call, or what is wrong with one of them."""
    configured = config_values(integration, config, allow_local_hosts=allow_local_hosts)
    if isinstance(configured, Exception):
        return configured
    flow = {name: value for name, value in of_the_flow.items() if value is not None}
    unsendable = next((name for name, value in flow.items() if not is_sendable(value)), None)
    if unsendable is not None:
        return ValueError(
            f"{integration.integration_type}: the {unsendable} is empty or has a character that "
            "can't be sent"
        )
    return {**configured, **_registration(client), **flow}


def _registration(client: OAuthClient) -> Values:
    secret = client.client_secret
    named = {"client_id": Secret(client.client_id)}
    return named if secret is None else {**named, "client_secret": secret}

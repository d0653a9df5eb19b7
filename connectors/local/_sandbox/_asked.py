"""A request on its way to the part of the sandbox that answers it."""

import attrs

from connectors.catalog import Integration
from transports import Request


@attrs.frozen
class Asked:
    """A request that has found its endpoint."""

    integration: Integration
    """The type, as it is in the sandbox."""

    request: Request
    """The request."""

    origin: str
    """Where it came to."""

    path: tuple[str, ...] = attrs.field(repr=False)
    """The segments after the endpoint's own."""

    query: str = attrs.field(repr=False)
    """The query as it was sent."""


def client_id(integration_type: str) -> str:
    """The id of the one client that a type has in every sandbox."""
    return f"sandbox-{integration_type}"

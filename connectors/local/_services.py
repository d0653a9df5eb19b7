"""What the routes of the backend work with."""

from collections.abc import Callable, Mapping

import attrs

from connectors.catalog import Integration
from connectors.local._connecting import Consents
from connectors.local._forwarding import Forwarder
from connectors.local._providers import Providers
from connectors.local._refresh import TokenKeeper
from connectors.local._vault import Vault


@attrs.frozen(eq=False)
class Services:
    """The parts of a backend."""

    vault: Vault
    """Where connections are kept."""

    catalog: Mapping[str, Integration]
    """The integration types."""

    clock: Callable[[], float]
    """The wall clock, in Unix seconds."""

    providers: Providers
    """The way to the providers."""

    keeper: TokenKeeper
    """Hands out good tokens."""

    consents: Consents
    """Connects accounts."""

    forwarder: Forwarder
    """Calls the APIs of providers."""

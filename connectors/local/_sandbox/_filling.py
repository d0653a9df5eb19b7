"""Fills a vault from the sandbox: each type's client, and an account of each type.

The clients and the grants of a sandbox end with its process, so this is done at each start. A
connection that the vault has already keeps its id. The consents are given in this process, by the
same steps as a person's: nothing is put into the vault that a flow did not bring.
"""

from collections.abc import Callable, Mapping
from typing import Final

from connectors.catalog import Integration
from connectors.local._connecting import Consents
from connectors.local._oauth_records import OAuthApp
from connectors.local._records import Owner
from connectors.local._sandbox._provider import SandboxProvider
from connectors.local._sandbox._serving import SandboxTransport
from connectors.local._vault import Vault
from transports import Secret

_NOWHERE: Final = "http://127.0.0.1/oauth/callback"


async def register_clients(
    vault: Vault, provider: SandboxProvider, types: Mapping[str, Integration]
) -> None:
    """Give the vault the sandbox's client of each type.

    Raises:
        VaultError: The vault can't be used.
    """
    for name in types:
        await vault.apps.configure(OAuthApp(name, provider.client(name)))


async def connect_accounts(
    vault: Vault,
    provider: SandboxProvider,
    types: Mapping[str, Integration],
    app_id: str,
    step: Callable[[], None],
) -> None:
    """Connect an account of each type for an app, as if somebody had consented in a browser.

    Args:
        vault: Where the connections go; it has the clients already.
        provider: The sandbox.
        types: The types, as they are in the sandbox.
        app_id: The app.
        step: Called when one more is connected.

    Raises:
        VaultError: The vault can't be used.
    """
    transport = SandboxTransport(provider)
    consents = Consents(
        vault, transport, catalog=types, redirect_uri=_NOWHERE, allow_local_hosts=True
    )
    try:
        for name, integration in types.items():
            begun = await consents.begin(
                Owner.app(app_id, name),
                name,
                scopes=integration.scopes.examples,
                config=example_config(integration),
            )
            came_back = provider.approve(begun.url)
            await consents.complete(Secret(came_back.reveal().partition("?")[2]))
            step()
    finally:
        await transport.aclose()


def example_config(integration: Integration) -> dict[str, str]:
    """A value for each that a person would have to give."""
    return {
        field.name: field.placeholder
        for field in integration.connection_config
        if field.required and not field.automated and field.default is None
    }

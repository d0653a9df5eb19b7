"""What a workspace does with an app's connectors: see what there is, connect, disconnect."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import attrs

from connectors._models import Authorization, AvailableIntegration, ConnectionStatus, Connector
from connectors._view import View

if TYPE_CHECKING:
    from connectors.catalog import IntegrationType


@attrs.frozen
class _Available:
    integrations: tuple[AvailableIntegration, ...]


@attrs.frozen
class _Listed:
    integrations: tuple[Connector, ...]


@attrs.frozen
class _Status:
    status: ConnectionStatus


@final
class Management:
    """The connectors of an app, with the workspace's API key or a user's token.

    Every method raises `ConnectorsError` when it fails (`MissingCredentialsError` without either
    credential), `TypeError` or `ValueError` before anything is sent when an argument can't be
    right. Cancelled, a method ends at once.
    """

    def __init__(self, view: View) -> None:
        self._view = view

    async def available_integrations(self) -> tuple[AvailableIntegration, ...]:
        """The types of integration that the app can be connected to."""
        request = self._view.requests.available_integrations()
        return (await self._view.fetch(request, _Available)).integrations

    async def list_connectors(self) -> tuple[Connector, ...]:
        """What the app is or was connected to."""
        request = self._view.requests.list_connectors()
        return (await self._view.fetch(request, _Listed)).integrations

    async def authorize(
        self, integration_type: "IntegrationType | str", *, scopes: Sequence[str] = ()
    ) -> Authorization:
        """Begin to connect an integration; the scopes replace those it had.

        Send a person to the answer's `redirect_url`, then ask `status` until it is not `PENDING`.
        An account that somebody else has connected is no exception, but the answer's `error`.
        """
        if isinstance(scopes, str) or not all(isinstance(scope, str) for scope in scopes):
            raise TypeError("scopes must be a list of str.")
        request = self._view.requests.authorize(integration_type, scopes)
        return await self._view.fetch(request, Authorization)

    async def status(
        self, integration_type: "IntegrationType | str", *, connection_id: str | None = None
    ) -> ConnectionStatus:
        """How far connecting has come: `PENDING`, then `ACTIVE` or `FAILED`."""
        request = self._view.requests.status(integration_type, connection_id)
        return (await self._view.fetch(request, _Status)).status

    async def remove(self, integration_type: "IntegrationType | str") -> None:
        """Disconnect an integration from the app."""
        await self._view.send(self._view.requests.remove(integration_type))

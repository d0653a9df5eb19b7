"""What an app does for one of its users: connect that user's own account, and forget it."""

from typing import final

import attrs

from connectors._view import View


@attrs.frozen
class _Initiated:
    redirect_url: str


@final
class AppUserConnectors:
    """The current app user's own connections, with that user's token.

    Every method raises `ConnectorsError` when it fails, `TypeError` or `ValueError` before anything
    is sent when an argument can't be right. Nothing here is shared between calls.
    """

    def __init__(self, view: View) -> None:
        self._view = view

    async def connect_app_user(self, connector_id: str) -> str:
        """Begin to connect the current user's account.

        Returns:
            The address of the consent page, to send the user to. It is good for one use.

        Cancelled, it ends at once; a consent that the service has begun by then expires unused.
        """
        request = self._view.requests.connect_app_user(connector_id)
        return (await self._view.fetch(request, _Initiated)).redirect_url

    async def disconnect_app_user(self, connector_id: str) -> None:
        """Forget the current user's account.

        Cancelled, it ends at once, and whether the service has done it is then not known.
        """
        await self._view.send(self._view.requests.disconnect_app_user(connector_id))

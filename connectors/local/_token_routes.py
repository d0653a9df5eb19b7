"""Routes that an app calls: hand out a token, and what an app does for one of its users."""

from typing import Final

from connectors.local._answers import (
    answer,
    connection_answer,
    not_connected,
    not_supported,
    unauthorized,
)
from connectors.local._records import Owner
from connectors.local._routing import Access, Route, RoutedRequest
from transports import Response

_SERVICE: Final = Access(
    frozenset({"service"}), "This endpoint is only accessible to service tokens"
)
_USER: Final = Access(frozenset({"user"}), "This endpoint is only accessible to user tokens")


async def _app_connection(request: RoutedRequest) -> Response:
    return await _handed_out(request, Owner.app(request.app_id, request.name))


async def _workspace_connection(request: RoutedRequest) -> Response:
    return await _handed_out(request, Owner.workspace(request.app_id, request.name))


async def _app_user_connection(request: RoutedRequest) -> Response:
    return await _handed_out(request, _users_own(request))


async def _handed_out(request: RoutedRequest, owner: Owner) -> Response:
    connection = await request.vault.get(owner)
    if connection is None or connection.state != "active":
        raise not_connected()
    return connection_answer(connection)


async def _disconnect_app_user(request: RoutedRequest) -> Response:
    # Whoever wants it gone has what they wanted, also when it was not there.
    await request.vault.disconnect(_users_own(request))
    return answer({"status": "disconnected"})


async def _connect_app_user(request: RoutedRequest) -> Response:
    raise not_supported(
        f"The local backend can't ask a user for consent to {request.name!r}; put a token of that "
        "user's account into its vault"
    )


async def _call(request: RoutedRequest) -> Response:
    if await request.vault.get(Owner.app(request.app_id, request.name)) is None:
        raise not_connected()
    # The envelope with 'not_sent' would be a result of the call, and this is none: the service
    # itself refuses, which by the protocol is an error. 501 is one that no client repeats.
    raise not_supported(
        f"The local backend does not call {request.name!r} itself; get the connection, and call "
        "the provider with its token"
    )


def _users_own(request: RoutedRequest) -> Owner:
    user = request.principal.user
    if user is None:
        raise unauthorized()
    return Owner.app_user(request.app_id, request.name, user)


TOKEN_ROUTES: Final = (
    Route("GET", "external-auth/tokens/*", _SERVICE, _app_connection),
    Route("GET", "external-auth/tokens/connectors/*", _SERVICE, _workspace_connection),
    Route("GET", "app-user-auth/connectors/*/token", _SERVICE, _app_user_connection),
    Route("DELETE", "app-user-auth/connectors/*", _USER, _disconnect_app_user),
    Route("POST", "app-user-auth/connectors/*/initiate", _USER, _connect_app_user),
    Route("POST", "connectors/*/call", _SERVICE, _call),
)
"""The routes of the service role and of the user scope."""

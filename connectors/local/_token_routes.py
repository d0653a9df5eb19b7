"""Routes that an app calls: hand out a token, call a provider, and what it does for its users."""

import re
from collections.abc import Mapping
from typing import Final

from connectors.local._answers import (
    Refusal,
    answer,
    connection_answer,
    not_connected,
    not_supported,
    unauthorized,
)
from connectors.local._beginnings import begin, type_of
from connectors.local._calls import read_call
from connectors.local._fields import ConnectionConfig
from connectors.local._records import Owner, StoredConnection
from connectors.local._routing import Access, Route, RoutedRequest
from connectors.local._services import Services
from connectors.local._statuses import status
from connectors.local._unusable import refusing
from transports import Headers, Response

_SERVICE: Final = Access(
    frozenset({"service"}), "This endpoint is only accessible to service tokens"
)
_USER: Final = Access(frozenset({"user"}), "This endpoint is only accessible to user tokens")
_REJECTED: Final = "base44-rejected-token"
_DIGEST: Final = re.compile(r"sha256=[A-Za-z0-9_-]{43}")


async def _app_connection(request: RoutedRequest) -> Response:
    return await _handed_out(request, Owner.app(request.app_id, request.name))


async def _workspace_connection(request: RoutedRequest) -> Response:
    return await _handed_out(request, Owner.workspace(request.app_id, request.name))


async def _app_user_connection(request: RoutedRequest) -> Response:
    return await _handed_out(request, _users_own(request))


async def _handed_out(request: RoutedRequest, owner: Owner) -> Response:
    services = request.services
    with refusing(owner):
        connection = await services.keeper.connection(owner, rejected=_rejected(request.headers))
    if connection is None:
        raise not_connected()
    return connection_answer(connection, _config_of(connection, services))


def _rejected(headers: Headers) -> str | None:
    """The digest of the token that a service has refused."""
    given = headers.get_all(_REJECTED)
    if len(given) > 1 or not all(map(_DIGEST.fullmatch, given)):
        raise Refusal(
            400,
            "The header 'base44-rejected-token' must be there once and be 'sha256=' and the "
            "SHA-256 of the token in base64url without padding",
        )
    return given[0] if given else None


def _config_of(connection: StoredConnection, services: Services) -> Mapping[str, str] | None:
    """What an app needs besides the token; not what is only kept for the refresh."""
    integration = services.catalog.get(connection.integration_type)
    config = connection.connection_config
    if integration is None or config is None or connection.source == "manual":
        return config
    declared = {field.name for field in integration.connection_config}
    return ConnectionConfig({name: config[name] for name in config if name in declared}) or None


async def _disconnect_app_user(request: RoutedRequest) -> Response:
    # Whoever wants it gone has what they wanted, also when it was not there.
    await request.services.keeper.disconnect(_users_own(request))
    return answer({"status": "disconnected"})


async def _connect_app_user(request: RoutedRequest) -> Response:
    services, owner = request.services, _users_own(request)
    known = await services.vault.get(owner)
    begun = await begin(services, owner, await type_of(services, owner))
    good = known is not None and status(known, services.catalog, services.clock()) == "active"
    return answer(
        {
            "redirect_url": begun.url.reveal(),
            "connection_id": begun.connection_id,
            "already_authorized": good,
        }
    )


async def _call(request: RoutedRequest) -> Response:
    services = request.services
    owner = Owner.app(request.app_id, request.name)
    connection = await services.vault.get(owner)
    if connection is None:
        raise not_connected()
    integration = services.catalog.get(connection.integration_type)
    if integration is None:
        # The envelope with 'not_sent' would be a result of the call, and this is none: the service
        # itself refuses, which by the protocol is an error. 501 is one that no client repeats.
        raise not_supported(
            f"The local backend does not know where the API of {request.name!r} is; get the "
            "connection, and call the provider with its token"
        )
    with refusing(owner):
        return await services.forwarder.forward(read_call(request.body), integration, connection)


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

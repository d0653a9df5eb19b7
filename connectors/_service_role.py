"""What an app's backend may do: read connections, and have calls made on its behalf."""

import warnings
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Final, final, get_args

import attrs

from connectors._models import ApiResponse, CallMethod, Connection, QueryScalar
from connectors._requests import Requests
from connectors._view import View
from transports import Headers

if TYPE_CHECKING:
    from connectors.catalog import IntegrationType

_METHODS: Final = get_args(CallMethod)


@final
class ServiceRoleConnectors:
    """The connectors of an app, with its service token.

    Every method raises `ConnectorsError` when it fails, `TypeError` or `ValueError` before anything
    is sent when an argument can't be right. Cancelled, a method ends at once.
    """

    def __init__(self, view: View) -> None:
        self._view = view

    async def get_connection(
        self,
        integration_type: "IntegrationType | str",
        *,
        max_age: float | None = None,
        rejected: Connection | None = None,
    ) -> Connection:
        """The access token of the account that is connected for the whole app.

        Calls for the same integration that run at the same time share one request. Cancelling one
        of them touches no other.

        Args:
            integration_type: For example `slack`; any string that the service knows.
            max_age: Accept a connection that was fetched within the last `max_age` seconds.
            rejected: A connection that this client handed out and an external service refused;
                the answer is one that was fetched since, by whoever was refused first. The service
                is told which token it was by its SHA-256, in `Base44-Rejected-Token`. So only those
                who were refused the same one share a request, and none joins one that began before.

        Raises:
            NotConnectedError: The integration is not connected.
            MeteredConnectorError: The service keeps this token: use `call_api`.
            ConnectorsError: Another failure, each with its own class.
        """
        return await self._view.connection(
            Requests.app_connection, integration_type, max_age=max_age, rejected=rejected
        )

    async def get_workspace_connection(
        self,
        connector_id: str,
        *,
        max_age: float | None = None,
        rejected: Connection | None = None,
    ) -> Connection:
        """The access token of a connector of the workspace, by its id.

        Shares requests, takes `max_age` and `rejected`, and raises as `get_connection` does.
        """
        return await self._view.connection(
            Requests.workspace_connection, connector_id, max_age=max_age, rejected=rejected
        )

    async def get_current_app_user_connection(
        self,
        connector_id: str,
        *,
        max_age: float | None = None,
        rejected: Connection | None = None,
    ) -> Connection:
        """The access token of the account that the current user has connected.

        Shares requests, but only those of the same user; takes `max_age` and `rejected`, and raises
        as `get_connection` does.

        Raises:
            MissingCredentialsError: The client has no user token.
        """
        return await self._view.connection(
            Requests.app_user_connection, connector_id, max_age=max_age, rejected=rejected
        )

    async def call_api(
        self,
        integration_type: "IntegrationType | str",
        *,
        path: str,
        method: CallMethod = "GET",
        host: str | None = None,
        query: Mapping[str, QueryScalar | Sequence[QueryScalar]] | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
    ) -> ApiResponse:
        """Have the service call the provider's API with a token that it keeps to itself.

        What the provider answers, errors included, is a result; only a refusal by the service is
        an error. The call is sent again only when the service has certainly not seen it.

        Args:
            integration_type: For example `slack`.
            path: The path of the provider's API, percent-encoded where it has to be and without a
                query. The local backend takes it with or without the path that all of the API has
                in common: `/chat.postMessage` and `/api/chat.postMessage` are the same for `slack`.
                With a `host` it is the whole path.
            method: One of GET, POST, PUT, PATCH, DELETE and HEAD.
            host: One of the hosts that the connector declares; None is its default.
            query: Values of the query; a list comes as the same name several times.
            headers: Headers for the provider; those that the connector does not allow are dropped.
            body: Anything made of JSON values. The local backend sends a string as it is, an
                object as a form if the headers say so, and everything else as JSON.

        Raises:
            ConnectorsError: The service refused or did not answer.

        Cancelled, it ends at once, and whether the provider has executed the call is not known.
        """
        _check_call(path, method, host)
        call: dict[str, object] = {
            "method": method,
            "path": path,
            "query": _checked_query(query or {}),
            "headers": _checked_headers(headers or {}),
            "body": body,
        }
        if host is not None:
            call["host"] = host
        request = self._view.requests.call_api(integration_type, call)
        return await self._view.fetch(request, ApiResponse)

    # No coroutine functions: those would warn when an event loop runs them, and name its file.

    def get_access_token(
        self, integration_type: "IntegrationType | str"
    ) -> Coroutine[object, object, str]:
        """Deprecated: the `access_token` of `get_connection`."""
        _warn_deprecated("get_access_token", "get_connection")
        return _token_of(self.get_connection, integration_type)

    def get_current_app_user_access_token(
        self, connector_id: str
    ) -> Coroutine[object, object, str]:
        """Deprecated: the `access_token` of `get_current_app_user_connection`."""
        _warn_deprecated("get_current_app_user_access_token", "get_current_app_user_connection")
        return _token_of(self.get_current_app_user_connection, connector_id)


@attrs.frozen(eq=False)
class ServiceRole:
    """What a client may do with its service token."""

    connectors: ServiceRoleConnectors
    """The connectors of the app."""


def _warn_deprecated(old: str, new: str) -> None:
    warnings.warn(
        f"{old}() is deprecated, use {new}() and its access_token instead.",
        DeprecationWarning,
        stacklevel=3,
    )


async def _token_of(get: Callable[[str], Awaitable[Connection]], identifier: str) -> str:
    return (await get(identifier)).access_token


def _check_call(path: object, method: object, host: object) -> None:
    if not isinstance(path, str):
        raise TypeError(f"path must be a str, not {type(path).__name__}.")
    if not path:
        raise ValueError("path must not be empty.")
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, not {method!r}.")
    if host is not None and not isinstance(host, str):
        raise TypeError(f"host must be a str or None, not {type(host).__name__}.")
    if host is not None and not host.isprintable():
        raise ValueError("host holds a control character.")


def _checked_query(
    query: Mapping[str, QueryScalar | Sequence[QueryScalar]],
) -> dict[str, QueryScalar | list[QueryScalar]]:
    return {_checked_name(name, "query"): _checked_value(name, query[name]) for name in query}


def _checked_value(
    name: str, value: QueryScalar | Sequence[QueryScalar]
) -> QueryScalar | list[QueryScalar]:
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, Sequence) and all(isinstance(item, str | int | float) for item in value):
        return list(value)
    raise TypeError(
        f"query[{name!r}] must be a str, a number, a bool or a list of those, "
        f"not {type(value).__name__}."
    )


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    checked = {_checked_name(name, "headers"): value for name, value in headers.items()}
    for name, value in checked.items():
        if not isinstance(value, str):
            raise TypeError(f"headers[{name!r}] must be a str, not {type(value).__name__}.")
    Headers(checked)  # It refuses what no header can be, a line break above all.
    return checked


def _checked_name(name: object, of: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"The names of {of} must be str, not {type(name).__name__}.")
    return name

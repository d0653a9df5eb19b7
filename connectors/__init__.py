"""OAuth tokens for external services, kept and refreshed by a service: an async client.

`Client` is where everything begins. `connectors.catalog` knows the types of integrations,
`connectors.local` keeps connections on this machine.
"""

from connectors._version import __version__

# The name is what type checkers look for; the module would have to be imported.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from connectors._app_user import AppUserConnectors
    from connectors._client import Client
    from connectors._errors import (
        ClientClosedError,
        ClientUsageError,
        ConnectorsError,
        ForbiddenError,
        InterruptedCallError,
        Json,
        MalformedResponseError,
        MeteredConnectorError,
        MissingCredentialsError,
        NoAnswerError,
        NotConnectedError,
        OutOfCreditsError,
        RateLimitedError,
        ReconnectRequiredError,
        RedirectError,
        ServerError,
        ServiceError,
        TimedOutError,
        UnauthorizedError,
        UnreachableError,
    )
    from connectors._identity import HeaderItems, IncomingRequest
    from connectors._management import Management
    from connectors._models import (
        ApiResponse,
        Authorization,
        AvailableIntegration,
        CallMethod,
        CallPhase,
        Connection,
        ConnectionConfigField,
        ConnectionStatus,
        Connector,
        QueryScalar,
    )
    from connectors._retry import RetryPolicy
    from connectors._service_role import ServiceRole, ServiceRoleConnectors
else:

    def __getattr__(name: str) -> object:
        """Import the public names when the first of them is asked for.

        The `connectors` command asks for none: it is this package that is imported before anything
        of it can listen for Ctrl-C.
        """
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = _found(name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})

    def _found(name: str) -> object:
        from importlib import import_module  # noqa: PLC0415 - as late as the rest.

        homes = (import_module(f"{__name__}.{home}") for home in _HOMES)
        return next(getattr(home, name) for home in homes if hasattr(home, name))

    _HOMES = (
        "_app_user",
        "_client",
        "_errors",
        "_identity",
        "_management",
        "_models",
        "_retry",
        "_service_role",
    )

del TYPE_CHECKING

__all__ = [
    "ApiResponse",
    "AppUserConnectors",
    "Authorization",
    "AvailableIntegration",
    "CallMethod",
    "CallPhase",
    "Client",
    "ClientClosedError",
    "ClientUsageError",
    "Connection",
    "ConnectionConfigField",
    "ConnectionStatus",
    "Connector",
    "ConnectorsError",
    "ForbiddenError",
    "HeaderItems",
    "IncomingRequest",
    "InterruptedCallError",
    "Json",
    "MalformedResponseError",
    "Management",
    "MeteredConnectorError",
    "MissingCredentialsError",
    "NoAnswerError",
    "NotConnectedError",
    "OutOfCreditsError",
    "QueryScalar",
    "RateLimitedError",
    "ReconnectRequiredError",
    "RedirectError",
    "RetryPolicy",
    "ServerError",
    "ServiceError",
    "ServiceRole",
    "ServiceRoleConnectors",
    "TimedOutError",
    "UnauthorizedError",
    "UnreachableError",
    "__version__",
]

"""OAuth tokens for external services, kept and refreshed by a service: an async client.

`Client` is where everything begins. `connectors.catalog` knows the types of integrations,
`connectors.local` keeps connections on this machine.
"""

from connectors._app_user import AppUserConnectors
from connectors._client import Client
from connectors._errors import (
    ClientClosedError,
    ClientUsageError,
    ConnectorsError,
    ForbiddenError,
    InterruptedCallError,
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
from connectors._management import Management
from connectors._models import (
    ApiResponse,
    Authorization,
    AvailableIntegration,
    Connection,
    ConnectionConfigField,
    ConnectionStatus,
    Connector,
)
from connectors._retry import RetryPolicy
from connectors._service_role import ServiceRole, ServiceRoleConnectors
from connectors._version import __version__

__all__ = [
    "ApiResponse",
    "AppUserConnectors",
    "Authorization",
    "AvailableIntegration",
    "Client",
    "ClientClosedError",
    "ClientUsageError",
    "Connection",
    "ConnectionConfigField",
    "ConnectionStatus",
    "Connector",
    "ConnectorsError",
    "ForbiddenError",
    "InterruptedCallError",
    "MalformedResponseError",
    "Management",
    "MeteredConnectorError",
    "MissingCredentialsError",
    "NoAnswerError",
    "NotConnectedError",
    "OutOfCreditsError",
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

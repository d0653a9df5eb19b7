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
from connectors._version import __version__

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

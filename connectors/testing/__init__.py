"""A client for tests, with connections in the test's own words.

    base44 = mock_client({"slack": "xoxb-test", "github": NOT_CONNECTED, "stripe": METERED})

All of the client runs, on asyncio and on trio, and nothing is patched: only the service is played,
in memory. Nothing in here needs pytest; with pytest there are the fixtures `mock_connectors` and
`connectors_cassette` besides.
"""

from connectors._pytest_plugin._guard import RealConnectionError
from connectors.testing._mock import MockConnectors, mock_client
from connectors.testing._scripts import ConnectionMapping, Given
from connectors.testing._words import (
    EXPIRED,
    FORBIDDEN,
    METERED,
    NOT_CONNECTED,
    OUT_OF_CREDITS,
    POSTPONED,
    RATE_LIMITED,
    SERVER_ERROR,
    UNAUTHORIZED,
    UNREACHABLE,
    Unusable,
)

__all__ = [
    "EXPIRED",
    "FORBIDDEN",
    "METERED",
    "NOT_CONNECTED",
    "OUT_OF_CREDITS",
    "POSTPONED",
    "RATE_LIMITED",
    "SERVER_ERROR",
    "UNAUTHORIZED",
    "UNREACHABLE",
    "ConnectionMapping",
    "Given",
    "MockConnectors",
    "RealConnectionError",
    "Unusable",
    "mock_client",
]

"""What carries HTTP requests: the seam, its errors, and nothing that imports an HTTP library.

`transports.aiohttp` and `transports.mock` are imported by who uses them, and `transports.testing`,
the contract as something to run, by who brings another transport.
"""

from transports._base import (
    MAX_BODY,
    Request,
    Response,
    Source,
    Timeouts,
    Transport,
    within_deadline,
)
from transports._errors import (
    BodyTooLargeError,
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    ForkedProcessError,
    Phase,
    PoolTimeoutError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    ResolveError,
    TLSError,
    TransportClosedError,
    TransportError,
    TransportTimeoutError,
    UnmatchedRequestError,
    WrongEventLoopError,
)
from transports._headers import Fields, FieldValue, Headers
from transports._secret import Secret

__all__ = [
    "MAX_BODY",
    "BodyTooLargeError",
    "ConnectError",
    "ConnectTimeoutError",
    "DisconnectedError",
    "FieldValue",
    "Fields",
    "ForkedProcessError",
    "Headers",
    "Phase",
    "PoolTimeoutError",
    "ProtocolError",
    "ProxyError",
    "ReadTimeoutError",
    "Request",
    "ResolveError",
    "Response",
    "Secret",
    "Source",
    "TLSError",
    "Timeouts",
    "Transport",
    "TransportClosedError",
    "TransportError",
    "TransportTimeoutError",
    "UnmatchedRequestError",
    "WrongEventLoopError",
    "within_deadline",
]

"""The errors of a transport that can be recorded, and raised again.

What is a fault of the program, such as a closed transport, is not the server's answer and is never
recorded.
"""

from typing import Final

from transports import _errors
from transports._base import Request
from transports._errors import TransportError
from transports.replay._interaction import RecordedFault

_KINDS: Final = (
    _errors.BodyTooLargeError,
    _errors.ConnectError,
    _errors.ConnectTimeoutError,
    _errors.DisconnectedError,
    _errors.PoolTimeoutError,
    _errors.ProtocolError,
    _errors.ProxyError,
    _errors.ReadTimeoutError,
    _errors.ResolveError,
    _errors.TLSError,
)
FAULTS: Final[dict[str, type[TransportError]]] = {kind.__name__: kind for kind in _KINDS}
"""The classes by their names."""


def is_recordable(error: TransportError) -> bool:
    """Did the network fail, and not the program?"""
    return FAULTS.get(type(error).__name__) is type(error)


def raised_again(fault: RecordedFault, request: Request) -> TransportError:
    """The error of a recording, as an error of this request."""
    return FAULTS[fault.error](
        fault.message,
        method=request.method,
        url=request.url,
        phase=fault.phase,
        maybe_sent=fault.maybe_sent,
    )

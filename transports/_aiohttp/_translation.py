"""Every exception of aiohttp as one of ours, with the phase and `maybe_sent` of its attempt.

The table holds the most specific first. The frames and the arguments of aiohttp's exceptions hold
the fields of the request, so nothing of them is kept: what is chained is what the system said, or
an empty error of aiohttp's class.
"""

from typing import Final, TypeAlias

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from transports._attempt import Attempt
from transports._body import BodyCapError, BodyError
from transports._errors import (
    BodyTooLargeError,
    ConnectError,
    DisconnectedError,
    Phase,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    ResolveError,
    TLSError,
    TransportError,
)

_NO_REQUEST: Final = aiohttp.RequestInfo(URL(), "", CIMultiDictProxy(CIMultiDict()), URL())

_Row: TypeAlias = tuple[type[Exception], type[TransportError], Phase | None, str]

_ERRORS: Final[tuple[_Row, ...]] = (
    (BodyCapError, BodyTooLargeError, None, "The body is larger than max_body"),
    (BodyError, ProtocolError, None, "The body cannot be decoded"),
    (aiohttp.ClientSSLError, TLSError, "tls", "The connection could not be secured"),
    (aiohttp.ClientConnectorDNSError, ResolveError, "resolve", "The host has no address"),
    (aiohttp.InvalidURL, ResolveError, "resolve", "The host is no name that can be looked up"),
    (UnicodeError, ResolveError, None, "The host is no name that can be looked up"),
    (aiohttp.ClientProxyConnectionError, ProxyError, "connect", "The proxy could not be reached"),
    (aiohttp.ClientHttpProxyError, ProxyError, "connect", "The proxy refused to connect"),
    (aiohttp.ClientConnectorError, ConnectError, None, "No connection could be made"),
    (aiohttp.ServerTimeoutError, ReadTimeoutError, None, "Nothing more came in time"),
    (aiohttp.ClientPayloadError, DisconnectedError, None, "The connection broke in the body"),
    (aiohttp.ClientConnectionError, DisconnectedError, None, "The connection broke"),
    (aiohttp.ClientResponseError, ProtocolError, None, "What came back is not HTTP"),
    (HttpProcessingError, ProtocolError, None, "What came back is not HTTP"),
    (ValueError, ProtocolError, None, "What came back is not HTTP"),
    (OSError, DisconnectedError, None, "The connection broke"),
    (Exception, TransportError, None, "aiohttp failed"),
)
"""Which error is which of ours, the most specific first, and in which phase if not where it is."""


def translated(error: Exception, attempt: Attempt) -> TransportError:
    if isinstance(error, TransportError):
        error.__context__ = None
        return error.with_traceback(None)
    _, kind, phase, sentence = next(row for row in _ERRORS if isinstance(error, row[0]))
    cause = _cause(error)
    failure = attempt.error(kind, sentence + _detail(error, cause), phase)
    failure.__cause__ = cause
    return failure


def _cause(error: BaseException) -> BaseException | None:
    """What can be chained: what the system said, or an empty error of aiohttp's class."""
    said: BaseException | None = error
    while said is not None:
        if isinstance(said, OSError) and not isinstance(said, aiohttp.ClientError):
            said.__cause__ = said.__context__ = None
            return said.with_traceback(None)
        said = getattr(said, "os_error", None) or said.__cause__
    if isinstance(error, aiohttp.ClientResponseError):
        return type(error)(_NO_REQUEST, (), status=error.status)
    if isinstance(error, aiohttp.InvalidURL):
        return type(error)("")
    if isinstance(error, aiohttp.ClientError | HttpProcessingError):
        return type(error).__new__(type(error))
    return None


def _detail(error: Exception, cause: BaseException | None) -> str:
    if isinstance(cause, OSError) and cause.strerror:
        return f": {cause.strerror}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f": it answered with status {error.status}"
    if isinstance(error, BodyError):
        return f": {error}"
    return "" if cause else f": {type(error).__name__}"

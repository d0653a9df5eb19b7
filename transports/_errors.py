"""What can go wrong between a request and its answer.

Every error says in which phase the attempt ended and whether the server could have seen the
request, because that alone decides who may send it again. An error holds the method and the URL
without its query, never the request itself: errors are logged, pickled and shown.
"""

from typing import Literal, TypeAlias

Phase: TypeAlias = Literal["pool", "resolve", "connect", "tls", "send", "headers", "body"]
"""How far an attempt came: waiting for a connection, looking up the name, connecting, securing the
connection, sending, waiting for the status line and header fields, reading the body."""


class TransportError(Exception):
    """Raised when an attempt ended without an answer."""

    retryable = True
    """Could another attempt end differently? That it *may* be made is for `maybe_sent` to say."""

    method: str
    """The method of the request."""

    url: str
    """The URL of the request, without its query."""

    phase: Phase
    """How far the attempt came."""

    maybe_sent: bool
    """Could the server have seen the request? Only False allows to send any request again."""

    def __init__(
        self, message: str, *, method: str, url: str, phase: Phase, maybe_sent: bool
    ) -> None:
        super().__init__(message)
        self.method = method
        self.url = url.partition("?")[0]
        self.phase = phase
        self.maybe_sent = maybe_sent

    def __str__(self) -> str:
        sent = "may have been sent" if self.maybe_sent else "was not sent"
        return f"{self.args[0]} ({self.method} {self.url}, phase {self.phase}, {sent})"

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the class with the message alone.
        return _rebuilt, (type(self), self.args), self.__dict__


def _rebuilt(kind: type[TransportError], args: tuple[object, ...]) -> TransportError:
    error = kind.__new__(kind)
    error.args = args
    return error


class ConnectError(TransportError):
    """Raised when no connection to the server could be made."""


class ResolveError(ConnectError):
    """Raised when the name of the server has no address."""


class TLSError(ConnectError):
    """Raised when the connection could not be secured, a refused certificate above all."""

    retryable = False


class ProxyError(ConnectError):
    """Raised when the proxy could not be reached or refused to connect."""


class TransportTimeoutError(TransportError, TimeoutError):
    """Raised when a limit or the deadline of a request passed."""


class PoolTimeoutError(TransportTimeoutError):
    """Raised when no connection of the pool became free in time."""


class ConnectTimeoutError(TransportTimeoutError):
    """Raised when the connection was not made in time."""


class ReadTimeoutError(TransportTimeoutError):
    """Raised when the answer did not come in time; the request may have been executed."""


class DisconnectedError(TransportError):
    """Raised when the connection broke before the answer was complete."""


class ProtocolError(TransportError):
    """Raised when what came back is not HTTP, or a body that cannot be decoded."""


class BodyTooLargeError(TransportError):
    """Raised when the decoded body of the answer is larger than the request allows."""

    retryable = False


class TransportClosedError(TransportError):
    """Raised when a transport is used after `aclose`."""

    retryable = False


class WrongEventLoopError(TransportError):
    """Raised when a transport is used in another event loop than the one it first ran in."""

    retryable = False


class ForkedProcessError(TransportError):
    """Raised when a transport is used in a child process that inherited it by a fork."""

    retryable = False


class UnmatchedRequestError(AssertionError):
    """Raised when a mock or a recording has no answer for a request.

    It is no `TransportError`: the test is wrong, not the network, and nothing retries it.
    """

"""Every error of a connectors client, sorted by what its caller can do about it.

An error is a value that travels: it is logged, pickled, copied and sent to a tracker. So it holds
facts in attributes, and nothing that would be wrong to show. What a server wrote comes in only
after `connectors._redaction` has been over it.
"""

from copy import deepcopy
from typing import ClassVar, Final, TypeAlias

from connectors._printable import printable
from transports import TransportError

Json: TypeAlias = str | int | float | bool | list["Json"] | dict[str, "Json"] | None
"""What JSON can hold."""


class ConnectorsError(Exception):
    """Raised when a call of a connectors client fails; the base of all its errors."""

    hint: ClassVar[str] = ""
    """What to do next, as `str(error)` ends."""

    message: str
    """What happened; where the service answered, its own words."""

    status: int | None
    """The HTTP status of the answer; None when there is none."""

    code: str | None
    """The service's name for the error, such as `NOT_FOUND`, for a program to compare."""

    request_id: str | None
    """The id of the call, the same over all its attempts and in every log event of it."""

    method: str | None
    """The method of the request."""

    url: str | None
    """The URL of the request, without its query."""

    retry_after: float | None
    """Seconds to wait before another try, when the service said so."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        data: Json = None,
        request_id: str | None = None,
        method: str | None = None,
        url: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self._data = data
        self.request_id = request_id
        self.method = method
        self.url = url and url.partition("?")[0]
        self.retry_after = retry_after

    @property
    def data(self) -> Json:
        """The body of the answer as JSON, without the secrets in it; None when it is no JSON.

        Whoever asks gets a copy: callers that waited for one answer share what is behind it.
        """
        return deepcopy(self._data)

    def __str__(self) -> str:
        facts = ", ".join(filter(None, self._facts()))
        told = f"{self.message} ({facts})" if facts else self.message
        return printable(f"{told.rstrip('.')}. {self.hint}" if self.hint else told)

    def _facts(self) -> tuple[str, ...]:
        answered = f"{self.status or ''} {self.code or ''}".strip()
        asked = f"{self.method} {self.url}" if self.method else ""
        wait = "" if self.retry_after is None else f"retry after {self.retry_after:.15g} s"
        return answered, asked, wait

    def to_dict(self) -> dict[str, Json]:
        """The facts as plain JSON values, for a log or an error tracker."""
        return {
            "type": type(self).__name__,
            "message": self.message,
            "status": self.status,
            "code": self.code,
            "data": self.data,
            "request_id": self.request_id,
            "method": self.method,
            "url": self.url,
            "retry_after": self.retry_after,
        }

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the class with the message alone and forget the cause.
        cause = self.__cause__ if isinstance(self.__cause__, _PICKLED_CAUSES) else None
        state = self.__dict__.copy()
        if "__notes__" in state:
            # `add_note` grows the list in place, and a copy has notes of its own.
            state["__notes__"] = [*state["__notes__"]]
        return _rebuilt, (type(self), self.args, cause), state


_PICKLED_CAUSES: Final = (ConnectorsError, TransportError)


def _rebuilt(
    kind: type[ConnectorsError], args: tuple[object, ...], cause: BaseException | None
) -> ConnectorsError:
    error = kind.__new__(kind)
    error.args = args
    if cause is not None:  # To set a cause, even none, hides the context.
        error.__cause__ = cause
    return error


class ServiceError(ConnectorsError):
    """Raised when the service answered and refused, for a reason that no subclass names."""


class NotConnectedError(ServiceError):
    """Raised when the integration is not connected: somebody has to connect it first."""

    hint = "Connect the integration first, in the dashboard or with `connectors connect`"


class ReconnectRequiredError(NotConnectedError):
    """Raised when a connection has ended and somebody has to connect it again.

    `data` has the reason.
    """

    hint = "Connect the integration again, in the dashboard or with `connectors connect`"


class UnauthorizedError(ServiceError):
    """Raised when the service does not accept the token or key: get a new one."""

    hint = "Check the token or key that the client was given, and that it is for this server"


class ForbiddenError(ServiceError):
    """Raised when the token is good and not allowed to do this."""

    hint = "Use a token that may do this: connections need the service token of the app"


class MeteredConnectorError(ForbiddenError):
    """Raised when a metered connector gives no token away: use `call_api` instead."""

    hint = "A metered connector gives no token: send the request with `call_api`"


class OutOfCreditsError(ServiceError):
    """Raised when the integration credits of the workspace are used up."""

    hint = "Add integration credits to the workspace, or wait until they are renewed"


class RateLimitedError(ServiceError):
    """Raised when there were too many requests: wait for `retry_after` seconds."""

    hint = "Send fewer requests, and wait before the next one"


class ServerError(ServiceError):
    """Raised when the service has a fault of its own: try again later."""

    hint = "The service has a fault; try again later"


class RedirectError(ServiceError):
    """Raised when the service answers with a redirect, which is never followed with a token."""

    hint = "Check server_url: credentials are not sent to where a redirect points"


class NoAnswerError(ConnectorsError):
    """Raised when there is no answer; `maybe_sent` says what is known of the request's fate."""

    maybe_sent: bool = True
    """Could the service have seen the request? When False, it has certainly not been executed."""

    def to_dict(self) -> dict[str, Json]:
        """The facts as plain JSON values, `maybe_sent` among them."""
        return {**super().to_dict(), "maybe_sent": self.maybe_sent}


class UnreachableError(NoAnswerError):
    """Raised when the service can't be reached, or the connection broke before it answered."""

    hint = "Check the network and server_url"


class TimedOutError(NoAnswerError, TimeoutError):
    """Raised when the answer did not come within the client's timeout."""

    hint = "The service may be slow; a longer timeout is `Client(timeout=seconds)`"


class InterruptedCallError(NoAnswerError):
    """Raised when the request that callers shared was cancelled from outside: call again."""

    hint = "Nothing is wrong with the call: it may be repeated"


class MalformedResponseError(ConnectorsError):
    """Raised when an answer is not what the protocol says; the message names the place."""

    hint = "Check that server_url is the address of the service"


class ClientUsageError(ConnectorsError):
    """Raised when a client is used where it cannot work: the program has to be changed."""


class MissingCredentialsError(ClientUsageError):
    """Raised when a call needs a token or key that the client was not given."""


class ClientClosedError(ClientUsageError):
    """Raised when a client is used after `aclose`, or was closed while a call was under way."""

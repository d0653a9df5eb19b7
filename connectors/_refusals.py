"""What a refusal or a failure means to the caller: an answer's status and words, and a transport's
error, as one of ours.

Tables decide on the class, the protocol on message and code: the message is the first text of
`error.message`, `message` and `detail`, the code the first of `error.code`, `code` and a header.
What the service wrote is redacted before any of it is chosen.

The official JavaScript SDK takes any truthy value as the message, and any value but null as the
code, so it can say `[object Object]` or nothing. Here both are strings with something in them.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

from connectors._errors import (
    ClientClosedError,
    ClientUsageError,
    ConnectorsError,
    ForbiddenError,
    Json,
    MalformedResponseError,
    MeteredConnectorError,
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
from connectors._json import Problem, parsed
from connectors._redaction import Redactor
from transports import (
    BodyTooLargeError,
    ForkedProcessError,
    ProtocolError,
    Request,
    Response,
    TransportClosedError,
    TransportError,
    TransportTimeoutError,
    WrongEventLoopError,
)

_BY_CODE: Final[Mapping[tuple[int, str], type[ServiceError]]] = {
    (403, "metered_connector_requires_proxy"): MeteredConnectorError,
    (404, "NOT_FOUND"): NotConnectedError,
    (409, "RECONNECT_REQUIRED"): ReconnectRequiredError,
}
_BY_STATUS: Final[Mapping[int, type[ServiceError]]] = {
    401: UnauthorizedError,
    402: OutOfCreditsError,
    403: ForbiddenError,
    429: RateLimitedError,
    501: ServiceError,  # It does not do this, and will not do it later either.
}
_BY_FAMILY: Final[Mapping[int, type[ServiceError]]] = {3: RedirectError, 5: ServerError}

# Bytes of a refusal that are looked at. To search a megabyte for secrets would hold up every other
# task of the program for more than a second, and no honest refusal is that long.
_LARGEST: Final = 64 * 1024

# The most specific first.
_BY_FAILURE: Final[tuple[tuple[type[TransportError], type[ConnectorsError]], ...]] = (
    (TransportTimeoutError, TimedOutError),
    (TransportClosedError, ClientClosedError),
    (WrongEventLoopError, ClientUsageError),
    (ForkedProcessError, ClientUsageError),
    (BodyTooLargeError, MalformedResponseError),
    (ProtocolError, MalformedResponseError),
    (TransportError, UnreachableError),
)


def error_of(
    response: Response,
    request: Request,
    *,
    redactor: Redactor,
    retry_after: float | None,
    request_id: str,
) -> ServiceError:
    """The error that an answer with any status but 2xx stands for."""
    body = _body(response)
    data = redactor.json(body)
    header_code = response.headers.get("x-base44-connector-error", "")
    # Before it is redacted: a secret that happens to be a code does not change what it means.
    kind = _kind(response.status, _code(body), header_code)
    code = _code(data) or redactor.text(header_code) or None
    told = _first_text(data, ("error", "message"), ("message",), ("detail",))
    return kind(
        told or redactor.text(_own_words(kind, response, request)),
        status=response.status,
        code=code,
        data=data,
        request_id=request_id,
        method=request.method,
        url=request.url,
        retry_after=retry_after,
    )


def error_without_answer(failure: TransportError, *, request_id: str) -> ConnectorsError:
    """The error that a transport's failure stands for; it is to be raised `from` the failure."""
    kind = next(ours for theirs, ours in _BY_FAILURE if isinstance(failure, theirs))
    text = str(failure.args[0])
    error = kind(text, method=failure.method, url=failure.url, request_id=request_id)
    if isinstance(error, NoAnswerError):
        error.maybe_sent = failure.maybe_sent
    return error


def _body(response: Response) -> Json:
    if len(response.body) > _LARGEST:
        return None
    body = parsed(response.body)
    return None if isinstance(body, Problem) else body


def _code(body: Json) -> str | None:
    return _first_text(body, ("error", "code"), ("code",))


def _kind(status: int, *codes: str | None) -> type[ServiceError]:
    # A body's own code hides the header's, but not what the header says.
    named = (_BY_CODE.get((status, code or "")) for code in codes)
    known = next(filter(None, named), None) or _BY_STATUS.get(status)
    return known or _BY_FAMILY.get(status // 100, ServiceError)


def _first_text(data: Json, *paths: tuple[str, ...]) -> str | None:
    for path in paths:
        value = data
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str) and value.strip():
            return value
    return None


def _own_words(kind: type[ServiceError], response: Response, request: Request) -> str:
    location = response.headers.get("location")
    if kind is RedirectError and location:
        return f"The service redirects to {_target(location, request.url)}"
    return f"The service answered with {response.status} {_reason(response.status)}".rstrip()


def _target(location: str, url: str) -> str:
    """Where a redirect points, without a path or query that might hold a secret."""
    try:
        target = urlsplit(urljoin(url, location))
    except ValueError:
        return "an address that is none"
    if target[:2] == urlsplit(url)[:2]:
        return "another path of the same server"
    return f"{target.scheme}://{target.netloc.rpartition('@')[2]}"


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""

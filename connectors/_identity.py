"""Who is asking: an app, its credentials, and what is passed on from an incoming request.

Everything from outside is checked here, before anything is sent. A token is wrapped as the first
thing that happens to it, and what is wrong with it is said without it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlsplit

import attrs

from connectors._extra_headers import WrongType, secrets_passed_on, sendable
from connectors._wire import encode_segment
from transports import Headers, Secret

DEFAULT_SERVER_URL: Final = "https://base44.app"

_UNSENDABLE: Final = re.compile(r"[^!-~]")  # A bearer token is visible ASCII (RFC 6750, 2.1).
_DATA_ENVS: Final = frozenset({Secret("dev"), Secret("prod")})


WrappedFields: TypeAlias = tuple[tuple[str, Secret], ...]
"""Names in lower case and values, as an incoming request has them."""


class HeaderItems(Protocol):
    """Header fields as every web framework has them."""

    def items(self) -> Iterable[tuple[str, str]]:
        """The pairs of name and value."""
        ...


class IncomingRequest(Protocol):
    """A request that a web framework has received: anything that has `headers`."""

    @property
    def headers(self) -> HeaderItems:
        """Its header fields."""
        ...


@attrs.frozen
class Identity:
    """An app and the credentials with which it is asked for."""

    app_id: str
    """The id of the app."""

    server_url: str
    """Scheme, host and path before `/api`, without a slash at the end."""

    service_token: Secret | None = None
    """The token of the app's backend."""

    user_token: Secret | None = None
    """The token of one user of the app."""

    api_key: Secret | None = None
    """The key of the workspace."""

    headers: Headers = attrs.field(factory=Headers)
    """What the program wants sent with every request."""

    header_secrets: tuple[Secret, ...] = ()
    """What of that must not come back in an error."""

    passed_on: Headers = attrs.field(factory=Headers)
    """What an incoming request carried and the service wants to see again."""

    always_on_behalf_of: bool = False
    """Is the user named even where the answer is the same for all users?"""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All that must not come back in an error."""
        tokens = (self.service_token, self.user_token, self.api_key)
        held = (token for token in tokens if token is not None)
        return (*held, *self.header_secrets, *secrets_passed_on(self.passed_on))


@attrs.frozen
class Incoming:
    """What the headers of an incoming request say."""

    app_id: str | None
    server_url: str | None
    service_token: Secret | None
    user_token: Secret | None
    passed_on: Headers
    """`Base44-State` and `X-Data-Env`."""


def checked_app_id(app_id: str) -> str:
    """An app id that can be part of a path.

    Raises:
        TypeError, ValueError: It cannot.
    """
    encode_segment(app_id, "app_id")
    return app_id


def checked_server_url(url: str) -> str:
    """The base of all URLs, without a slash at the end.

    Raises:
        TypeError: It is no string.
        ValueError: It is no absolute http or https URL, more than scheme, host, port and path, or
            has `/api` at its end.
    """
    if not isinstance(url, str):
        raise TypeError(f"server_url must be a str, not {type(url).__name__}.")
    problem = _url_problem(url)
    if problem:
        # The URL is not repeated: what is wrong with it may be a password in it.
        raise ValueError(f"server_url must look like {DEFAULT_SERVER_URL}: {problem}.")
    return url.rstrip("/")


def wrapped_token(token: object) -> Secret | WrongType | None:
    """A token that no traceback can show; whatever it is, this raises nothing."""
    if token is None or isinstance(token, Secret):
        return token
    return Secret(token) if isinstance(token, str) else WrongType(type(token).__name__)


def checked_token(name: str, token: Secret | WrongType | None) -> Secret | None:
    """A token that a header can carry.

    Raises:
        TypeError: It is no string.
        ValueError: It is empty or holds a space, a line break or another character that no token
            may hold.
    """
    if isinstance(token, WrongType):
        raise TypeError(f"{name} must be a str, not {token.kind}.")
    problem = None if token is None else _token_problem(token)
    if problem is not None:
        raise ValueError(f"{name} {problem}.")
    return token


def wrapped_fields(request: IncomingRequest | Mapping[str, str]) -> WrappedFields:
    """The header fields of an incoming request, none of which a traceback can show.

    A caller drops the request itself before it does anything that may raise.

    Raises:
        TypeError: It has no headers.
    """
    # A Starlette request is a mapping too, so its headers are looked for first.
    headers = getattr(request, "headers", request)
    if not hasattr(headers, "items"):
        raise TypeError(
            "A request must have headers, or be a mapping of them; "
            f"{type(request).__name__} is neither."
        )
    return tuple((str(name).lower(), Secret(str(value))) for name, value in headers.items())


def read_incoming(fields: WrappedFields) -> Incoming:
    """What an incoming request says of who is asking.

    Raises:
        ValueError: A header that is read comes twice, a credential is not `Bearer <token>`, or
            `Base44-State` can't be sent on.
    """
    read = _only_once(fields)
    data_env = read.get("x-data-env")
    passed_on = {
        "Base44-State": read.get("base44-state"),
        # Only what is known goes on: the header comes from a caller that nobody has checked.
        "X-Data-Env": data_env if data_env in _DATA_ENVS else None,
    }
    return Incoming(
        app_id=_text(read, "base44-app-id"),
        server_url=_text(read, "base44-api-url"),
        service_token=_bearer(read, "Base44-Service-Authorization"),
        user_token=_bearer(read, "Authorization"),
        passed_on=sendable(Headers({name: value for name, value in passed_on.items() if value})),
    )


_READ: Final = frozenset(
    {
        "authorization",
        "base44-api-url",
        "base44-app-id",
        "base44-service-authorization",
        "base44-state",
        "x-data-env",
    }
)


def _only_once(fields: WrappedFields) -> dict[str, Secret]:
    read: dict[str, Secret] = {}
    for name, value in fields:
        if name in _READ and name in read:
            raise ValueError(f"The request has the header {name!r} twice, so it says nothing.")
        read[name] = value
    return read


def _text(fields: Mapping[str, Secret], name: str) -> str | None:
    value = fields.get(name)
    return value.reveal() if value else None


def _bearer(fields: Mapping[str, Secret], name: str) -> Secret | None:
    value = fields.get(name.lower())
    if value is None:
        return None
    token = _bearer_token(value)
    if token is None:
        raise ValueError(
            f"Invalid authorization header format. Expected 'Bearer <token>' in {name}."
        )
    return token


def _bearer_token(value: Secret) -> Secret | None:
    words = value.reveal().split(" ")
    valid = len(words) == 2 and words[0] == "Bearer"  # noqa: PLR2004 - two words.
    token = Secret(words[-1])
    return token if valid and _token_problem(token) is None else None


def _token_problem(token: Secret) -> str | None:
    if not token:
        return "must not be empty"
    if _UNSENDABLE.search(token.reveal()):
        return "holds a space, a line break or another character that no token may hold"
    return None


def _url_problem(url: str) -> str | None:
    if _UNSENDABLE.search(url):
        return "it holds a space or another character that no URL may hold"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "its host or port is none"
    wrong = {
        "it does not begin with https:// or http://": parts.scheme not in {"http", "https"},
        "it names no host": not host,
        "it holds a user name or password": "@" in parts.netloc,
        "it has a query or fragment": bool(parts.query or parts.fragment or url[-1:] in "?#"),
        "leave out the /api at its end, which the client adds itself": (
            parts.path.rstrip("/").endswith("/api")
        ),
        "its path holds a segment . or ..": not {".", ".."}.isdisjoint(parts.path.split("/")),
    }
    return next((problem for problem, found in wrong.items() if found), None)

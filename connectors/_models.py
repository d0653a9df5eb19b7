"""What the calls of a client return: frozen values, safe to print, log and share.

One connection may be handed to thousands of callers at once, so nothing in it can be changed, and
it holds its token as a `Secret`: neither a repr, nor a traceback through this module, nor
`attrs.asdict` has it in plain sight. Where the protocol's name for a field differs from ours,
`connectors._wire` knows.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias, final

import attrs

from transports import Secret

CallMethod: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
"""The methods that `call_api` can send."""

CallPhase: TypeAlias = Literal["not_sent", "responded", "timed_out", "sent_unconfirmed"]
"""How far a call of `call_api` came; only `not_sent` proves that it was not executed."""

QueryScalar: TypeAlias = str | int | float | bool
"""A value of a query; several of them are the same name several times."""


def _as_read_only(values: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(values))


def _names_only(values: Mapping[str, str] | None) -> str:
    return "None" if values is None else f"{{{', '.join(f'{name!r}: ...' for name in values)}}}"


@final
@attrs.frozen(init=False)
class Connection:
    """An access token for an external service, and what else is needed to call it.

    Args:
        access_token: The OAuth access token.
        connection_config: Values of this connection; None where the integration has none.
        integration_type: The type of integration.

    Raises:
        TypeError: The token is no string, or the configuration no mapping; the message holds
            neither.
    """

    _access_token: Secret = attrs.field(repr=False)

    connection_config: Mapping[str, str] | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(_as_read_only),
        repr=_names_only,
        hash=False,
    )
    """Values of this connection such as a subdomain; None where the integration has none."""

    integration_type: str | None = None
    """The type of integration, as the service names it."""

    def __init__(
        self,
        access_token: str | Secret,
        connection_config: Mapping[str, str] | None = None,
        integration_type: str | None = None,
    ) -> None:
        # Nothing may raise while the token lies here: a traceback shows the arguments of a frame.
        if isinstance(access_token, str):
            access_token = Secret(access_token)
        if not isinstance(access_token, Secret):
            kind = type(access_token).__name__
            del access_token
            raise TypeError(f"access_token must be a str, not {kind}.")
        if not isinstance(connection_config, Mapping | None):
            kind = type(connection_config).__name__
            raise TypeError(f"connection_config must be a mapping of str to str, not {kind}.")
        self.__attrs_init__(access_token, connection_config, integration_type)

    @property
    def access_token(self) -> str:
        """The OAuth access token; in no repr and no log. Good when it is handed out."""
        return self._access_token.reveal()

    def __reduce__(self) -> tuple[object, ...]:
        # A mapping proxy can't be pickled or copied, a dict can; nor can a Secret.
        config = None if self.connection_config is None else dict(self.connection_config)
        return Connection, (self.access_token, config, self.integration_type)


@final
@attrs.frozen
class ApiResponse:
    """How a call that the service made on the app's behalf ended, provider errors included."""

    success: bool
    """Did the provider answer with a 2xx status?"""

    phase: CallPhase
    """How far the call came. Only `not_sent` allows to repeat one that is not idempotent."""

    status: int | None = None
    """The provider's HTTP status; None when no answer was received."""

    data: object = attrs.field(default=None, repr=False, hash=False)
    """The provider's answer as JSON values or text; nobody else has a reference to it."""

    data_base64: str | None = attrs.field(default=None, repr=False)
    """The provider's answer in base64, when it is neither JSON nor text."""

    content_type: str | None = None
    """The media type of the provider's answer, always there with `data_base64`."""

    headers: Mapping[str, str] = attrs.field(
        factory=dict, converter=_as_read_only, hash=False, repr=_names_only
    )
    """The response headers that the connector lets through."""

    credits_charged: float = 0
    """Integration credits that the workspace was charged."""

    def __reduce__(self) -> tuple[object, ...]:
        # As for a connection: a mapping proxy can't be pickled or copied.
        values = attrs.asdict(self, recurse=False) | {"headers": dict(self.headers)}
        return ApiResponse, tuple(values.values())


@attrs.frozen
class ConnectionConfigField:
    """A value that a connection of some integration needs besides the token."""

    name: str
    """The key in `connection_config`."""

    display_name: str
    """Its name for a person."""

    description: str | None = None
    """What it is."""

    placeholder: str | None = None
    """An example."""

    required: bool = False
    """Is a connection impossible without it?"""

    validation_pattern: str | None = None
    """A regular expression that the whole value has to match."""

    validation_error: str | None = None
    """What to tell a person whose value does not match."""


@attrs.frozen
class AvailableIntegration:
    """A type of integration that the app can be connected to."""

    integration_type: str
    """Its identifier, as `get_connection` takes it."""

    display_name: str
    """Its name for a person."""

    description: str | None = None
    """What it is good for."""

    connection_config_fields: tuple[ConnectionConfigField, ...] = ()
    """The values that a connection needs besides the token."""


@attrs.frozen
class Connector:
    """An integration that the app is or was connected to."""

    integration_type: str
    """Its identifier."""

    status: str
    """`active`, `disconnected` or `expired`."""

    scopes: tuple[str, ...] = ()
    """What the account's owner allowed."""

    user_email: str | None = None
    """Who connected it."""


@attrs.frozen
class Authorization:
    """The answer to `authorize`: where to send a person, or why that is not needed or possible."""

    redirect_url: str | None = attrs.field(default=None, repr=False)
    """The consent page to open; it holds a single-use state, so it is in no repr."""

    connection_id: str | None = None
    """What to ask `status` about."""

    already_authorized: bool = False
    """True when these scopes are allowed already and there is nothing to open."""

    error: str | None = None
    """`different_user` when somebody else has connected it."""

    error_message: str | None = None
    """The error for a person."""

    other_user_email: str | None = None
    """Who has connected it."""


ConnectionStatus: TypeAlias = Literal["ACTIVE", "FAILED", "PENDING"]
"""How far connecting has come."""

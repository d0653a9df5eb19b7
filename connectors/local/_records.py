"""What a vault keeps, as frozen values that are safe to print.

A token is a `Secret` and the values of a configuration are hidden from the moment they come in: no
frame that can raise has them in a form that a traceback's locals would show. So what is wrong with
them is found by functions that return the error, and raised when they are hidden.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, NoReturn, TypeAlias, final

import attrs

from transports import Secret

Kind: TypeAlias = Literal["app", "workspace", "app_user"]
"""Whose account: the app's own, its workspace's, or one of the app's users'."""

State: TypeAlias = Literal["active", "refresh_failed", "disconnected"]
"""Is there a token, must the owner consent again, or has the connection been ended?"""

Source: TypeAlias = Literal["manual", "oauth"]
"""Who brought the token: somebody who had it, or the owner's consent at the provider."""

Reason: TypeAlias = Literal[
    "invalid_grant",
    "refresh_outcome_lost",
    "refresh_token_expired",
    "consent_required",
    "unknown",
]
"""Why a token can't be refreshed any more."""

Outcome: TypeAlias = Literal["unanswered", "ambiguous"]
"""What is known of a refresh that was sent: nothing came back, or nothing that says what it did."""

KINDS: Final[tuple[Kind, ...]] = ("app", "workspace", "app_user")
STATES: Final[tuple[State, ...]] = ("active", "refresh_failed", "disconnected")
SOURCES: Final[tuple[Source, ...]] = ("manual", "oauth")
REASONS: Final[tuple[Reason, ...]] = (
    "invalid_grant",
    "refresh_outcome_lost",
    "refresh_token_expired",
    "consent_required",
    "unknown",
)
OUTCOMES: Final[tuple[Outcome, ...]] = ("unanswered", "ambiguous")

_FARTHEST: Final = 1e11


@final
class ConnectionConfig(Mapping[str, str]):
    """The values that a connection needs besides its token; its `repr` shows only their names.

    A value may be a secret, such as a developer token, so like one it refuses to be pickled.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"ConnectionConfig({', '.join(f'{name}=...' for name in self._values)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A ConnectionConfig is not pickled: its values may be secrets.")


def check_text(what: str, value: object) -> None:
    """Refuse anything but printable text.

    Raises:
        TypeError: It is not a `str`.
        ValueError: It is empty, or has characters that can't be printed.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, not {type(value).__name__}")
    if not value or not value.isprintable():
        raise ValueError(f"{what} must be printable text and not empty, not {value!r}")


def check_seconds(what: str, value: object) -> None:
    """Refuse anything but a time that a clock can show.

    Raises:
        TypeError: It is not a number.
        ValueError: It is no number of seconds, or thousands of years away.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{what} must be Unix seconds, not {type(value).__name__}")
    # Not a number is not within either.
    if not abs(value) <= _FARTHEST:
        raise ValueError(f"{what} must be Unix seconds, and not thousands of years away")


def _text(_: object, field: "attrs.Attribute[str]", value: object) -> None:
    check_text(field.name, value)


def _texts(_: object, field: "attrs.Attribute[tuple[str, ...]]", value: tuple[object, ...]) -> None:
    for item in value:
        check_text(f"each of the {field.name}", item)


def _seconds(_: object, field: "attrs.Attribute[float]", value: object) -> None:
    check_seconds(field.name, value)


_MAYBE_TEXT: Final = attrs.validators.optional(_text)
_INTEGER: Final = attrs.validators.instance_of(int)
_MAYBE_SECONDS: Final = attrs.validators.optional(_seconds)
_FLAG: Final = attrs.validators.instance_of(bool)


@attrs.frozen
class Owner:
    """Whose account a connection is: there is at most one connection for each owner."""

    app_id: str = attrs.field(validator=_text)
    """The app."""

    kind: Kind = attrs.field(validator=attrs.validators.in_(KINDS))
    """Which of the app's accounts."""

    name: str = attrs.field(validator=_text)
    """The integration type for an account of the app itself, otherwise the connector's id."""

    user: str | None = attrs.field(default=None, validator=_MAYBE_TEXT)
    """The app's user, when the account is theirs."""

    def __attrs_post_init__(self) -> None:
        if (self.user is None) == (self.kind == "app_user"):
            raise ValueError("an owner has a user when its kind is 'app_user', and only then")

    @classmethod
    def app(cls, app_id: str, integration_type: str) -> "Owner":
        """The account of the app itself for a type of integration."""
        return cls(app_id, "app", integration_type)

    @classmethod
    def workspace(cls, app_id: str, connector_id: str) -> "Owner":
        """The account of the app's workspace for a connector."""
        return cls(app_id, "workspace", connector_id)

    @classmethod
    def app_user(cls, app_id: str, connector_id: str, user: str) -> "Owner":
        """The account of one of the app's users for a connector."""
        return cls(app_id, "app_user", connector_id, user)


@attrs.frozen(init=False)
class Grant:
    """What an account's owner has allowed: the token, and what belongs to it.

    Raises:
        TypeError: A value is of a wrong type. The message never shows the value.
        ValueError: A text is empty or can't be printed; a token has a line break.
    """

    integration_type: str = attrs.field(validator=_text)
    """The type of integration, such as `slack`."""

    access_token: Secret
    """The OAuth access token."""

    connection_config: Mapping[str, str] | None
    """Values of this connection such as a subdomain; sealed, as any of them may be a secret."""

    scopes: tuple[str, ...] = attrs.field(validator=_texts)
    """What the token is good for; not secret."""

    account_label: str | None = attrs.field(validator=_MAYBE_TEXT)
    """Whose account it is, for a person: an e-mail address or a name; not secret."""

    refresh_token: Secret | None
    """The OAuth refresh token, if there is one."""

    obtained_at: float | None = attrs.field(validator=_MAYBE_SECONDS)
    """When the tokens were asked for, in Unix seconds."""

    expires_at: float | None = attrs.field(validator=_MAYBE_SECONDS)
    """When the access token ends, in Unix seconds; None when that is not known."""

    refresh_expires_at: float | None = attrs.field(validator=_MAYBE_SECONDS)
    """When the refresh token ends, in Unix seconds; None when that is not known."""

    raw: Secret | None
    """The text in which the provider gave the tokens."""

    lock_key: str | None = attrs.field(validator=_MAYBE_TEXT)
    """The same for all connections that share a chain of refresh tokens; None when it is of this
    one alone. Not secret."""

    source: Source = attrs.field(validator=attrs.validators.in_(SOURCES))
    """Who brought the token."""

    def __init__(
        self,
        integration_type: str,
        access_token: Secret | str,
        *,
        connection_config: Mapping[str, str] | None = None,
        scopes: Sequence[str] = (),
        account_label: str | None = None,
        refresh_token: Secret | str | None = None,
        obtained_at: float | None = None,
        expires_at: float | None = None,
        refresh_expires_at: float | None = None,
        raw: Secret | None = None,
        lock_key: str | None = None,
        source: Source = "manual",
    ) -> None:
        problem = (
            _token_problem("access_token", access_token)
            or (refresh_token is not None and _token_problem("refresh_token", refresh_token))
            or _config_problem(connection_config)
        )
        # From here on none of them can be printed.
        access_token = as_secret(access_token)
        refresh_token = None if refresh_token is None else as_secret(refresh_token)
        connection_config = _hidden(connection_config)
        raw = None if raw is None else as_secret(raw)
        if problem:
            raise problem
        if isinstance(scopes, str):
            raise TypeError("scopes must be several str, not one")
        self.__attrs_init__(
            integration_type,
            access_token,
            connection_config,
            tuple(scopes),
            account_label,
            refresh_token,
            obtained_at,
            expires_at,
            refresh_expires_at,
            raw,
            lock_key,
            source,
        )


@attrs.frozen
class Presented:
    """That a refresh token was sent to the provider, and what it did with it is not known."""

    digest: str = attrs.field(validator=_text)
    """Of the token that was sent."""

    at: float = attrs.field(validator=_seconds)
    """When it was sent the last time, in Unix seconds."""

    outcome: Outcome = attrs.field(validator=attrs.validators.in_(OUTCOMES))
    """What is known of it."""

    count: int = attrs.field(validator=_INTEGER)
    """How often it was sent."""

    attempt_id: str = attrs.field(validator=_text)
    """Names the last attempt."""


@attrs.frozen(kw_only=True)
class ConnectionSummary:
    """All of a connection but its secrets."""

    id: str
    """The same for as long as the owner has connections, whatever happens to them."""

    owner: Owner
    """Whose account it is."""

    integration_type: str = attrs.field(validator=_text)
    """The type of integration."""

    state: State = attrs.field(validator=attrs.validators.in_(STATES))
    """Is there a token?"""

    source: Source = attrs.field(validator=attrs.validators.in_(SOURCES))
    """Who brought the token."""

    reason: Reason | None = attrs.field(
        validator=attrs.validators.optional(attrs.validators.in_(REASONS))
    )
    """Why the owner must consent again, when the state says so."""

    generation: int = attrs.field(validator=_INTEGER)
    """Grows by one each time that the tokens or the state change, beginning with 1."""

    scopes: tuple[str, ...] = attrs.field(validator=_texts)
    """What the token is good for."""

    account_label: str | None = attrs.field(validator=_MAYBE_TEXT)
    """Whose account it is, for a person."""

    created_at: float = attrs.field(validator=_seconds)
    """When the owner was connected for the first time, in Unix seconds."""

    updated_at: float = attrs.field(validator=_seconds)
    """When the generation began, in Unix seconds."""

    has_refresh_token: bool = attrs.field(validator=_FLAG)
    """Is there a refresh token?"""

    obtained_at: float | None = attrs.field(validator=_MAYBE_SECONDS)
    """When the tokens were asked for, in Unix seconds."""

    expires_at: float | None = attrs.field(validator=_MAYBE_SECONDS)
    """When the access token ends, in Unix seconds; None when that is not known."""

    refresh_expires_at: float | None = attrs.field(validator=_MAYBE_SECONDS)
    """When the refresh token ends, in Unix seconds; None when that is not known."""

    failures: int = attrs.field(validator=_INTEGER)
    """How many attempts to refresh have failed since the last that did not."""

    next_attempt_at: float | None = attrs.field(validator=_MAYBE_SECONDS)
    """Not before this time is the refresh tried again, in Unix seconds."""

    last_error: str | None = attrs.field(validator=_MAYBE_TEXT)
    """What the last attempt failed with; not secret."""

    verify: bool = attrs.field(validator=_FLAG)
    """The tokens come from a backup: refresh them before they are relied on."""


@attrs.frozen(kw_only=True)
class StoredConnection(ConnectionSummary):
    """A connection with its secrets, and how far the refresh of its tokens has come."""

    access_token: Secret | None
    """The OAuth access token; None unless the state is `active`."""

    refresh_token: Secret | None
    """The OAuth refresh token, if there is one."""

    raw: Secret | None
    """The text in which the provider gave the tokens."""

    connection_config: Mapping[str, str] | None
    """Values of this connection such as a subdomain."""

    lock_key: str = attrs.field(validator=_text)
    """The same for all connections that share a chain of refresh tokens, mostly the `id` of the
    only one; not secret."""

    presented: Presented | None
    """That the refresh token was sent, if it is not known what became of it."""

    strikes: int = attrs.field(validator=_INTEGER)
    """How often the provider has refused in a way that nobody knows."""

    first_strike_at: float | None = attrs.field(validator=_MAYBE_SECONDS)
    """When it did so for the first time, in Unix seconds."""

    forced_at: float | None = attrs.field(validator=_MAYBE_SECONDS)
    """When somebody last asked for a refresh of these tokens, whatever their age."""


def as_secret(value: object) -> Secret:
    """The value where nothing prints it; what is neither `str` nor `Secret` becomes empty."""
    if isinstance(value, Secret):
        return value
    return Secret(value if isinstance(value, str) else "")


def _hidden(config: object) -> ConnectionConfig | None:
    return ConnectionConfig(config) if isinstance(config, Mapping) else None


def _token_problem(what: str, token: object) -> Exception | None:
    if not isinstance(token, str | Secret):
        return TypeError(f"{what} must be a str or a Secret, not {type(token).__name__}")
    text = as_secret(token).reveal()
    if not text or set(text) & set("\r\n\0"):
        return ValueError(f"{what} must be one line of text, and not empty")
    return None


def _config_problem(config: object) -> Exception | None:
    if config is None:
        return None
    if not isinstance(config, Mapping):
        return TypeError(f"connection_config must be a mapping, not {type(config).__name__}")
    if not all(isinstance(item, str) for pair in config.items() for item in pair):
        return TypeError("connection_config must map str to str")
    return None

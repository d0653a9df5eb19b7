"""Connections as a vault keeps them: frozen values that are safe to print."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

import attrs

from connectors.local._fields import (
    FLAG,
    INTEGER,
    MAYBE_SECONDS,
    MAYBE_TEXT,
    as_secret,
    config_error,
    hidden,
    name,
    seconds,
    several,
    text,
    texts,
    token_error,
)
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


@attrs.frozen
class Owner:
    """Whose account a connection is: there is at most one connection for each owner."""

    app_id: str = attrs.field(validator=text)
    """The app."""

    kind: Kind = attrs.field(validator=attrs.validators.in_(KINDS))
    """Which of the app's accounts."""

    name: str = attrs.field(validator=text)
    """The integration type for an account of the app itself, otherwise the connector's id."""

    user: str | None = attrs.field(default=None, validator=MAYBE_TEXT)
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


@attrs.frozen
class GrantedTo:
    """The client to which a consent was given: its tokens are good for no other."""

    client_id: str = attrs.field(validator=text)
    """What the provider calls it."""

    redirect_uri: str = attrs.field(validator=text)
    """Where the consent came back to."""


_MAYBE_CLIENT: Final = attrs.validators.optional(attrs.validators.instance_of(GrantedTo))


@attrs.frozen(init=False)
class Grant:
    """What an account's owner has allowed: the token, and what belongs to it.

    Raises:
        TypeError: A value is of a wrong type. The message never shows the value.
        ValueError: A text is empty or can't be printed; a token has a line break.
    """

    integration_type: str = attrs.field(validator=text)
    """The type of integration, such as `slack`."""

    access_token: Secret
    """The OAuth access token."""

    connection_config: Mapping[str, str] | None
    """Values of this connection such as a subdomain; sealed, as any of them may be a secret."""

    scopes: tuple[str, ...] = attrs.field(validator=texts)
    """What the token is good for; not secret."""

    account_label: str | None = attrs.field(validator=MAYBE_TEXT)
    """Whose account it is, for a person: an e-mail address or a name; not secret."""

    refresh_token: Secret | None
    """The OAuth refresh token, if there is one."""

    obtained_at: float | None = attrs.field(validator=MAYBE_SECONDS)
    """When the tokens were asked for, in Unix seconds."""

    expires_at: float | None = attrs.field(validator=MAYBE_SECONDS)
    """When the access token ends, in Unix seconds; None when that is not known."""

    refresh_expires_at: float | None = attrs.field(validator=MAYBE_SECONDS)
    """When the refresh token ends, in Unix seconds; None when that is not known."""

    raw: Secret | None
    """The text in which the provider gave the tokens."""

    lock_key: str | None = attrs.field(validator=attrs.validators.optional(name))
    """The same for all connections that share a chain of refresh tokens; None when it is of this
    one alone. Not secret."""

    source: Source = attrs.field(validator=attrs.validators.in_(SOURCES))
    """Who brought the token."""

    asked: tuple[str, ...] = attrs.field(validator=texts)
    """The scopes that were asked for, in the words in which they were; not secret."""

    client: GrantedTo | None = attrs.field(validator=_MAYBE_CLIENT)
    """The client that was granted it; None when that is not known."""

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
        asked: Sequence[str] | None = None,
        client: GrantedTo | None = None,
    ) -> None:
        error = (
            token_error("access_token", access_token)
            or (refresh_token is not None and token_error("refresh_token", refresh_token))
            or config_error(connection_config)
        )
        # From here on none of them can be printed.
        access_token = as_secret(access_token)
        refresh_token = None if refresh_token is None else as_secret(refresh_token)
        connection_config = hidden(connection_config)
        raw = None if raw is None else as_secret(raw)
        if error:
            raise error
        self.__attrs_init__(
            integration_type,
            access_token,
            connection_config,
            several("scopes", scopes),
            account_label,
            refresh_token,
            obtained_at,
            expires_at,
            refresh_expires_at,
            raw,
            lock_key,
            source,
            several("asked", scopes if asked is None else asked),
            client,
        )


@attrs.frozen
class Presented:
    """That a refresh token was sent to the provider, and what it did with it is not known."""

    digest: str = attrs.field(validator=text)
    """Of the token that was sent."""

    at: float = attrs.field(validator=seconds)
    """When it was sent the last time, in Unix seconds."""

    outcome: Outcome = attrs.field(validator=attrs.validators.in_(OUTCOMES))
    """What is known of it."""

    silences: int = attrs.field(validator=INTEGER)
    """How often it was sent and nothing came back."""

    attempt_id: str = attrs.field(validator=text)
    """Names the last attempt."""


@attrs.frozen(kw_only=True)
class ConnectionSummary:
    """All of a connection but its secrets."""

    id: str
    """The same for as long as the owner has connections, whatever happens to them."""

    owner: Owner
    """Whose account it is."""

    integration_type: str = attrs.field(validator=text)
    """The type of integration."""

    state: State = attrs.field(validator=attrs.validators.in_(STATES))
    """Is there a token?"""

    source: Source = attrs.field(validator=attrs.validators.in_(SOURCES))
    """Who brought the token."""

    reason: Reason | None = attrs.field(
        validator=attrs.validators.optional(attrs.validators.in_(REASONS))
    )
    """Why the owner must consent again, when the state says so."""

    generation: int = attrs.field(validator=INTEGER)
    """Grows by one each time that the tokens or the state change, beginning with 1."""

    scopes: tuple[str, ...] = attrs.field(validator=texts)
    """What the token is good for."""

    asked: tuple[str, ...] = attrs.field(validator=texts)
    """The scopes that were asked for: a provider may call them by other names, or give others."""

    account_label: str | None = attrs.field(validator=MAYBE_TEXT)
    """Whose account it is, for a person."""

    created_at: float = attrs.field(validator=seconds)
    """When the owner was connected for the first time, in Unix seconds."""

    updated_at: float = attrs.field(validator=seconds)
    """When the generation began, in Unix seconds."""

    has_refresh_token: bool = attrs.field(validator=FLAG)
    """Is there a refresh token?"""

    obtained_at: float | None = attrs.field(validator=MAYBE_SECONDS)
    """When the tokens were asked for, in Unix seconds."""

    expires_at: float | None = attrs.field(validator=MAYBE_SECONDS)
    """When the access token ends, in Unix seconds; None when that is not known."""

    refresh_expires_at: float | None = attrs.field(validator=MAYBE_SECONDS)
    """When the refresh token ends, in Unix seconds; None when that is not known."""

    failures: int = attrs.field(validator=INTEGER)
    """How many attempts to refresh have failed since the last that did not."""

    next_attempt_at: float | None = attrs.field(validator=MAYBE_SECONDS)
    """Not before this time is the refresh tried again, in Unix seconds."""

    last_error: str | None = attrs.field(validator=MAYBE_TEXT)
    """What the last attempt failed with; not secret."""

    verify: bool = attrs.field(validator=FLAG)
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

    lock_key: str = attrs.field(validator=text)
    """The same for all connections that share a chain of refresh tokens, mostly the `id` of the
    only one; not secret."""

    client: GrantedTo | None = attrs.field(validator=_MAYBE_CLIENT)
    """The client that was granted the tokens; None when that is not known."""

    presented: Presented | None
    """That the refresh token was sent, if it is not known what became of it."""

    strikes: int = attrs.field(validator=INTEGER)
    """How often the provider has refused in a way that nobody knows."""

    first_strike_at: float | None = attrs.field(validator=MAYBE_SECONDS)
    """When it did so for the first time, in Unix seconds."""

    forced_at: float | None = attrs.field(validator=MAYBE_SECONDS)
    """When somebody last asked for other tokens, whatever the age of those that there were."""

"""What else a vault keeps for OAuth: apps, consents, revocations. Frozen, and safe to print."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias, get_args

import attrs

from connectors.local._fields import (
    INTEGER,
    MAYBE_SECONDS,
    MAYBE_TEXT,
    config_error,
    hidden,
    seconds,
    several,
    text,
    texts,
)
from connectors.local._oauth import OAuthClient
from connectors.local._records import Owner
from connectors.local._redirects import check_redirect
from transports import Secret


def _redirect(instance: object, field: "attrs.Attribute[str]", value: object) -> None:
    text(instance, field, value)
    assert isinstance(value, str)
    check_redirect(value)


@attrs.frozen(init=False)
class OAuthApp:
    """An app that is registered at the provider of a type.

    Raises:
        TypeError: A value is of a wrong type. The message never shows it.
        ValueError: A text is empty or can't be printed, or a code must not travel to the address.
    """

    integration_type: str = attrs.field(validator=text)
    """The type of integration, such as `slack`."""

    client: OAuthClient = attrs.field(validator=attrs.validators.instance_of(OAuthClient))
    """What the provider knows the app by."""

    redirect_uri: str | None = attrs.field(validator=attrs.validators.optional(_redirect))
    """Where it is registered to come back to; None for the address of the local backend."""

    scopes: tuple[str, ...] = attrs.field(validator=texts)
    """What is asked for when nobody says what."""

    config: Mapping[str, str] | None
    """Values that all its connections begin with; sealed, as any of them may be a secret."""

    connectors: tuple[str, ...] = attrs.field(validator=texts)
    """The ids under which the app's users know the type, besides its own name."""

    def __init__(
        self,
        integration_type: str,
        client: OAuthClient,
        *,
        redirect_uri: str | None = None,
        scopes: Sequence[str] = (),
        config: Mapping[str, str] | None = None,
        connectors: Sequence[str] = (),
    ) -> None:
        error = config_error(config)
        # From here on it can't be printed.
        config = hidden(config)
        if error is not None:
            raise error
        self.__attrs_init__(
            integration_type,
            client,
            redirect_uri,
            several("scopes", scopes),
            config,
            several("connectors", connectors),
        )


@attrs.frozen(kw_only=True)
class OAuthAppSummary:
    """All of an app but its secrets."""

    integration_type: str = attrs.field(validator=text)
    """The type of integration."""

    client_id: str = attrs.field(validator=text)
    """What the provider calls it."""

    redirect_uri: str | None = attrs.field(validator=MAYBE_TEXT)
    """Where it is registered to come back to; None for the address of the local backend."""

    scopes: tuple[str, ...] = attrs.field(validator=texts)
    """What is asked for when nobody says what."""

    connectors: tuple[str, ...] = attrs.field(validator=texts)
    """The ids under which the app's users know the type, besides its own name."""

    generation: int = attrs.field(validator=INTEGER)
    """Grows by one with each configuration, beginning with 1."""

    problem: str | None = attrs.field(validator=MAYBE_TEXT)
    """Why the provider rejects it, if it does."""

    rejected_at: float | None = attrs.field(validator=MAYBE_SECONDS)
    """When it last did, in Unix seconds."""

    retry_at: float | None = attrs.field(validator=MAYBE_SECONDS)
    """Not before this time is it asked again, in Unix seconds."""

    failures: int = attrs.field(validator=INTEGER)
    """How often it has, in a row."""

    created_at: float = attrs.field(validator=seconds)
    """When the type was configured for the first time, in Unix seconds."""

    updated_at: float = attrs.field(validator=seconds)
    """When it was configured for the last time, in Unix seconds."""


@attrs.frozen(kw_only=True)
class StoredOAuthApp(OAuthAppSummary):
    """An app with its secrets."""

    client: OAuthClient
    """What the provider knows the app by."""

    config: Mapping[str, str] | None
    """Values that all its connections begin with."""


ConsentOutcome: TypeAlias = Literal["pending", "taken", "active", "denied", "failed", "expired"]
"""How far a consent is: nobody has come back, or somebody has and it goes on, or how it ended."""

ConsentEnding: TypeAlias = Literal["active", "denied", "failed"]
"""How somebody can say that a consent has ended."""

ConsentGone: TypeAlias = Literal["unknown", "used", "expired"]
"""Why a state is good for nothing."""

UNFINISHED: Final[frozenset[ConsentOutcome]] = frozenset({"pending", "taken"})
"""The outcomes that are none yet."""


@attrs.frozen(kw_only=True)
class ConsentStatus:
    """All of a consent but its secrets."""

    state_hash: str = attrs.field(validator=text)
    """The SHA-256 of its state in hexadecimal, which is what it is called."""

    connection_id: str = attrs.field(validator=text)
    """What the connection is or will be called, unless the owner gets another one meanwhile."""

    owner: Owner
    """Whose account it is for."""

    integration_type: str = attrs.field(validator=text)
    """The type of integration."""

    redirect_uri: str = attrs.field(validator=text)
    """Where the provider sends its user back to."""

    scopes: tuple[str, ...] = attrs.field(validator=texts)
    """What was asked for."""

    outcome: ConsentOutcome = attrs.field(validator=attrs.validators.in_(get_args(ConsentOutcome)))
    """How far it is."""

    problem: str | None = attrs.field(validator=MAYBE_TEXT)
    """Why it ended as it did, if it did not go well."""

    created_at: float = attrs.field(validator=seconds)
    """When it was begun, in Unix seconds."""

    expires_at: float = attrs.field(validator=seconds)
    """When its state is good for nothing any more, in Unix seconds."""

    ended_at: float | None = attrs.field(validator=MAYBE_SECONDS)
    """When it ended, in Unix seconds."""


@attrs.frozen(kw_only=True)
class Consent(ConsentStatus):
    """A consent with what is needed to complete it."""

    verifier: Secret
    """The PKCE code verifier."""

    config: Mapping[str, str]
    """The values that it was begun with."""


@attrs.frozen(kw_only=True)
class Revocation:
    """Tokens that nobody uses any more, for the provider to be told."""

    id: str = attrs.field(validator=text)
    """What it is called."""

    app_id: str = attrs.field(validator=text)
    """The app that the connection belonged to."""

    connection_id: str = attrs.field(validator=text)
    """The connection that had them."""

    integration_type: str = attrs.field(validator=text)
    """The type of integration."""

    client_id: str | None = attrs.field(validator=MAYBE_TEXT)
    """The client that was granted them; None when that is not known."""

    access_token: Secret
    """The OAuth access token."""

    refresh_token: Secret | None
    """The OAuth refresh token, if there is one."""

    config: Mapping[str, str] | None
    """Values of the connection such as a subdomain."""

    attempts: int = attrs.field(validator=INTEGER)
    """How often the provider was told without success."""

    next_attempt_at: float = attrs.field(validator=seconds)
    """Not before this time is it told again, in Unix seconds."""

    last_error: str | None = attrs.field(validator=MAYBE_TEXT)
    """What the last attempt failed with; not secret."""

    created_at: float = attrs.field(validator=seconds)
    """When the tokens were given up, in Unix seconds."""

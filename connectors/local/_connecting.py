"""Connecting an account: from the address of the consent page to a connection in the vault.

What has to be remembered between the two lies in the vault, under the hash of the state. So the
one who begins and the one who completes it may be different processes: whoever listens at the
redirect address of a vault completes the consents that any other has begun, and all of them can see
how it ended.

A state is used up by the first callback that brings it, whatever that says. Nothing is stored
before all of the provider's answers were right: whoever dies in between leaves a consent that is
used up, and the connection as it was.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, final

import anyio
import anyio.lowlevel
import attrs

from connectors._events import emit
from connectors.catalog import Integration, check_config
from connectors.local._consent_rows import state_hash
from connectors.local._errors import VaultError
from connectors.local._fields import ConnectionConfig
from connectors.local._oauth import (
    CodeExchange,
    ConsentError,
    TokenError,
    Tokens,
    authorization_url,
    callback_state,
    is_renewable,
    lock_key,
    needs_code,
    new_state,
    new_verifier,
    read_callback,
)
from connectors.local._oauth_records import Consent, ConsentEnding, ConsentGone, StoredOAuthApp
from connectors.local._records import Grant, GrantedTo, Owner, StoredConnection
from connectors.local._redirects import (
    callback_host,
    check_redirect,
    listening_port,
    loopback_problem,
)
from connectors.local._refresh import ClientMissingError
from connectors.local._vault import Vault
from transports import Request, Response, Secret, Transport, TransportError

_DEADLINE: Final = 20.0
_NOWHERE: Final = (
    "There is no address to come back to: start `connectors dev`, without --host, or give the "
    "client one of your own with `connectors configure {} --redirect-uri`"
)
_GONE: Final[Mapping[ConsentGone, str]] = {
    "unknown": "This consent was not begun here, or was given up: begin again",
    "used": "This address was used before: begin again",
    "expired": "This consent was begun more than ten minutes ago: begin again",
}
# RFC 6749, section 4.1.2.1, and what LinkedIn says in its place.
_DENIALS: Final = frozenset({"access_denied", "user_cancelled_authorize", "user_cancelled_login"})
_OVER: Final = {
    "active": "It was connected before",
    "taken": "It is being connected at this moment",
}


class ConnectingError(Exception):
    """Raised when an account was not connected; its text says why, for the person who tried."""

    def __init__(self, problem: str, *, integration_type: str | None = None) -> None:
        super().__init__(problem)
        self.integration_type = integration_type
        """What was to be connected; None when nobody knows."""


class UnknownTypeError(ConnectingError):
    """Raised when the catalogue does not know the type of integration."""


class NotForUsersError(ConnectingError):
    """Raised when a type is to be connected for an app's user, who could take another's account."""


class ConsentOverError(ConnectingError):
    """Raised when a callback comes a second time: the first one is what counts."""

    def __init__(self, problem: str, *, integration_type: str, connected: bool) -> None:
        super().__init__(problem, integration_type=integration_type)
        self.integration_type: str = integration_type
        """What was to be connected."""
        self.connected = connected
        """Has the first one connected it?"""


@attrs.frozen
class Begun:
    """A consent that somebody has to give now."""

    url: Secret
    """The page of the provider; it holds the state, so it is shown to that person only."""

    connection_id: str
    """What the connection is called, now or when it is there."""

    state_hash: str
    """What the consent is called in the vault."""


@attrs.frozen
class Connected:
    """An account that has been connected."""

    connection: StoredConnection
    """What is in the vault now."""

    lasts: bool
    """Can the token be renewed, or has it no end? Otherwise its owner has to come again."""


@final
class Consents:
    """Begins consents and completes them.

    Args:
        vault: Where they, and then the connections, are kept.
        transport: The way to the providers; it is not closed here.
        catalog: The integration types.
        redirect_uri: Where providers send people back to, unless a client has an address of its
            own; None when nobody listens anywhere.
        clock: The wall clock, in Unix seconds.
        allow_local_hosts: As for `connectors.catalog.check_config`.

    Raises:
        ValueError: A code must not travel to the redirect URI.
    """

    def __init__(
        self,
        vault: Vault,
        transport: Transport,
        *,
        catalog: Mapping[str, Integration],
        redirect_uri: str | None,
        clock: Callable[[], float] = time.time,
        allow_local_hosts: bool = False,
    ) -> None:
        self._vault = vault
        self._transport = transport
        self._catalog = catalog
        if redirect_uri is not None:
            check_redirect(redirect_uri)
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._allow_local_hosts = allow_local_hosts

    def __repr__(self) -> str:
        return f"<Consents of {self._vault!r}>"

    async def begin(
        self,
        owner: Owner,
        integration_type: str,
        *,
        scopes: Sequence[str] = (),
        config: Mapping[str, str] | None = None,
        redirect_uri: str | None = None,
    ) -> Begun:
        """Have a state made for one consent, and say where it is to be given.

        Args:
            owner: Whose account it will be.
            integration_type: Of which type.
            scopes: What is asked for, besides what the type always needs; none means those that
                the client was configured with.
            config: Values that the type needs. For what is missing those are taken that the
                connection had, and then those that the client was configured with.
            redirect_uri: Where this one comes back to.

        Raises:
            ClientMissingError: The vault has no OAuth client for the type.
            ConnectingError: There is no such type, or nowhere to come back to; or what comes back
                for it would not show which user's account it is.
            ValueError: The config is not what the type needs, a scope is none, the redirect URI
                is refused, or the owner's account is for another type.
            VaultError: The vault can't be used.

        Cancelled, it has begun nothing, or a consent that nobody knows of and that is forgotten.
        """
        given = ConnectionConfig(config or {})
        del config  # It may be plain, and any of its values a secret.
        integration = self._known(integration_type)
        if owner.kind == "app_user" and not needs_code(integration):
            raise NotForUsersError(
                f"{integration.display_name} can't be connected for an app's users: who comes back "
                "from it could name the account of another; connect it for the app instead",
                integration_type=integration_type,
            )
        app = await self._app(integration_type)
        comes_back = redirect_uri or app.redirect_uri or self._own_address(integration)
        kept = kept_config(integration, app, await self._vault.get(owner))
        values = self._checked(integration, ConnectionConfig({**kept, **given}))
        asked = tuple(dict.fromkeys((*integration.scopes.required, *(scopes or app.scopes))))
        state, verifier = new_state(), new_verifier()
        url = authorization_url(
            integration,
            app.client,
            config=values,
            redirect_uri=comes_back,
            state=state,
            verifier=verifier,
            scopes=asked,
            allow_local_hosts=self._allow_local_hosts,
        )
        consent = await self._vault.consent_rows.begin(
            owner,
            integration_type,
            state=state,
            verifier=verifier,
            redirect_uri=comes_back,
            scopes=asked,
            config=values,
            now=self._clock(),
        )
        return Begun(url, consent.connection_id, consent.state_hash)

    async def complete(self, query: Secret) -> Connected:
        """Make a connection of what a provider has sent a person back with.

        Args:
            query: The query of the callback, as it was sent.

        Raises:
            ConnectingError: There is none; the text is for that person.
            VaultError: The vault can't be used.

        Cancelled before the state is used, it has done nothing. From then on it is not to be
        cancelled, and takes at most twenty seconds for each of the provider's answers.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()
        with anyio.CancelScope(shield=True):
            consent = await self._taken(query)
            try:
                connected = await self._connected(consent, query)
            except _EXPECTED as error:
                failure = _failure(error, consent.integration_type)
                await self._end(consent, _outcome(error), str(failure))
            except BaseException:
                # The vault fails, or asyncio's own `Task.cancel` has come through the shield.
                await self._end(consent, "failed", "It was broken off: begin again")
                raise
            else:
                _tell(consent, "active", None)
                return connected
        raise failure

    async def callback_hosts(self) -> frozenset[str]:
        """The hosts of all addresses to which providers send people back, as browsers say them.

        Raises:
            VaultError: The vault can't be used.
        """
        clients = (app.redirect_uri for app in await self._vault.apps.list())
        hosts = (callback_host(uri) for uri in (self._redirect_uri, *clients) if uri)
        return frozenset(filter(None, hosts))

    def display_name(self, integration_type: str) -> str:
        """A type's name for a person."""
        known = self._catalog.get(integration_type)
        return integration_type if known is None else known.display_name

    def _known(self, integration_type: str) -> Integration:
        integration = self._catalog.get(integration_type)
        if integration is None:
            raise UnknownTypeError(
                f"There is no integration type {integration_type!r:.80}; `connectors "
                "list-available` shows all",
                integration_type=integration_type,
            )
        return integration

    async def _app(self, integration_type: str) -> StoredOAuthApp:
        app = await self._vault.apps.get(integration_type)
        if app is None:
            raise ClientMissingError(integration_type)
        return app

    def _own_address(self, integration: Integration) -> str:
        """The backend's own address, if the provider sends anybody there."""
        uri, name = self._redirect_uri, integration.integration_type
        is_elsewhere = uri is not None and listening_port(uri) is None
        problem = None if is_elsewhere else loopback_problem(integration)
        if uri is None or problem is not None:
            raise ConnectingError(problem or _NOWHERE.format(name), integration_type=name)
        return uri

    def _checked(
        self, integration: Integration, config: ConnectionConfig, *, complete: bool = False
    ) -> ConnectionConfig:
        allow = self._allow_local_hosts
        return ConnectionConfig(
            check_config(integration, config, complete=complete, allow_local_hosts=allow)
        )

    async def _taken(self, query: Secret) -> Consent:
        state = callback_state(query.reveal())
        if state is None:
            raise ConnectingError("The address has no state, or more than one: begin again")
        consent = await self._vault.consent_rows.take(state, self._clock())
        if isinstance(consent, Consent):
            return consent
        raise await self._gone(consent, state)

    async def _gone(self, why: ConsentGone, state: Secret) -> ConnectingError:
        earlier = await self._vault.consent_rows.status(state_hash(state), self._clock())
        if why != "used" or earlier is None:
            return ConnectingError(_GONE[why])
        return ConsentOverError(
            earlier.problem or _OVER.get(earlier.outcome, _GONE["used"]),
            integration_type=earlier.integration_type,
            connected=earlier.outcome == "active",
        )

    async def _connected(self, consent: Consent, query: Secret) -> Connected:
        integration = self._known(consent.integration_type)
        app = await self._app(consent.integration_type)
        callback = read_callback(
            integration,
            query.reveal(),
            config=consent.config,
            allow_local_hosts=self._allow_local_hosts,
        )
        known = ConnectionConfig({**consent.config, **callback.captured})
        tokens = await self._exchanged(
            CodeExchange(
                integration,
                app.client,
                code=callback.code,
                verifier=consent.verifier,
                redirect_uri=consent.redirect_uri,
                config=known,
                allow_local_hosts=self._allow_local_hosts,
            )
        )
        grant = self._grant(consent, integration, app, known, tokens)
        connection = await self._vault.complete(consent, grant, self._clock())
        await self._accept(app)
        return Connected(connection, lasts(integration, connection))

    async def _accept(self, app: StoredOAuthApp) -> None:
        """Let it be known that the provider takes the client; nothing is lost if it can't be."""
        try:
            await self._vault.apps.accept(app)
        except VaultError as error:
            emit("warning", "connectors.local.client_untold", error=type(error).__name__)

    async def _exchanged(self, exchange: CodeExchange) -> Tokens:
        tokens = None
        while tokens is None:
            sent_at = self._clock()
            tokens = exchange.receive(await self._send(exchange.request()), sent_at=sent_at)
        return tokens

    async def _send(self, request: Request) -> Response:
        deadline = anyio.current_time() + _DEADLINE
        try:
            return await self._transport.send(attrs.evolve(request, deadline=deadline))
        except TransportError as error:
            problem = f"The provider has not answered: {error}"
        raise ConnectingError(f"{problem}. Begin again")

    def _grant(
        self,
        consent: Consent,
        integration: Integration,
        app: StoredOAuthApp,
        known: ConnectionConfig,
        tokens: Tokens,
    ) -> Grant:
        config = ConnectionConfig({**known, **tokens.captured})
        checked = self._checked(integration, config, complete=True)
        # An empty one says that the values of an earlier account are over; None would keep them.
        has_config = bool(integration.connection_config or integration.captures)
        return Grant(
            consent.integration_type,
            tokens.access_token,
            connection_config=checked if has_config else None,
            scopes=consent.scopes if tokens.scopes is None else tokens.scopes,
            asked=consent.scopes,
            client=GrantedTo(app.client_id, consent.redirect_uri),
            refresh_token=tokens.refresh_token,
            obtained_at=tokens.obtained_at,
            expires_at=tokens.expires_at,
            refresh_expires_at=tokens.refresh_expires_at,
            raw=tokens.raw,
            lock_key=lock_key(integration, app.client_id, consent.connection_id, config),
            source="oauth",
        )

    async def _end(self, consent: Consent, outcome: ConsentEnding, problem: str | None) -> None:
        """Tell who waits for it how it ended; it has ended so whether that can be told or not."""
        try:
            ended = await self._vault.consent_rows.end(
                consent.state_hash, outcome, problem, self._clock()
            )
        except VaultError as error:
            emit("warning", "connectors.local.consent_untold", error=type(error).__name__)
            ended = True
        if ended:
            _tell(consent, outcome, problem)


def _tell(consent: Consent, outcome: ConsentEnding, problem: str | None) -> None:
    emit(
        "info",
        "connectors.local.consent",
        outcome=outcome,
        connection_id=consent.connection_id,
        integration_type=consent.integration_type,
        problem=problem,
    )


def kept_config(
    integration: Integration, app: StoredOAuthApp | None, connection: StoredConnection | None
) -> ConnectionConfig:
    """The values that nobody has to give again: the connection's, and then the client's.

    What the provider has told is left out: it belongs to the account that was connected, and the
    next one may be another.
    """
    told = {capture.name for capture in integration.captures}
    asked = {field.name for field in integration.connection_config} - told
    had = (connection.connection_config if connection else None) or {}
    return ConnectionConfig(
        {
            **((app.config if app else None) or {}),
            **{name: value for name, value in had.items() if name in asked},
        }
    )


def lasts(integration: Integration, connection: StoredConnection) -> bool:
    """Can its token be renewed, or has it no end that is known?"""
    has_one = connection.refresh_token is not None
    return connection.expires_at is None or is_renewable(integration, has_refresh_token=has_one)


_Expected: TypeAlias = ConsentError | TokenError | ConnectingError | ClientMissingError | ValueError
_EXPECTED: Final = (ConsentError, TokenError, ConnectingError, ClientMissingError, ValueError)


def _outcome(error: _Expected) -> ConsentEnding:
    denied = isinstance(error, ConsentError) and error.code in _DENIALS
    return "denied" if denied else "failed"


def _failure(error: _Expected, integration_type: str) -> ConnectingError:
    """The error for the person who tried; it holds nothing of the one that it was."""
    text = str(error)
    if isinstance(error, ClientMissingError):
        text = f"{text} any more: `connectors configure {integration_type}` sets one"
    elif isinstance(error, TokenError) and error.client_rejected:
        text = (
            f"{text}. It refuses the OAuth client, whose id or secret is wrong: "
            f"`connectors configure {integration_type}` sets them"
        )
    return ConnectingError(text, integration_type=integration_type)

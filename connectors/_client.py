"""The client: configuration, credentials and lifetime, and the one place that puts it together.

A client is made once for a process. A view of it, for an incoming request or with other options,
costs nothing: it shares the transport, the coalescer and the retry budget, and only its identity
is its own. Closing the client closes what it made; closing a view closes nothing.
"""

import math
import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, final

import attrs

from connectors._app_user import AppUserConnectors
from connectors._engine import Engine, Options
from connectors._errors import MissingCredentialsError
from connectors._extra_headers import checked_headers, secrets_given, wrapped_headers
from connectors._identity import (
    DEFAULT_SERVER_URL,
    Identity,
    IncomingRequest,
    checked_app_id,
    checked_server_url,
    checked_token,
    read_incoming,
    wrapped_fields,
    wrapped_token,
)
from connectors._management import Management
from connectors._recordings import cassette_transport
from connectors._retry import NO_RETRY, RetryPolicy
from connectors._service_role import ServiceRole, ServiceRoleConnectors
from connectors._view import View
from transports import FieldValue, Secret, Transport

if TYPE_CHECKING:
    from connectors.local import Vault

DEFAULT_TIMEOUT: Final = 30.0


@final
class Client:
    """A client of the connectors service, for one app.

    ```python
    async with Client(app_id="...", service_token="...") as base44:
        connection = await base44.as_service_role.connectors.get_connection("slack")
    ```

    It runs on asyncio, uvloop and trio. It holds no task group: it may be opened in one task and
    closed in another, and it need not be opened at all, only closed.

    Args:
        app_id: The id of the app.
        service_token: The app's service token, for `as_service_role`.
        user_token: The token of an app user, for `connectors`, and named to the service with calls
            whose answer depends on the user.
        api_key: The workspace's API key, for `management`.
        server_url: Where the service is, without `/api`.
        transport: What carries requests; it is not closed with the client. None makes an
            `AiohttpTransport`, which is.
        timeout: Seconds for all attempts of one call and the sleeps between them; `math.inf` for
            no limit.
        retry: A policy; True for the default one, False for a single attempt.
        headers: Fields to send with every request, besides the client's own. A value given as a
            `transports.Secret`, or whose name says that it is one, such as `X-Auth-Token`, is
            taken out of what a server writes, as the tokens are.
        always_on_behalf_of: Name the user also with reads whose answer is the same for all users.
            Then users share no fetch.

    Raises:
        TypeError, ValueError: An argument can't be right; the message holds no credential.
    """

    def __init__(
        self,
        *,
        app_id: str,
        service_token: str | Secret | None = None,
        user_token: str | Secret | None = None,
        api_key: str | Secret | None = None,
        server_url: str = DEFAULT_SERVER_URL,
        transport: Transport | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | bool = True,
        headers: Mapping[str, FieldValue] | None = None,
        always_on_behalf_of: bool = False,
    ) -> None:
        # Wrapped before anything can raise: a traceback shows the arguments of this frame.
        service, user, key = map(wrapped_token, (service_token, user_token, api_key))
        given = wrapped_headers(headers)
        del service_token, user_token, api_key, headers
        identity = Identity(
            app_id=checked_app_id(app_id),
            server_url=checked_server_url(server_url),
            service_token=checked_token("service_token", service),
            user_token=checked_token("user_token", user),
            api_key=checked_token("api_key", key),
            headers=checked_headers(given),
            header_secrets=secrets_given(given),
            always_on_behalf_of=always_on_behalf_of,
        )
        options = Options(_checked_timeout(timeout), _policy(retry))
        self._assemble(View(identity, options, _engine(transport)), owns_engine=True)

    def _assemble(self, view: View, *, owns_engine: bool) -> None:
        self._view = view
        self._owns_engine = owns_engine
        self._service_role = ServiceRole(ServiceRoleConnectors(view))
        self._app_user = AppUserConnectors(view)
        self._management = Management(view)

    def _derived(self, **changes: Identity | Options) -> "Client":
        client = object.__new__(Client)
        client._assemble(attrs.evolve(self._view, **changes), owns_engine=False)  # type: ignore[arg-type]
        return client

    @classmethod
    def from_env(
        cls,
        *,
        transport: Transport | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | bool = True,
        headers: Mapping[str, FieldValue] | None = None,
        always_on_behalf_of: bool = False,
    ) -> "Client":
        """A client from the environment.

        It reads `BASE44_APP_ID`, which has to be there, `BASE44_SERVICE_TOKEN`,
        `BASE44_ACCESS_TOKEN` (a user token), `BASE44_API_KEY` and `BASE44_API_URL`. A variable
        that is empty counts as not there.

        Where `BASE44_CASSETTE` names a file, a client without a transport of its own plays from it,
        or records into it when `BASE44_RECORD_MODE` says so: `connectors record` sets both. What
        was recorded is written when the client is closed.

        Args:
            transport: As for `Client`.
            timeout: As for `Client`.
            retry: As for `Client`.
            headers: As for `Client`.
            always_on_behalf_of: As for `Client`.

        Raises:
            ValueError: `BASE44_APP_ID` is not there, or a value can't be right.
            transports.replay.CassetteError: The cassette can't be used.
        """
        given = wrapped_headers(headers)
        del headers  # A traceback shows the arguments of this frame.
        app_id = os.environ.get("BASE44_APP_ID")
        if not app_id:
            raise ValueError(
                "The environment variable BASE44_APP_ID is not set; `connectors dev` prints the "
                "lines to export for its local backend."
            )
        client = cls(
            app_id=app_id,
            service_token=_secret_variable("BASE44_SERVICE_TOKEN"),
            user_token=_secret_variable("BASE44_ACCESS_TOKEN"),
            api_key=_secret_variable("BASE44_API_KEY"),
            server_url=os.environ.get("BASE44_API_URL") or DEFAULT_SERVER_URL,
            transport=transport,
            timeout=timeout,
            retry=retry,
            headers=given,  # type: ignore[arg-type] # It says so itself if they are of a wrong type.
            always_on_behalf_of=always_on_behalf_of,
        )
        cassette = cassette_transport(os.environ) if transport is None else None
        if cassette is not None:
            engine = Engine(cassette, owns_transport=True)
            client._assemble(attrs.evolve(client._view, engine=engine), owns_engine=True)
        return client

    @classmethod
    def from_request(
        cls,
        request: IncomingRequest | Mapping[str, str],
        *,
        transport: Transport | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | bool = True,
        headers: Mapping[str, FieldValue] | None = None,
        always_on_behalf_of: bool = False,
    ) -> "Client":
        """A client with the identity that an incoming request carries.

        It takes the app, the credentials, the server, `Base44-State` and `X-Data-Env` from the
        headers and has to be closed like every client. A program that serves many requests makes
        one client and calls `for_request`.

        Args:
            request: Anything with `headers`, or a mapping of them; names in any case.
            transport: As for `Client`.
            timeout: As for `Client`.
            retry: As for `Client`.
            headers: As for `Client`.
            always_on_behalf_of: As for `Client`.

        Raises:
            ValueError: `Base44-App-Id` is not there, or a header can't be right.
        """
        fields, given = wrapped_fields(request), wrapped_headers(headers)
        del request, headers  # A traceback shows the arguments of this frame.
        incoming = read_incoming(fields)
        if incoming.app_id is None:
            raise ValueError(
                "Base44-App-Id header is required, but it was not found on the request."
            )
        client = cls(
            app_id=incoming.app_id,
            service_token=incoming.service_token,
            user_token=incoming.user_token,
            server_url=incoming.server_url or DEFAULT_SERVER_URL,
            transport=transport,
            timeout=timeout,
            retry=retry,
            headers=given,  # type: ignore[arg-type] # It says so itself if they are of a wrong type.
            always_on_behalf_of=always_on_behalf_of,
        )
        identity = attrs.evolve(client._view.identity, passed_on=incoming.passed_on)
        client._assemble(attrs.evolve(client._view, identity=identity), owns_engine=True)
        return client

    @classmethod
    def local(
        cls,
        *,
        vault: "Vault | str | os.PathLike[str] | None" = None,
        app_id: str = "local",
        user: str | None = None,
        provider_transport: Transport | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> "Client":
        """A client of a local backend in this process, with all the credentials it needs.

        There is no server: requests go straight to the backend over a vault, on asyncio and on
        trio. The network is used for what only a provider can do: renew and revoke tokens, and
        answer `call_api`. It needs the extra `local`.

        Args:
            vault: The vault's file; None is the one that the `connectors` command uses. A `Vault`
                stays open when the client is closed.
            app_id: Whose connections are meant.
            user: The app user on whose behalf the client acts.
            provider_transport: What carries requests to the providers; it is not closed with the
                client. None makes an `AiohttpTransport` when it is needed, which is.
            timeout: As for `Client`.

        Raises:
            TypeError, ValueError: An argument can't be right.
        """
        from connectors.local import local_credentials  # noqa: PLC0415 - heavy, and an extra.

        if provider_transport is not None:
            _check_transport("provider_transport", provider_transport)
        credentials = local_credentials(
            vault=vault, user=user, provider_transport=provider_transport
        )
        client = object.__new__(cls)
        identity = Identity(
            app_id=checked_app_id(app_id),
            server_url="http://local.invalid",
            service_token=credentials.service_token,
            user_token=credentials.user_token,
            api_key=credentials.api_key,
        )
        engine = Engine(credentials.transport, owns_transport=True)
        options = Options(_checked_timeout(timeout), _policy(retry=True))
        client._assemble(View(identity, options, engine), owns_engine=True)
        return client

    def for_request(self, request: IncomingRequest | Mapping[str, str]) -> "Client":
        """A view of this client for one incoming request.

        The user token, `Base44-State` and `X-Data-Env` are the request's and never this client's.
        A service token in the request takes the place of the client's. The app and the server stay
        the client's, because a header must not choose where its credentials go. The view shares
        all else and need not be closed.

        Args:
            request: Anything with `headers`, or a mapping of them; names in any case.

        Raises:
            ValueError: The request is for another app, or a header can't be right.
        """
        fields = wrapped_fields(request)
        del request  # A traceback shows the arguments of this frame.
        incoming = read_incoming(fields)
        identity = self._view.identity
        if incoming.app_id not in {None, identity.app_id}:
            raise ValueError(
                f"The request is for the app {incoming.app_id!r} and this client for "
                f"{identity.app_id!r}; Client.from_request() makes a client for the request's."
            )
        return self._derived(
            identity=attrs.evolve(
                identity,
                service_token=incoming.service_token or identity.service_token,
                user_token=incoming.user_token,
                passed_on=incoming.passed_on,
            )
        )

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retry: RetryPolicy | bool | None = None,
    ) -> "Client":
        """A view of this client that is more or less patient.

        Args:
            timeout: Seconds for all attempts of one call; None leaves it as it is.
            retry: As for `Client`; None leaves it as it is.
        """
        old = self._view.options
        return self._derived(
            options=Options(
                old.timeout if timeout is None else _checked_timeout(timeout),
                old.retry if retry is None else _policy(retry),
            )
        )

    @property
    def as_service_role(self) -> ServiceRole:
        """What the app's backend may do.

        Raises:
            MissingCredentialsError: The client has no service token.
        """
        if self._view.identity.service_token is None:
            raise MissingCredentialsError(
                "The service role needs a service token: give the client service_token=..., or set "
                "BASE44_SERVICE_TOKEN and use Client.from_env()"
            )
        return self._service_role

    @property
    def connectors(self) -> AppUserConnectors:
        """What the current app user may do with connections of that user's own."""
        return self._app_user

    @property
    def management(self) -> Management:
        """What the workspace may do with the app's connectors."""
        return self._management

    async def aclose(self) -> None:
        """End every call with `ClientClosedError` and free what the client made.

        It may be called twice, and from another task than the one that made the client. On a view
        it does nothing. Cancelled, it still closes a transport that the client made.
        """
        if self._owns_engine:
            await self._view.engine.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        identity = self._view.identity
        held = {
            "service_token": identity.service_token,
            "user_token": identity.user_token,
            "api_key": identity.api_key,
        }
        has = ", ".join(name for name, secret in held.items() if secret) or "no credentials"
        state = " closed" if self._view.engine.closed else ""
        return f"<Client app_id={identity.app_id!r} at {identity.server_url} with {has}{state}>"


def _secret_variable(name: str) -> Secret | None:
    value = os.environ.get(name)
    return Secret(value) if value else None


def _checked_timeout(timeout: float) -> float:
    # What is larger than any float could not be added to a clock.
    if isinstance(timeout, int | float) and (
        0 < timeout <= sys.float_info.max or timeout == math.inf
    ):
        return float(timeout)
    raise ValueError(f"timeout must be a number of seconds above 0, not {timeout!r}.")


def _policy(retry: RetryPolicy | bool) -> RetryPolicy:  # noqa: FBT001 - True is the default one.
    if isinstance(retry, RetryPolicy):
        return retry
    if isinstance(retry, bool):
        return RetryPolicy() if retry else NO_RETRY
    raise TypeError(f"retry must be a RetryPolicy, True or False, not {type(retry).__name__}.")


def _engine(transport: Transport | None) -> Engine:
    if transport is None:
        from transports.aiohttp import AiohttpTransport  # noqa: PLC0415 - heavy, and not needed by all.

        return Engine(AiohttpTransport(), owns_transport=True)
    _check_transport("transport", transport)
    return Engine(transport, owns_transport=False)


def _check_transport(name: str, transport: object) -> None:
    if not isinstance(transport, Transport):
        raise TypeError(
            f"{name} must have send() and aclose(), and {type(transport).__name__} has not."
        )

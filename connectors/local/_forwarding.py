"""Calls a provider's API on an app's behalf, with a token that the app never sees.

What comes from the app decides the method, the path, the query, the body and a few header fields,
and nothing else: not the host, unless the integration type declares it, not where a redirect leads,
because none is followed, and not the credential.

A token that the provider refuses is renewed, and the call sent once more: it was refused, so it was
not executed, whatever its method. All of that has one deadline.
"""

from contextlib import suppress
from typing import Final, final

import anyio
import attrs

from connectors._events import emit
from connectors._requests import rejected_digest
from connectors._version import __version__
from connectors.catalog import Integration
from connectors.local._answers import Refusal, not_connected
from connectors.local._calls import Call
from connectors.local._destinations import Values, destination, values_of
from connectors.local._envelopes import envelope, phase
from connectors.local._oauth._templates import filled
from connectors.local._oauth._values import is_sendable
from connectors.local._records import StoredConnection
from connectors.local._refresh import ConnectionUnusableError, TokenKeeper
from transports import FieldValue, Headers, Request, Response, Secret, Transport, TransportError

# Less than a client waits for its own request, so that it hears how this one has ended.
_DEADLINE: Final = 25.0
_LARGEST: Final = 16 * 1024 * 1024
_UNAUTHORIZED: Final = 401
_USER_AGENT: Final = f"base44-connectors/{__version__}"
_SENT: Final = frozenset(
    {
        "accept",
        "accept-language",
        "content-disposition",
        "content-language",
        "content-range",
        "content-type",
        "idempotency-key",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "prefer",
        "range",
    }
)
"""What an app may set for every API."""


@final
class Forwarder:
    """Sends calls to providers.

    Args:
        keeper: Has the tokens.
        transport: The way to the providers; it is not closed here.
        allow_local_hosts: As for `connectors.catalog.check_config`.
        deadline: Seconds for all of a call.
    """

    def __init__(
        self,
        keeper: TokenKeeper,
        transport: Transport,
        *,
        allow_local_hosts: bool = False,
        deadline: float = _DEADLINE,
    ) -> None:
        self._keeper = keeper
        self._transport = transport
        self._allow_local_hosts = allow_local_hosts
        self._deadline = deadline

    async def forward(
        self, call: Call, integration: Integration, connection: StoredConnection
    ) -> Response:
        """Make a call, and tell how it ended in the protocol's envelope.

        Args:
            call: What the app wants.
            integration: The type of the connection.
            connection: The connection, as it is before its token is looked at.

        Raises:
            ConnectionUnusableError: There is no good token.
            Refusal: The call goes to no path or host that it may go to, or the connection is gone.
            VaultError: The vault can't be used.

        Cancelled, it ends at once, and whether the provider has executed the call is not known.
        """
        deadline = anyio.current_time() + self._deadline
        self._request(call, integration, connection)  # Nothing is renewed for what can't be sent.
        good = await self._keeper.connection(connection.owner)
        if good is None:
            raise not_connected()
        result = await self._send(call, integration, good, deadline)
        if isinstance(result, Response) and result.status == _UNAUTHORIZED:
            renewed = await self._renewed(good, deadline)
            if renewed is not None:
                good = renewed
                result = await self._send(call, integration, good, deadline)
        assert good.access_token is not None
        return envelope(result, integration, good.access_token)

    async def _renewed(self, refused: StoredConnection, deadline: float) -> StoredConnection | None:
        """The connection with another token than the refused one; None if there is no other.

        Then the refusal is the result, as every other answer is.
        """
        assert refused.access_token is not None
        rejected, renewed = rejected_digest(refused.access_token), None
        with suppress(ConnectionUnusableError), anyio.CancelScope(deadline=deadline):
            renewed = await self._keeper.connection(refused.owner, rejected=rejected)
        if renewed is None or renewed.access_token == refused.access_token:
            return None
        return renewed

    async def _send(
        self,
        call: Call,
        integration: Integration,
        connection: StoredConnection,
        deadline: float,
    ) -> Response | TransportError:
        request = self._request(call, integration, connection)
        began = anyio.current_time()
        result: Response | TransportError
        try:
            result = await self._transport.send(attrs.evolve(request, deadline=deadline))
        except TransportError as error:
            result = error
        emit(
            "debug",
            "connectors.local.call",
            integration_type=integration.integration_type,
            method=call.method,
            host=request.url.split("/")[2],
            phase=phase(result),
            status=result.status if isinstance(result, Response) else None,
            seconds=round(anyio.current_time() - began, 4),
        )
        return result

    def _request(
        self, call: Call, integration: Integration, connection: StoredConnection
    ) -> Request:
        values = values_of(connection, integration, allow_local_hosts=self._allow_local_hosts)
        return Request(
            call.method,
            destination(call, integration, values),
            _headers(call, integration, values, connection.access_token),
            call.body,
            max_body=_LARGEST,
            # It is for the app to say whether it may be repeated.
            idempotent=False,
        )


def _headers(call: Call, integration: Integration, values: Values, token: Secret | None) -> Headers:
    allowed = _SENT.union(name.lower() for name in integration.api.optional_headers)
    asked = {name: call.headers[name] for name in call.headers if name in allowed}
    own = {
        name.lower(): value
        for name, template in integration.api.headers.items()
        if (value := filled(template, values)) is not None
    }
    credential = {} if token is None else {"authorization": Secret(f"Bearer {token.reveal()}")}
    kept = {**own, **credential}
    unsendable = next((name for name in kept if not is_sendable(kept[name])), None)
    if unsendable is not None:
        raise Refusal(
            409,
            f"The connection has a value for the header '{unsendable}' that no header can hold; "
            "connect it again",
            code="CONNECTION_CONFIG",
        )
    fields: dict[str, FieldValue] = {"accept": "*/*", "user-agent": _USER_AGENT, **own, **asked}
    return Headers({**fields, **credential})

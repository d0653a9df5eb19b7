"""The connectors API of this machine: `handle(Request) -> Response` over a vault.

No socket is in here: a server stands before it, or a client directly. What it keeps lies in the
vault; what it does behind its callers' backs, renewing tokens and revoking them, ends when it is
closed. A request is routed first, then its sender is identified and let through, and only then is
anything else of it looked at.

Whatever comes in, an answer goes out: JSON, in the protocol's words, and a page for the person whom
a provider sends back. Only cancellation passes.
"""

import re
import time
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Final, Self, final

import anyio

from connectors._events import emit
from connectors.catalog import Integration, integrations
from connectors.local._answers import Refusal, internal_error, vault_failure
from connectors.local._authority import Authority
from connectors.local._callback import CallbackPage
from connectors.local._connecting import Consents
from connectors.local._errors import VaultError
from connectors.local._forwarding import Forwarder
from connectors.local._management_routes import MANAGEMENT_ROUTES
from connectors.local._providers import Providers
from connectors.local._redirects import CALLBACK_PATH
from connectors.local._refresh import RefreshPolicy, TokenKeeper
from connectors.local._refresh._sweeper import Sweeper
from connectors.local._routing import RoutedRequest, find_route, is_at, place_of
from connectors.local._services import Services
from connectors.local._token_routes import TOKEN_ROUTES
from connectors.local._vault import Vault
from transports import Request, Response, Transport

_ROUTES: Final = (*TOKEN_ROUTES, *MANAGEMENT_ROUTES)
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


@final
class LocalBackend:
    """Answers the requests of the connectors API from a vault.

    It serves every app id: a connection belongs to the app under which it was put in. It runs on
    asyncio and on trio, and any number of requests at a time. It has to be closed, or used with
    `async with`.

    Args:
        vault: Where connections are kept; it is not closed here.
        authority: Who may ask.
        transport: The way to the providers, which is not closed here. None makes an
            `AiohttpTransport` when it is needed, which is.
        catalog: The integration types, if they are not those of `connectors.catalog`.
        redirect_uri: The address under which providers find `/oauth/callback` of this backend, for
            OAuth clients that have no address of their own; None when nobody listens.
        policy: How patiently tokens are renewed.
        clock: The wall clock, in Unix seconds.
        allow_local_hosts: As for `connectors.catalog.check_config`.

    Raises:
        ValueError: The redirect URI is neither https nor this machine's `/oauth/callback`.
    """

    def __init__(
        self,
        vault: Vault,
        authority: Authority,
        *,
        transport: Transport | None = None,
        catalog: Mapping[str, Integration] | None = None,
        redirect_uri: str | None = None,
        policy: RefreshPolicy | None = None,
        clock: Callable[[], float] = time.time,
        allow_local_hosts: bool = False,
    ) -> None:
        self._authority = authority
        known = integrations() if catalog is None else catalog
        providers = Providers(transport)
        keeper = TokenKeeper(
            vault,
            providers,
            catalog=known,
            policy=policy,
            clock=clock,
            allow_local_hosts=allow_local_hosts,
        )
        consents = Consents(
            vault,
            providers,
            catalog=known,
            redirect_uri=redirect_uri,
            clock=clock,
            allow_local_hosts=allow_local_hosts,
        )
        self._page = CallbackPage(consents)
        forwarder = Forwarder(keeper, providers, allow_local_hosts=allow_local_hosts)
        self._services = Services(vault, known, clock, providers, keeper, consents, forwarder)

    async def handle(self, request: Request, /) -> Response:
        """Answer a request, whatever it is; errors are answers too.

        Cancelled, it ends when the vault has finished or undone what it had begun, and so does a
        consent that has begun to be completed. What a token is renewed with goes on.
        """
        began = anyio.current_time()
        response = await self._answered(request)
        _report(request, response, anyio.current_time() - began)
        echoed = _echoed(request)
        if not echoed:
            return response
        return Response(
            response.status, response.headers.merged(echoed), response.body, source="local"
        )

    async def callback_hosts(self) -> Collection[str]:
        """The hosts of all addresses to which providers send people back, as of now.

        A tunnel passes them on, so `serve` takes this as its `callback_hosts`.

        Raises:
            VaultError: The vault can't be used.
        """
        return await self._services.consents.callback_hosts()

    async def sweep(self, *, interval: float = 600.0) -> None:
        """Until cancelled, do now and then what no request does.

        Connections that nobody uses are kept alive, accounts that were disconnected are told to
        their providers, and consents that nobody has given are forgotten. One process of a vault
        that does it is enough, and several do no harm.

        Args:
            interval: Seconds between two passes, more or less.
        """
        services = self._services
        sweeper = Sweeper(services.vault, services.keeper, services.catalog, services.clock)
        await sweeper.run(interval)

    async def aclose(self) -> None:
        """End what goes on. It may be repeated.

        What has been sent to a provider is waited for, at most until its deadline, because the
        answer may hold the only token that is good. Cancellation does not shorten that.
        """
        with anyio.CancelScope(shield=True):
            await self._services.keeper.aclose()
            await self._services.providers.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _answered(self, request: Request) -> Response:
        try:
            if is_at(request, CALLBACK_PATH):
                return await self._page.handle(request)
            return await self._answer(request)
        except Refusal as refusal:
            return refusal.response
        except VaultError as error:
            return vault_failure(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours is an answer as well.
            return internal_error(error)

    async def _answer(self, request: Request) -> Response:
        place = place_of(request)
        match = find_route(_ROUTES, request.method, place.path)
        principal = self._authority.identify(request.headers)
        match.route.access.check(principal)
        routed = RoutedRequest(
            self._services,
            principal,
            match.app_id,
            match.name,
            place.query,
            request.headers,
            request.body,
        )
        return await match.route.handler(routed)

    def __repr__(self) -> str:
        return f"<LocalBackend over {self._services.vault!r}>"


def _echoed(request: Request) -> Mapping[str, str]:
    # Only what can't be anything but an id comes back.
    given = request.headers.get("x-request-id", "")
    return {"x-request-id": given} if _SANE_ID.fullmatch(given) else {}


def _report(request: Request, response: Response, seconds: float) -> None:
    emit(
        "debug",
        "connectors.local.request",
        method=request.method,
        # Without the query: it may hold what nobody should read.
        url=request.url.partition("?")[0],
        status=response.status,
        seconds=round(seconds, 4),
    )

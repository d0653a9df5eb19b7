"""The connectors API of this machine: `handle(Request) -> Response` over a vault.

It is as pure as something with a vault can be: no socket, no clock but the one that measures it, no
state of its own. A server stands before it, or a client directly. A request is routed first, then
its sender is identified and let through, and only then is anything else of it looked at.

Whatever comes in, an answer goes out: JSON, in the protocol's words. Only cancellation passes.
"""

import re
from collections.abc import Mapping
from typing import Final, final

import anyio

from connectors._events import emit
from connectors.local._answers import Refusal, internal_error, vault_failure
from connectors.local._authority import Authority
from connectors.local._errors import VaultError
from connectors.local._management_routes import MANAGEMENT_ROUTES
from connectors.local._routing import RoutedRequest, find_route, place_of
from connectors.local._token_routes import TOKEN_ROUTES
from connectors.local._vault import Vault
from transports import Request, Response

_ROUTES: Final = (*TOKEN_ROUTES, *MANAGEMENT_ROUTES)
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


@final
class LocalBackend:
    """Answers the requests of the connectors API from a vault.

    It serves every app id: a connection belongs to the app under which it was put in. It runs on
    asyncio and on trio, and any number of requests at a time.

    Args:
        vault: Where connections are kept; it is not closed here.
        authority: Who may ask.
    """

    def __init__(self, vault: Vault, authority: Authority) -> None:
        self._vault = vault
        self._authority = authority

    async def handle(self, request: Request, /) -> Response:
        """Answer a request, whatever it is; errors are answers too.

        Cancelled, it ends when the vault has finished or undone what it had begun.
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

    async def _answered(self, request: Request) -> Response:
        try:
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
            self._vault, principal, match.app_id, match.name, place.query, request.body
        )
        return await match.route.handler(routed)

    def __repr__(self) -> str:
        return f"<LocalBackend over {self._vault!r}>"


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

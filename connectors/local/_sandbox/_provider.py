"""A provider for development: it plays every type of the catalogue, with no account anywhere.

`handle(Request) -> Response` is all of it, so it can be put on a port (`serve_sandbox`) or under an
OAuth engine in this process (`SandboxTransport`). Below the name of each type are its endpoints:

    /{type}/authorize   the consent page, and its answer
    /{type}/token/0     from the code to a token, in as many steps as the type has
    /{type}/refresh     from a token to the next
    /{type}/revoke      the end of a token
    /{type}/api/...     what the tokens are for

What a type does differently is read from the catalogue, as the engine does: nothing here knows a
type by name. State is in memory and bounded; it ends with the process.
"""

import math
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import lru_cache, partial
from typing import Final, TypeVar, final

import attrs

from connectors.catalog import Integration
from connectors.catalog import integrations as catalogue
from connectors.local._answers import Refusal, internal_error
from connectors.local._oauth import OAuthClient
from connectors.local._routing import place_of
from connectors.local._sandbox._accounts import ACCOUNTS, Account, find_account
from connectors.local._sandbox._addresses import is_local
from connectors.local._sandbox._asked import Asked, client_id
from connectors.local._sandbox._authorizing import Authorizing
from connectors.local._sandbox._consent import redirect_problem
from connectors.local._sandbox._faults import Fault, Faults
from connectors.local._sandbox._grants import Grants
from connectors.local._sandbox._problems import OAuthProblem, invalid_request
from connectors.local._sandbox._resource import ResourceServer
from connectors.local._sandbox._sandboxed import LIFETIME, moved, sandboxed
from connectors.local._sandbox._shelf import mint
from connectors.local._sandbox._stats import Stats, Tally
from connectors.local._sandbox._token_endpoint import TokenEndpoint
from transports import Request, Response, Secret

_T = TypeVar("_T")

_LIMIT: Final = 10_000
_MOST_MOVED: Final = 256
_CONTROL: Final = ("-", "faults")


@final
class SandboxProvider:
    """An authorization server and an API for each type, on this machine only.

    It runs on asyncio and on trio, in one event loop at a time. A request that came to another
    name than that of this machine is refused.

    Args:
        lifetime: Seconds that an access token lives, at least one.
        redirect_uris: Addresses of other machines that a code may be sent to.
        clock: The time, in seconds since 1970.
        faults: Let `POST /-/faults` add faults; `inject` always may.
        limit: How many codes, pages and tokens of each kind are remembered.
        integrations: The types that it plays.

    Raises:
        ValueError: A value is out of its range, or a redirect URI is none.
    """

    def __init__(
        self,
        *,
        lifetime: float = LIFETIME,
        redirect_uris: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
        faults: bool = False,
        limit: int = _LIMIT,
        integrations: Mapping[str, Integration] | None = None,
    ) -> None:
        allowed = frozenset(redirect_uris)
        _check(lifetime, limit, allowed)
        self._integrations = catalogue() if integrations is None else integrations
        self._lifetime = lifetime
        self._moved = _mover(self._integrations, lifetime)
        self._client_secret = mint("secret")
        self._tally = Tally()
        grants = Grants(lifetime, clock, limit, self._tally)
        self._authorizing = Authorizing(grants, allowed, clock, limit, self._tally)
        self._tokens = TokenEndpoint(grants, self._client_secret, self._tally)
        self._resource = ResourceServer(grants, self._tally)
        self._faults = Faults()
        self._may_inject = faults
        self._endpoints: Mapping[str, Callable[[Asked], Awaitable[Response]]] = {
            "authorize": self._authorize,
            "token": self._token,
            "refresh": self._refresh,
            "revoke": self._revoke,
            "api": self._api,
        }

    @property
    def stats(self) -> Stats:
        """What has happened so far."""
        return self._tally.stats()

    def stats_of(self, integration_type: str) -> Stats:
        """What has happened to one type."""
        return self._tally.stats(integration_type)

    def integrations(self, origin: str) -> Mapping[str, Integration]:
        """Every type as it is here, for an engine.

        Args:
            origin: Where this is reached, such as `http://127.0.0.1:8045`.

        Raises:
            ValueError: The origin is no address of this machine.
        """
        return {
            name: sandboxed(integration, origin, lifetime=self._lifetime)
            for name, integration in self._integrations.items()
        }

    def inject(self, fault: Fault, times: int = 1) -> None:
        """Have a fault happen to the next calls for tokens, after those that were added before."""
        self._faults.add(fault, times)

    def client(self, integration_type: str) -> OAuthClient:
        """The one client of a type: its id is always the same, its secret is of this sandbox."""
        return OAuthClient(client_id(integration_type), self._client_secret)

    def approve(self, authorization_url: Secret, account: str = ACCOUNTS[0].name) -> Secret:
        """Consent without a browser.

        Args:
            authorization_url: Where the client sends its user.
            account: Who consents: `ada`, `ben` or `cleo`.

        Returns:
            The address that the user's browser would be sent to: with a code, or with the error
            that the client has made.

        Raises:
            ValueError: There is no such account, or the page would show a problem.
        """
        found = find_account(account)
        if found is None:
            names = ", ".join(repr(known.name) for known in ACCOUNTS)
            raise ValueError(f"The sandbox has no account {account!r:.40}; it has {names}.")
        return _checked(self._answer(authorization_url, found))

    def deny(self, authorization_url: Secret) -> Secret:
        """Refuse consent without a browser.

        Returns:
            The address that the user's browser would be sent to.

        Raises:
            ValueError: The page would show a problem.
        """
        return _checked(self._answer(authorization_url, None))

    async def handle(self, request: Request, /) -> Response:
        """Answer a request, whatever it is; errors are answers too.

        Cancelled while a fault makes it wait, it ends at once.
        """
        try:
            return await self._handled(request)
        except Refusal as refusal:
            return refusal.response
        except Exception as error:  # noqa: BLE001 - a fault of ours is an answer as well.
            return internal_error(error)

    async def _handled(self, request: Request) -> Response:
        if self._may_inject and place_of(request).path == _CONTROL:
            _demand_method(request, "POST")
            return self._faults.read(request)
        endpoint, asked = self._asked(request)
        return await self._endpoints[endpoint](asked)

    def _asked(self, request: Request) -> tuple[str, Asked]:
        place = place_of(request)
        origin = "/".join(request.url.split("/", 3)[:3])
        if not is_local(origin):
            raise Refusal(421, "The sandbox is for the machine that it runs on, and for no other")
        name, endpoint, rest = place.path[0], "".join(place.path[1:2]), place.path[2:]
        if name not in self._integrations or endpoint not in self._endpoints:
            raise Refusal(404, "The sandbox has no such type, or the type no such endpoint")
        return endpoint, Asked(self._moved(name, origin), request, origin, rest, place.query)

    async def _authorize(self, asked: Asked) -> Response:
        _demand_method(asked.request, "GET", "POST")
        answers = {"GET": self._authorizing.page, "POST": self._authorizing.decide}
        return answers[asked.request.method](asked)

    async def _token(self, asked: Asked) -> Response:
        steps = asked.integration.token
        index = {str(index): index for index in range(len(steps))}.get("".join(asked.path[:1]))
        if index is None:
            raise Refusal(404, "This type has no such step to a token")
        _demand_method(asked.request, steps[index].call.method)
        below = attrs.evolve(asked, path=asked.path[1:])
        return await self._faults.around(partial(self._tokens.token, below, index))

    async def _refresh(self, asked: Asked) -> Response:
        step = _offered(asked.integration.refresh.call)
        _demand_method(asked.request, step.call.method)
        return await self._faults.around(partial(self._tokens.refresh, asked, step))

    async def _revoke(self, asked: Asked) -> Response:
        call = _offered(asked.integration.revocation)
        _demand_method(asked.request, call.method)
        return self._tokens.revoke(asked, call)

    async def _api(self, asked: Asked) -> Response:
        return self._resource.call(asked)

    def _answer(self, authorization_url: Secret, account: Account | None) -> Secret | OAuthProblem:
        try:
            endpoint, asked = self._asked(Request("GET", authorization_url.reveal()))
        except (Refusal, ValueError):
            return invalid_request("It does not lead to the sandbox")
        if endpoint != "authorize":
            return invalid_request("It does not lead to a consent page")
        return self._authorizing.answer(asked, account)

    def __repr__(self) -> str:
        return f"<SandboxProvider of {len(self._integrations)} types, {self.stats}>"


def _mover(
    integrations: Mapping[str, Integration], lifetime: float
) -> Callable[[str, str], Integration]:
    @lru_cache(maxsize=_MOST_MOVED)
    def move(name: str, origin: str) -> Integration:
        return moved(integrations[name], origin, lifetime)

    return move


def _demand_method(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise Refusal(405, "Method Not Allowed", headers={"allow": ", ".join(methods)})


def _offered(call: _T | None) -> _T:
    if call is None:
        raise Refusal(404, "This type has no such endpoint")
    return call


def _checked(answer: Secret | OAuthProblem) -> Secret:
    if isinstance(answer, OAuthProblem):
        raise ValueError(f"The authorization URL is refused. {answer.description}.")  # noqa: TRY004
    return answer


def _check(lifetime: float, limit: int, redirect_uris: Collection[str]) -> None:
    if not 1 <= lifetime < math.inf:
        raise ValueError(f"lifetime must be a number of seconds from 1 on, not {lifetime!r}.")
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit!r}.")
    for address in redirect_uris:
        problem = redirect_problem(address, redirect_uris)
        if problem is not None:
            raise ValueError(f"The redirect URI {address!r:.80} is refused: {problem}.")

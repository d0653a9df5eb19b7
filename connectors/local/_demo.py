"""The main job, measured: an account is connected, and asked for as often as a busy program does.

A sandbox plays the provider. The account is connected by a real code flow with PKCE, its tokens
live for seconds and rotate, so the backend has to renew them while it is asked. What calls cost is
counted where it arrives: by the backend.

First the calls come all at once, by hand and with the SDK. The one by hand is what anybody would
write first, aiohttp's session with its defaults and `asyncio.gather`, and no worse than that. Then
as many come over a while that is longer than a token lives, and each token that is handed out is
tried at the provider at once.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol, TypeAlias, final

import aiohttp
import attrs

from connectors._client import Client
from connectors.catalog import Integration
from connectors.local._api import LocalBackend
from connectors.local._authority import vault_authority
from connectors.local._connecting import Consents
from connectors.local._oauth_records import OAuthApp
from connectors.local._records import Owner
from connectors.local._redirects import CALLBACK_PATH
from connectors.local._sandbox import SandboxProvider, SandboxTransport, serve_sandbox
from connectors.local._serving import serve
from connectors.local._vault import Vault
from transports import Request, Response, Secret

CALLS: Final = 10_000
LIFETIME: Final = 6.0
"""Seconds that an access token of the demo lives."""

WHILE: Final = 1.5 * LIFETIME
"""Seconds in which the calls come that don't come at once: the first token does not outlive it."""

_APP: Final = "demo"
_TYPE: Final = "linear"
_WAVES: Final = 40
# So often a token is tried again: ten thousand tries would be a measurement of the provider.
_TRIED_AGAIN: Final = 0.05

Step: TypeAlias = Callable[[], None]
"""Called when one more call has ended, well or not."""


@attrs.frozen
class Measured:
    """What became of a number of calls."""

    calls: int
    answered: int
    """Calls that got a token; where tokens are tried, one that the provider took."""
    reached: int
    """Requests that the backend has seen."""
    tokens: int
    """How many different tokens were handed out."""
    seconds: float
    errors: Mapping[str, int]
    """How many calls failed, by the kind of their error."""


class Counting(Protocol):
    """Counts the requests that reach a backend."""

    @property
    def requests(self) -> int:
        """How many there were so far."""
        ...


class RefusedTokenError(Exception):
    """Raised when the provider does not take a token that was handed out."""


@final
class Demo:
    """A running backend with an account that is connected, and the ways to ask it."""

    def __init__(
        self, url: str, service_token: Secret, backend: Counting, provider: "_Provider"
    ) -> None:
        self.url = url
        """Where the backend is."""
        self.backend = backend
        """It, or what counts for it."""
        self.provider = provider
        """Who grants the tokens."""
        self._service_token = service_token

    async def by_hand(self, calls: int, step: Step) -> Measured:
        """Ask all at once, as one would write it without an SDK."""
        url = f"{self.url}/api/apps/{_APP}/external-auth/tokens/{_TYPE}"
        headers = {"Authorization": f"Bearer {self._service_token.reveal()}", "X-App-Id": _APP}
        async with aiohttp.ClientSession(headers=headers) as session:

            async def get_token() -> str:
                async with session.get(url) as response:
                    response.raise_for_status()
                    return str((await response.json())["access_token"])

            return await self._measured(get_token, calls, step)

    async def with_sdk(self, calls: int, step: Step) -> Measured:
        """Ask all at once through a client, with its defaults."""
        async with self._client() as base44:
            get = base44.as_service_role.connectors.get_connection

            async def get_token() -> str:
                return (await get(_TYPE)).access_token

            return await self._measured(get_token, calls, step)

    async def for_a_while(self, calls: int, step: Step, seconds: float = WHILE) -> Measured:
        """Ask through a client again and again, and try each token at the provider."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        waves = min(_WAVES, calls)
        async with self._client() as base44:
            get = base44.as_service_role.connectors.get_connection

            async def get_token(number: int) -> str:
                wave = number * waves // calls
                await asyncio.sleep(began + wave * seconds / waves - loop.time())
                token = (await get(_TYPE)).access_token
                await self.provider.try_token(token)
                return token

            numbers = iter(range(calls))
            return await self._measured(lambda: get_token(next(numbers)), calls, step)

    def _client(self) -> Client:
        return Client(app_id=_APP, service_token=self._service_token, server_url=self.url)

    async def _measured(
        self, get_token: Callable[[], Awaitable[str]], calls: int, step: Step
    ) -> Measured:
        before, began = self.backend.requests, time.perf_counter()
        ended = await asyncio.gather(*(_ending(get_token(), step) for _ in range(calls)))
        seconds = time.perf_counter() - began
        tokens = [end.token for end in ended if end.token is not None]
        return Measured(
            calls=calls,
            answered=len(tokens),
            reached=self.backend.requests - before,
            tokens=len(set(tokens)),
            seconds=seconds,
            errors=Counter(end.error for end in ended if end.error is not None),
        )


@asynccontextmanager
async def demo() -> AsyncIterator[Demo]:
    """A backend on a free port over a vault in a temporary folder, with one account connected.

    Cancelled or not, nothing of it is left in the end.
    """
    sandbox = SandboxProvider(lifetime=LIFETIME)
    with TemporaryDirectory(prefix="connectors-demo-") as folder:
        async with Vault(Path(folder) / "vault.db") as vault, serve_sandbox(sandbox) as provider:
            types = sandbox.integrations(provider.url)
            authority = await vault_authority(vault)
            backend = LocalBackend(vault, authority, catalog=types, allow_local_hosts=True)
            async with backend, serve(counting := _CountingBackend(backend)) as server:
                await _connect(vault, sandbox, types, server.url)
                tried = _Provider(sandbox, types[_TYPE].api.base_url)
                yield Demo(server.url, authority.service_token, counting, tried)


async def _connect(
    vault: Vault, sandbox: SandboxProvider, types: Mapping[str, Integration], url: str
) -> None:
    """What a person would do in a browser, with the same requests."""
    await vault.apps.configure(OAuthApp(_TYPE, sandbox.client(_TYPE)))
    consents = Consents(
        vault, SandboxTransport(sandbox), catalog=types, redirect_uri=f"{url}{CALLBACK_PATH}"
    )
    begun = await consents.begin(Owner.app(_APP, _TYPE), _TYPE)
    came_back = sandbox.approve(begun.url)
    async with aiohttp.ClientSession() as browser, browser.get(came_back.reveal()) as page:
        page.raise_for_status()


@final
class _Provider:
    """Says of a token whether it is good now."""

    def __init__(self, sandbox: SandboxProvider, api: str) -> None:
        self._sandbox = sandbox
        self._api = api
        self._tried: dict[str, float] = {}

    @property
    def refreshes(self) -> int:
        """How often a token was renewed."""
        return self._sandbox.stats.refreshes

    async def try_token(self, token: str) -> None:
        """Call the provider's API, unless this token was good a moment ago.

        Raises:
            RefusedTokenError: It does not take the token.
        """
        now = time.monotonic()
        if now - self._tried.get(token, -_TRIED_AGAIN) < _TRIED_AGAIN:
            return
        headers = {"Authorization": Secret(f"Bearer {token}")}
        answer = await self._sandbox.handle(Request("GET", f"{self._api}/viewer", headers))
        if answer.status != 200:  # noqa: PLR2004 - it is the one good answer.
            raise RefusedTokenError
        self._tried[token] = now


@attrs.frozen
class _End:
    """How a call ended."""

    token: str | None = attrs.field(default=None, repr=False)
    error: str | None = None


async def _ending(call: Awaitable[str], step: Step) -> _End:
    try:
        return _End(token=await call)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted.
        return _End(error=type(error).__name__)
    finally:
        step()


@final
class _CountingBackend:
    """A backend that counts what reaches it."""

    def __init__(self, backend: LocalBackend) -> None:
        self._backend = backend
        self.requests = 0

    async def handle(self, request: Request, /) -> Response:
        """Count a request and have it answered."""
        self.requests += 1
        return await self._backend.handle(request)

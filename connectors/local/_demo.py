"""The main job, measured: as many calls at once as a busy program makes, by hand and with the SDK.

Both sides ask the same backend, in this process and over a port, for the same connection of a vault
in a temporary folder. What they cost is counted where it arrives: by the backend. The one by hand
is what anybody would write first, aiohttp's session with its defaults and `asyncio.gather`, and no
worse than that.
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
from connectors.local._api import LocalBackend
from connectors.local._authority import vault_authority
from connectors.local._records import Grant, Owner
from connectors.local._serving import serve
from connectors.local._vault import Vault
from transports import Request, Response, Secret

CALLS: Final = 10_000

_APP: Final = "demo"
_TYPE: Final = "slack"
_TOKEN: Final = "xoxb-of-the-demo"  # noqa: S105 - it opens nothing.

Step: TypeAlias = Callable[[], None]
"""Called when one more call has ended, well or not."""


@attrs.frozen
class Measured:
    """What became of a number of calls."""

    calls: int
    answered: int
    """Calls that got the right token."""
    reached: int
    """Requests that the backend has seen."""
    seconds: float
    errors: Mapping[str, int]
    """How many calls failed, by the kind of their error."""


class Counting(Protocol):
    """Counts the requests that reach a backend."""

    @property
    def requests(self) -> int:
        """How many there were so far."""
        ...


@final
class Demo:
    """A running backend, and the two ways to ask it."""

    def __init__(self, url: str, service_token: Secret, backend: Counting) -> None:
        self.url = url
        """Where the backend is."""
        self.backend = backend
        """It, or what counts for it."""
        self._service_token = service_token

    async def by_hand(self, calls: int, step: Step) -> Measured:
        """Ask as one would write it without an SDK."""
        url = f"{self.url}/api/apps/{_APP}/external-auth/tokens/{_TYPE}"
        headers = {"Authorization": f"Bearer {self._service_token.reveal()}", "X-App-Id": _APP}
        async with aiohttp.ClientSession(headers=headers) as session:

            async def get_token() -> str:
                async with session.get(url) as response:
                    response.raise_for_status()
                    return str((await response.json())["access_token"])

            return await self._measured(get_token, calls, step)

    async def with_sdk(self, calls: int, step: Step) -> Measured:
        """Ask through a client, with its defaults."""
        async with Client(
            app_id=_APP, service_token=self._service_token, server_url=self.url
        ) as base44:

            async def get_token() -> str:
                connection = await base44.as_service_role.connectors.get_connection(_TYPE)
                return connection.access_token

            return await self._measured(get_token, calls, step)

    async def _measured(
        self, get_token: Callable[[], Awaitable[str]], calls: int, step: Step
    ) -> Measured:
        before, began = self.backend.requests, time.perf_counter()
        ended = await asyncio.gather(*(_ending(get_token(), step) for _ in range(calls)))
        seconds = time.perf_counter() - began
        return Measured(
            calls=calls,
            answered=ended.count(None),
            reached=self.backend.requests - before,
            seconds=seconds,
            errors=Counter(kind for kind in ended if kind is not None),
        )


@asynccontextmanager
async def demo() -> AsyncIterator[Demo]:
    """A backend on a free port over a vault in a temporary folder, with one connection.

    Cancelled or not, nothing of it is left in the end.
    """
    with TemporaryDirectory(prefix="connectors-demo-") as folder:
        async with Vault(Path(folder) / "vault.db") as vault:
            await vault.put(Owner.app(_APP, _TYPE), Grant(_TYPE, _TOKEN))
            authority = await vault_authority(vault)
            async with LocalBackend(vault, authority) as local:
                backend = _CountingBackend(local)
                async with serve(backend) as server:
                    yield Demo(server.url, authority.service_token, backend)


async def _ending(call: Awaitable[str], step: Step) -> str | None:
    """The kind of a call's error, or None."""
    try:
        return None if await call == _TOKEN else "wrong token"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted.
        return type(error).__name__
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

"""A provider in memory that rotates its refresh tokens and ends a grant when one is used twice."""

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl

import anyio
import attrs

from connectors.catalog import Integration, integrations
from connectors.local import Grant, Owner, Vault
from connectors.local._oauth import OAuthClient
from connectors.local._oauth_records import OAuthApp
from connectors.local._records import StoredConnection
from connectors.local._refresh import RefreshPolicy, TokenKeeper
from transports import (
    ConnectError,
    DisconnectedError,
    Phase,
    Request,
    Response,
    Secret,
    TransportError,
)
from transports.mock import MockTransport, json_response

TYPE = "box"
OWNER = Owner.app("app-1", TYPE)
NOW = 1_700_000_000.0
ACCESS = "planted-access-token-2f7a"
REFRESH = "planted-refresh-token-91cc"
CLIENT_SECRET = "planted-client-secret-e0b4"
CLIENT = OAuthClient("client-1", Secret(CLIENT_SECRET))

Step = Callable[[Request], Response | Awaitable[Response]]


@attrs.define
class Clock:
    """A wall clock that is set by hand."""

    now: float = NOW
    _countdown: int = 0
    _then: Callable[[], None] | None = None

    def __call__(self) -> float:
        self._countdown -= 1
        if self._then is not None and self._countdown == 0:
            self._then()
        return self.now

    def before_next(self, readings: int, then: Callable[[], None]) -> None:
        """Do something when the clock has been read so many times."""
        self._countdown, self._then = readings, then


class Provider:
    """Answers refreshes; what it does next instead can be put into `next`."""

    def __init__(self) -> None:
        self.refresh_token = REFRESH
        self.lifetime: int | None = 3600
        self.rotates = True
        self.leeway = False
        self.alive = True
        self.reuses = 0
        self.presented: list[str] = []
        self.next: list[Step] = []

    async def __call__(self, request: Request) -> Response:
        if request.url.endswith("/revoke"):
            return Response(200)
        self.presented.append(sent(request)["refresh_token"])
        if self.next:
            given = self.next.pop(0)(request)
            return given if isinstance(given, Response) else await given
        return self.renew(request)

    def renew(self, request: Request) -> Response:
        token = sent(request)["refresh_token"]
        known = token == self.refresh_token or self.leeway
        if not known or not self.alive:
            self.reuses += not known
            self.alive = False
            return json_response({"error": "invalid_grant"}, status=400)
        answer: dict[str, object] = {"access_token": f"access-{secrets.token_hex(4)}"}
        if self.rotates:
            self.refresh_token = f"refresh-{secrets.token_hex(4)}"
            answer["refresh_token"] = self.refresh_token
        if self.lifetime is not None:
            answer["expires_in"] = self.lifetime
        return json_response(answer)

    def renew_and_drop(self, request: Request) -> Response:
        """The provider has done it, and the answer is lost."""
        self.renew(request)
        raise lost(request)


def sent(request: Request) -> dict[str, str]:
    return dict(parse_qsl((request.body or b"").decode()))


def lost(request: Request, *, maybe_sent: bool = True) -> TransportError:
    phase: Phase = "headers" if maybe_sent else "connect"
    kind = DisconnectedError if maybe_sent else ConnectError
    return kind(
        "it broke", method=request.method, url=request.url, phase=phase, maybe_sent=maybe_sent
    )


def loses(request: Request) -> Response:
    """The request is lost before the provider has read it, and nobody can tell."""
    raise lost(request)


def unreachable(request: Request) -> Response:
    raise lost(request, maybe_sent=False)


def says(status: int, body: object = None, **headers: str) -> Step:
    """An answer, whatever is asked."""
    raw = json.dumps(body).encode() if body is not None else b""
    return lambda _request: Response(status, headers, raw)


@attrs.define
class World:
    """A vault with one connection, its provider, and a keeper."""

    vault: Vault
    provider: Provider
    transport: MockTransport
    clock: Clock
    keeper: TokenKeeper
    catalog: dict[str, Integration]

    async def connect(self, **values: object) -> StoredConnection:
        """Put the connection in, as a consent does."""
        given: dict[str, object] = {
            "refresh_token": self.provider.refresh_token,
            "obtained_at": self.clock.now,
            "expires_at": self.clock.now + 3600,
            "source": "oauth",
            **values,
        }
        return await self.vault.put(OWNER, Grant(TYPE, ACCESS, **given))  # type: ignore[arg-type]

    async def get(self, *, rejected: str | None = None) -> StoredConnection:
        found = await self.keeper.connection(OWNER, rejected=rejected)
        assert found is not None
        return found

    async def row(self) -> StoredConnection:
        found = await self.vault.get(OWNER)
        assert found is not None
        return found

    def another(self) -> TokenKeeper:
        """A keeper as another process has it."""
        return TokenKeeper(self.vault, self.transport, catalog=self.catalog, clock=self.clock)


async def begun(it: World) -> None:
    """Wait until a caller waits for a refresh."""
    row = await it.row()
    while it.keeper._refreshes.find((row.id, True)) is None:  # noqa: ASYNC110 - none tells.
        await anyio.sleep(0.01)


async def settled(it: World) -> None:
    """Let what goes on in the background end."""
    row = await it.row()
    for needed in (True, False):
        flight = it.keeper._refreshes.find((row.id, needed))
        if flight is not None:
            await flight.done.wait()
    saving = it.keeper._unsaved._saves.find(row.lock_key)
    if saving is not None:
        await saving.done.wait()


def token(connection: StoredConnection) -> str:
    assert connection.access_token is not None
    return connection.access_token.reveal()


@asynccontextmanager
async def world(
    folder: Path,
    *,
    policy: RefreshPolicy | None = None,
    busy_timeout: float = 10.0,
    rotates: str = "always",
    **refresh: object,
) -> AsyncIterator[World]:
    clock, provider = Clock(), Provider()
    box = integrations()[TYPE]
    changed = attrs.evolve(box.refresh, rotates=rotates, **refresh)  # type: ignore[arg-type]
    catalog = {TYPE: attrs.evolve(box, refresh=changed)}
    transport = MockTransport(provider)
    async with Vault(folder / "vault.db", busy_timeout=busy_timeout) as vault:
        await vault.apps.configure(OAuthApp(TYPE, CLIENT))
        keeper = TokenKeeper(vault, transport, catalog=catalog, policy=policy, clock=clock)
        try:
            yield World(vault, provider, transport, clock, keeper, catalog)
        finally:
            await keeper.aclose()

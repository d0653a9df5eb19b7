"""A provider in memory, with its tokens and its API, and a backend that reaches nothing else."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs

from connectors.local import Authority, Grant, LocalBackend, Owner, Vault
from connectors.local._oauth import OAuthClient
from connectors.local._oauth_records import OAuthApp
from connectors.local._records import StoredConnection
from tests.local.backends import APP, Local, told
from transports import Request, Response, Secret
from transports.mock import MockTransport, json_response

TYPE = "dropbox"
OWNER = Owner.app(APP, TYPE)
NOW = 1_700_000_000.0
LIFETIME = 14_400
ACCESS = "planted-access-token-0"
REFRESH = "planted-refresh-token-91cc"
CLIENT_SECRET = "planted-client-secret-e0b4"
TOKEN_PATH = "external-auth/tokens/dropbox"
CALL_PATH = "connectors/dropbox/call"
REDIRECT_URI = "http://localhost:8044/oauth/callback"

Step = Callable[[Request], Response]


@attrs.define
class Clock:
    """A wall clock that is set by hand."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


class Dropbox:
    """Gives tokens for codes and refresh tokens, and answers whoever has a good one.

    What it does next instead can be put into `next_token` and `next_call`.
    """

    def __init__(self) -> None:
        self.good = {ACCESS}
        self.issued = 0
        self.lifetime = LIFETIME
        self.gives_refresh_token = True
        self.token_calls: list[dict[str, str]] = []
        self.calls: list[Request] = []
        self.revoked: list[str] = []
        self.next_token: list[Step] = []
        self.next_call: list[Step] = []

    def __call__(self, request: Request) -> Response:
        parts = urlsplit(request.url)
        assert parts.netloc in {"api.dropboxapi.com", "content.dropboxapi.com"}
        if parts.path == "/oauth2/token":
            return self._token(request)
        if parts.path == "/2/auth/token/revoke":
            self.revoked.append(request.headers["authorization"])
            return json_response(None)
        self.calls.append(request)
        if self.next_call:
            return self.next_call.pop(0)(request)
        token = request.headers["authorization"].removeprefix("Bearer ")
        if token not in self.good:
            return json_response({"error": "expired_access_token"}, 401)
        return json_response({"method": request.method, "path": parts.path})

    def _token(self, request: Request) -> Response:
        self.token_calls.append(dict(parse_qsl((request.body or b"").decode())))
        if self.next_token:
            return self.next_token.pop(0)(request)
        self.issued += 1
        self.good = {f"planted-access-token-{self.issued}"}
        answer: dict[str, object] = {"access_token": min(self.good), "expires_in": self.lifetime}
        if self.gives_refresh_token and self.token_calls[-1]["grant_type"] != "refresh_token":
            answer["refresh_token"] = REFRESH
        return json_response(answer)


def says(status: int, body: object = None, **headers: str) -> Step:
    """An answer, whatever is asked."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: json_response(body, status, named)


@attrs.frozen
class ConsentPage:
    """Where a person is sent to give consent."""

    address: str
    query: dict[str, str]


def consent_at(url: str) -> ConsentPage:
    """What an address of the provider says."""
    address, _, query = url.partition("?")
    return ConsentPage(address, dict(parse_qsl(query, strict_parsing=True)))


@attrs.frozen(eq=False)
class World:
    """A backend, the provider behind it, and the clock by which its tokens end."""

    local: Local
    dropbox: Dropbox
    transport: MockTransport
    clock: Clock

    @property
    def vault(self) -> Vault:
        return self.local.vault

    async def configure(self, integration_type: str = TYPE, **values: Any) -> None:
        """Tell the vault the OAuth client, as `connectors configure` does."""
        client = OAuthClient("client-1", Secret(CLIENT_SECRET))
        await self.vault.apps.configure(OAuthApp(integration_type, client, **values))

    async def connect(self, owner: Owner = OWNER, **values: Any) -> StoredConnection:
        """Put the connection in, as a consent does."""
        given = {
            "refresh_token": REFRESH,
            "obtained_at": self.clock.now,
            "expires_at": self.clock.now + LIFETIME,
            "source": "oauth",
            **values,
        }
        return await self.vault.put(owner, Grant(TYPE, ACCESS, **given))

    async def token(self, path: str = TOKEN_PATH, **fields: str) -> Response:
        """What the app's backend gets when it asks for a token."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        return await self.local.ask("GET", path, {**self.local.service("ann"), **headers})

    async def ask_to_manage(self, method: str, path: str, data: object = None) -> Response:
        """What the workspace gets."""
        body = None if data is None else json.dumps(data).encode()
        return await self.local.ask(method, path, self.local.workspace(), body)

    async def manage(self, method: str, path: str, data: object = None) -> dict[str, Any]:
        """What the workspace is told, when it gets what it asked for."""
        response = await self.ask_to_manage(method, path, data)
        assert response.status == 200, response.body
        body = told(response)
        assert isinstance(body, dict)
        return body

    async def come_back(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        **changes: str | None,
    ) -> Response:
        """What a person sees who has given consent at an address."""
        given = {"code": "planted-code", "state": consent_at(url).query["state"], **changes}
        query = urlencode({name: value for name, value in given.items() if value is not None})
        return await self.local.ask(method, f"/oauth/callback?{query}", headers)

    async def call(self, route: str = CALL_PATH, /, **call: object) -> tuple[int, Any]:
        """What it gets when it has a call made."""
        body = json.dumps({"path": "/2/x", **call}).encode()
        response = await self.local.ask("POST", route, self.local.service(), body)
        return response.status, told(response)


@asynccontextmanager
async def world(path: Path, **settings: Any) -> AsyncIterator[World]:
    """A backend over a vault that is empty but for the OAuth client."""
    clock, dropbox, authority = Clock(), Dropbox(), Authority.ephemeral()
    transport = MockTransport(dropbox)
    given = {"transport": transport, "clock": clock, **settings}
    async with (
        Vault(path / "vault.db") as vault,
        LocalBackend(vault, authority, **given) as backend,
    ):
        made = World(Local(vault, authority, backend), dropbox, transport, clock)
        await made.configure()
        yield made

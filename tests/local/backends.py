"""What the tests of the API share: a backend over a real vault, and requests to it."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from connectors.local import Authority, Grant, LocalBackend, Owner, Vault
from transports import FieldValue, Request, Response, Secret
from transports.mock import MockTransport

APP = "app-1"
TOKENS = {
    "slack": "xoxb-planted-token-8d1c",
    "workspace": "planted-workspace-token-51f0",
    "ann": "planted-token-of-ann-c2b7",
    "ben": "planted-token-of-ben-40aa",
}
CONFIG = {"developer_token": "planted-config-value-77aa"}

NO_BODY_SECRET = tuple(TOKENS.values()) + tuple(CONFIG.values())
UNAUTHORIZED = {"detail": "Unauthorized"}
NOT_CONNECTED = {"detail": "Connector connection not found", "code": "NOT_FOUND"}
SERVICE_ONLY = {"detail": "This endpoint is only accessible to service tokens"}
USERS_ONLY = {"detail": "This endpoint is only accessible to user tokens"}
MANAGERS_ONLY = {"detail": "This endpoint is only accessible to API keys"}
NOT_FOUND = {"detail": "Not Found"}


@attrs.frozen(eq=False)
class Local:
    """A backend, and the credentials for it."""

    vault: Vault
    authority: Authority
    backend: LocalBackend

    def service(self, user: str | None = None) -> dict[str, FieldValue]:
        headers: dict[str, FieldValue] = {"Authorization": bearer(self.authority.service_token)}
        return headers if user is None else {**headers, "on-behalf-of": self.bearer_of(user)}

    def user(self, name: str) -> dict[str, FieldValue]:
        return {"Authorization": self.bearer_of(name)}

    def workspace(self) -> dict[str, FieldValue]:
        return {"api_key": self.authority.api_key}

    def bearer_of(self, user: str) -> Secret:
        return bearer(self.authority.issue_user_token(user))

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, FieldValue] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """The answer to a request for a path below the app; a path from '/' on is taken whole."""
        whole = path if path.startswith("/") else f"/api/apps/{APP}/{path}"
        request = Request(method, f"http://127.0.0.1:1{whole}", headers or {}, body)
        return await self.backend.handle(request)


@asynccontextmanager
async def local_backend(path: Path, **settings: Any) -> AsyncIterator[Local]:
    """A backend over a vault with an account of each kind; no provider can be reached from it."""
    async with Vault(path / "vault.db") as vault:
        await connect_accounts(vault)
        authority = Authority.ephemeral()
        given = {"transport": MockTransport(), **settings}
        async with LocalBackend(vault, authority, **given) as backend:
            yield Local(vault, authority, backend)


async def connect_accounts(vault: Vault) -> None:
    slack = Grant("slack", TOKENS["slack"], scopes=["chat:write", "users:read"])
    await vault.put(Owner.app(APP, "slack"), slack)
    ads = Grant("googleads", TOKENS["workspace"], connection_config=CONFIG)
    await vault.put(Owner.workspace(APP, "c-1"), ads)
    for user in ("ann", "ben"):
        await vault.put(Owner.app_user(APP, "c-1", user), Grant("gmail", TOKENS[user]))


def bearer(token: Secret) -> Secret:
    return Secret(f"Bearer {token.reveal()}")


def told(response: Response) -> object:
    """The body as JSON, after a look at what every answer must have."""
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    return json.loads(response.body)

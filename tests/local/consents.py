"""What the tests of connecting share: a vault, the sandbox as its provider, and a browser."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs

from connectors.catalog import Integration
from connectors.local import Owner, StoredConnection, Vault
from connectors.local._callback import CallbackPage
from connectors.local._connecting import Begun, Connected, ConnectingError, Consents
from connectors.local._oauth import OAuthClient
from connectors.local._oauth_records import ConsentStatus, OAuthApp
from connectors.local._redirects import CALLBACK_PATH, loopback_redirect
from connectors.local._sandbox import SandboxProvider, SandboxTransport
from tests.local.sandbox.players import NOW, ORIGIN, Clock
from transports import Request, Response, Secret, Transport
from transports.mock import MockTransport

REDIRECT: Final = loopback_redirect(8044)
TYPE: Final = "gitlab"
OWNER: Final = Owner.app("app-1", TYPE)

__all__ = ["NOW", "OWNER", "REDIRECT", "TYPE", "World", "world"]


@attrs.define(eq=False)
class World:
    """A vault, and a provider that plays every type."""

    vault: Vault
    provider: SandboxProvider
    catalog: dict[str, Integration]
    clock: Clock
    transport: MockTransport
    """Passes everything on to the provider, and knows what it was."""

    consents: Consents

    async def configure(
        self,
        name: str = TYPE,
        *,
        client: OAuthClient | None = None,
        scopes: tuple[str, ...] = (),
        redirect_uri: str | None = None,
        config: Mapping[str, str] | None = None,
    ) -> None:
        await self.vault.apps.configure(
            OAuthApp(
                name,
                client or self.provider.client(name),
                redirect_uri=redirect_uri,
                scopes=scopes,
                config=config,
            )
        )

    def over(self, transport: Transport, **changes: object) -> Consents:
        """As `consents`, with another way to the provider."""
        given = {"catalog": self.catalog, "redirect_uri": REDIRECT, "clock": self.clock}
        return Consents(self.vault, transport, **{**given, **changes})  # type: ignore[arg-type]

    async def begin(self, name: str = TYPE, **values: object) -> Begun:
        owner = Owner.app("app-1", name)
        return await self.consents.begin(owner, name, **values)  # type: ignore[arg-type]

    def allow(self, begun: Begun, account: str = "ada", **changes: str | None) -> Secret:
        """What a browser comes back with, with parameters changed, added or left out."""
        return query_of(self.provider.approve(begun.url, account), **changes)

    def deny(self, begun: Begun) -> Secret:
        return query_of(self.provider.deny(begun.url))

    async def connect(self, name: str = TYPE, account: str = "ada", **values: object) -> Connected:
        begun = await self.begin(name, **values)
        return await self.consents.complete(self.allow(begun, account))

    async def refusal(self, query: Secret) -> str:
        """Why a callback connects nothing."""
        try:
            await self.consents.complete(query)
        except ConnectingError as error:
            return str(error)
        raise AssertionError("it was connected")

    async def row(self, name: str = TYPE) -> StoredConnection | None:
        return await self.vault.get(Owner.app("app-1", name))

    async def status(self, begun: Begun) -> ConsentStatus:
        found = await self.vault.consent_rows.status(begun.state_hash, self.clock())
        assert found is not None
        return found

    async def visit(
        self,
        query: Secret,
        method: str = "GET",
        path: str = CALLBACK_PATH,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Come to the page as a browser does."""
        url = f"http://localhost:8044{path}?{query.reveal()}"
        return await CallbackPage(self.consents).handle(Request(method, url, headers or {}))


def query_of(address: Secret, **changes: str | None) -> Secret:
    """The query of an address, with parameters changed, added or left out."""
    pairs = dict(parse_qsl(urlsplit(address.reveal()).query, keep_blank_values=True))
    kept = {name: value for name, value in {**pairs, **changes}.items() if value is not None}
    return Secret(urlencode(kept))


@asynccontextmanager
async def world(folder: Path, **options: object) -> AsyncIterator[World]:
    clock = Clock()
    provider = SandboxProvider(clock=clock, **options)  # type: ignore[arg-type]
    catalog = dict(provider.integrations(ORIGIN))
    sandbox = SandboxTransport(provider)
    transport = MockTransport(sandbox.send)
    async with Vault(folder / "vault.db") as vault:
        it = World(vault, provider, catalog, clock, transport, None)  # type: ignore[arg-type]
        it.consents = it.over(transport)
        yield it

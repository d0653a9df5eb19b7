"""A client over HTTP gets from a local server what the hosted service would give it."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import attrs
import pytest

from connectors import (
    Client,
    Connection,
    Connector,
    ForbiddenError,
    NotConnectedError,
    ServiceError,
    UnauthorizedError,
)
from connectors.catalog import integrations
from connectors.local import Grant, LocalBackend, Owner, Server, serve, vault_authority
from tests.local.backends import APP, CONFIG, TOKENS, Local, local_backend
from tests.loops import REAL_ASYNCIO, on
from transports import Request, Response, Secret

pytestmark = on(REAL_ASYNCIO)


@attrs.define(eq=False)
class Served:
    """A server, and what reaches the backend behind it."""

    local: Local
    count: int = 0
    server: Server = attrs.field(init=False)

    async def handle(self, request: Request, /) -> Response:
        self.count += 1
        return await self.local.backend.handle(request)

    def client(self, *, user: str | None = "ann", service_token: Secret | None = None) -> Client:
        authority = self.local.authority
        return Client(
            app_id=APP,
            service_token=service_token or authority.service_token,
            user_token=None if user is None else authority.issue_user_token(user),
            api_key=authority.api_key,
            server_url=self.server.url,
        )


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with local_backend(tmp_path) as local:
        served = Served(local)
        async with serve(served) as served.server:
            yield served


async def test_each_kind_of_account_is_found(served: Served) -> None:
    async with served.client() as client:
        connectors = client.as_service_role.connectors
        slack = await connectors.get_connection("slack")
        workspace = await connectors.get_workspace_connection("c-1")
        user = await connectors.get_current_app_user_connection("c-1")
        with pytest.raises(NotConnectedError):
            await connectors.get_connection("git/hub?")
    assert slack == Connection(TOKENS["slack"], None, "slack")
    assert workspace == Connection(TOKENS["workspace"], CONFIG, "googleads")
    assert user == Connection(TOKENS["ann"], None, "gmail")


async def test_an_identifier_survives_the_way(served: Served) -> None:
    odd = "a/b c?d#e%2F..é日!~*'()"
    await served.local.vault.put(Owner.workspace(APP, odd), Grant("slack", "planted-odd"))
    async with served.client() as client:
        connection = await client.as_service_role.connectors.get_workspace_connection(odd)
    assert connection.access_token == "planted-odd"


async def test_credentials_are_needed(served: Served) -> None:
    async with served.client(service_token=Secret("b44s_wrong")) as client:
        with pytest.raises(UnauthorizedError, match="Unauthorized"):
            await client.as_service_role.connectors.get_connection("slack")
    user = served.local.authority.issue_user_token("ann")
    async with served.client(service_token=user) as client:
        with pytest.raises(ForbiddenError, match="only accessible to service tokens"):
            await client.as_service_role.connectors.get_connection("slack")


async def test_a_users_account_is_forgotten(served: Served) -> None:
    async with served.client() as client:
        await client.connectors.disconnect_app_user("c-1")
        with pytest.raises(NotConnectedError):
            await client.as_service_role.connectors.get_current_app_user_connection("c-1")
    async with served.client(user="ben") as client:
        connection = await client.as_service_role.connectors.get_current_app_user_connection("c-1")
    assert connection.access_token == TOKENS["ben"]


async def test_management_works(served: Served) -> None:
    async with served.client() as client:
        management = client.management
        assert await management.list_connectors() == (
            Connector("slack", "active", ("chat:write", "users:read")),
        )
        authorization = await management.authorize("slack", scopes=["users:read", "chat:write"])
        assert authorization.already_authorized
        assert await management.status("slack") == "ACTIVE"
        available = await management.available_integrations()
        assert {entry.integration_type for entry in available} == set(integrations())
        await management.remove("slack")
        assert await management.list_connectors() == ()
        with pytest.raises(ServiceError, match="run: connectors configure slack"):
            await management.authorize("slack")


async def test_ten_thousand_calls_at_once_are_one_request(served: Served) -> None:
    connections: list[Connection] = []
    async with served.client(user=None) as client:
        connectors = client.as_service_role.connectors

        async def get() -> None:
            connections.append(await connectors.get_connection("slack"))

        async with anyio.create_task_group() as tasks:
            for _ in range(10_000):
                tasks.start_soon(get)
    assert len(connections) == 10_000
    assert {connection.access_token for connection in connections} == {TOKENS["slack"]}
    assert served.count == 1


async def test_no_user_ever_gets_the_token_of_another(served: Served) -> None:
    got: list[tuple[str, str]] = []
    async with served.client(user=None) as client:

        async def get(user: str) -> None:
            token = served.local.authority.issue_user_token(user).reveal()
            view = client.for_request({"Authorization": f"Bearer {token}"})
            connectors = view.as_service_role.connectors
            connection = await connectors.get_current_app_user_connection("c-1")
            got.append((user, connection.access_token))

        async with anyio.create_task_group() as tasks:
            for user in ("ann", "ben") * 100:
                tasks.start_soon(get, user)
    assert sorted(set(got)) == [("ann", TOKENS["ann"]), ("ben", TOKENS["ben"])]
    assert served.count == 2


async def test_the_credentials_of_a_vault_outlive_its_server(tmp_path: Path) -> None:
    tokens: list[Secret] = []
    for _ in range(2):
        async with local_backend(tmp_path) as local:
            authority = await vault_authority(local.vault)
            backend = LocalBackend(local.vault, authority)
            tokens.append(authority.service_token)
            async with serve(backend) as server:
                url, token = server.url, tokens[0]
                async with Client(app_id=APP, service_token=token, server_url=url) as client:
                    connectors = client.as_service_role.connectors
                    connection = await connectors.get_connection("slack")
                assert connection.access_token == TOKENS["slack"]

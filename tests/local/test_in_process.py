"""A client over a vault in the same process: no server, no network, the same answers."""

import logging
from pathlib import Path

import anyio
import pytest

from connectors import (
    Client,
    ClientClosedError,
    Connection,
    Connector,
    ForbiddenError,
    NotConnectedError,
    ServerError,
    ServiceError,
    UnauthorizedError,
)
from connectors.catalog import integrations
from connectors.local import (
    Authority,
    Grant,
    InProcessTransport,
    Owner,
    Vault,
    VaultUsageError,
    local_credentials,
)
from tests.local.backends import APP, CONFIG, TOKENS, connect_accounts
from tests.loops import REAL, on

pytestmark = on(REAL)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "vault.db"
    async with Vault(path) as vault:
        await connect_accounts(vault)
    return path


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def let_others_read(path: Path) -> None:
    path.chmod(0o644)


async def test_a_token_of_ones_own_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "vault.db"
    async with Vault(path) as vault:
        await vault.put(Owner.app("local", "slack"), Grant("slack", TOKENS["slack"]))
    async with Client.local(vault=path) as client:
        connection = await client.as_service_role.connectors.get_connection("slack")
    assert connection == Connection(TOKENS["slack"], None, "slack")


async def test_each_kind_of_account_is_found(path: Path) -> None:
    async with Client.local(vault=path, app_id=APP, user="ann") as client:
        connectors = client.as_service_role.connectors
        workspace = await connectors.get_workspace_connection("c-1")
        user = await connectors.get_current_app_user_connection("c-1")
        assert workspace == Connection(TOKENS["workspace"], CONFIG, "googleads")
        assert user == Connection(TOKENS["ann"], None, "gmail")
        with pytest.raises(NotConnectedError):
            await connectors.get_connection("github")
    async with Client.local(vault=path) as client:
        with pytest.raises(NotConnectedError):
            await client.as_service_role.connectors.get_connection("slack")


async def test_a_users_account_is_forgotten(path: Path) -> None:
    async with Client.local(vault=path, app_id=APP, user="ann") as client:
        await client.connectors.disconnect_app_user("c-1")
        await client.connectors.disconnect_app_user("c-1")
        with pytest.raises(NotConnectedError):
            await client.as_service_role.connectors.get_current_app_user_connection("c-1")
    async with Client.local(vault=path, app_id=APP, user="ben") as client:
        connection = await client.as_service_role.connectors.get_current_app_user_connection("c-1")
    assert connection.access_token == TOKENS["ben"]


async def test_management_works(path: Path) -> None:
    async with Client.local(vault=path, app_id=APP) as client:
        management = client.management
        assert await management.list_connectors() == (
            Connector("slack", "active", ("chat:write", "users:read")),
        )
        scopes = ["users:read", "chat:write"]
        authorization = await management.authorize("slack", scopes=scopes)
        assert authorization.already_authorized
        status = await management.status("slack", connection_id=authorization.connection_id)
        assert status == "ACTIVE"
        available = await management.available_integrations()
        assert {entry.integration_type for entry in available} == set(integrations())
        await management.remove("slack")
        assert await management.list_connectors() == ()
        assert await management.status("slack") == "FAILED"
        with pytest.raises(NotConnectedError):
            await management.remove("slack")


async def test_what_needs_a_consent_is_an_error_with_the_way_out(path: Path) -> None:
    async with Client.local(vault=path, app_id=APP, user="ann") as client:
        with pytest.raises(ServiceError, match="run: connectors configure github") as refused:
            await client.management.authorize("github", scopes=["repo"])
        assert (refused.value.status, refused.value.code) == (409, "OAUTH_CLIENT_MISSING")
        with pytest.raises(ServiceError, match="connectors configure"):
            await client.connectors.connect_app_user("c-1")


async def test_ten_thousand_calls_at_once_are_one_request(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "connectors")
    connections: list[Connection] = []
    async with Client.local(vault=path, app_id=APP) as client:
        connectors = client.as_service_role.connectors

        async def get() -> None:
            connections.append(await connectors.get_connection("slack"))

        async with anyio.create_task_group() as tasks:
            for _ in range(10_000):
                tasks.start_soon(get)
    assert len(connections) == 10_000
    assert {connection.access_token for connection in connections} == {TOKENS["slack"]}
    requests = [text for text in caplog.messages if "event=connectors.local.request " in text]
    assert len(requests) == 1


async def test_no_user_ever_gets_the_token_of_another(tmp_path: Path) -> None:
    users = [f"user-{number}" for number in range(40)]
    authority = Authority.ephemeral()
    got: list[tuple[str, str]] = []
    async with Vault(tmp_path / "vault.db") as vault:
        for user in users:
            owner = Owner.app_user(APP, "c-1", user)
            await vault.put(owner, Grant("gmail", f"planted-token-of-{user}"))
        transport = InProcessTransport(vault, authority)
        client = Client(app_id=APP, service_token=authority.service_token, transport=transport)

        async def get(user: str) -> None:
            token = authority.issue_user_token(user).reveal()
            view = client.for_request({"Authorization": f"Bearer {token}"})
            connection = await view.as_service_role.connectors.get_current_app_user_connection(
                "c-1"
            )
            got.append((user, connection.access_token))

        async with client, anyio.create_task_group() as tasks:
            for user in users * 25:
                tasks.start_soon(get, user)
    assert len(got) == 1000
    assert all(token == f"planted-token-of-{user}" for user, token in got)


async def test_credentials_of_one_client_open_no_other(path: Path) -> None:
    other = local_credentials(vault=path, user="ann")
    transport = local_credentials(vault=path).transport
    async with Client(
        app_id=APP,
        service_token=other.service_token,
        user_token=other.user_token,
        transport=transport,
    ) as client:
        with pytest.raises(UnauthorizedError):
            await client.as_service_role.connectors.get_connection("slack")
        with pytest.raises(UnauthorizedError):
            await client.connectors.disconnect_app_user("c-1")
    await transport.aclose()


async def test_a_user_is_no_service(path: Path) -> None:
    credentials = local_credentials(vault=path, user="ann")
    async with Client(
        app_id=APP, service_token=credentials.user_token, transport=credentials.transport
    ) as client:
        with pytest.raises(ForbiddenError, match="only accessible to service tokens"):
            await client.as_service_role.connectors.get_connection("slack")
    await credentials.transport.aclose()


async def test_a_vault_that_was_opened_here_is_closed_with_the_client(path: Path) -> None:
    client = Client.local(vault=path, app_id=APP)
    await client.as_service_role.connectors.get_connection("slack")
    opened = ["vault.db", "vault.db-shm", "vault.db-wal", "vault.db.key"]
    assert names_in(path.parent) == opened
    await client.aclose()
    await client.aclose()
    assert names_in(path.parent) == ["vault.db", "vault.db.key"]
    with pytest.raises(ClientClosedError):
        await client.as_service_role.connectors.get_connection("slack")


async def test_a_vault_that_was_given_stays_open(path: Path) -> None:
    async with Vault(path) as vault:
        async with Client.local(vault=vault, app_id=APP) as client:
            await client.as_service_role.connectors.get_connection("slack")
        assert await vault.get(Owner.app(APP, "slack")) is not None
    with pytest.raises(VaultUsageError):
        await vault.get(Owner.app(APP, "slack"))


async def test_a_client_that_is_not_used_makes_no_vault(tmp_path: Path) -> None:
    async with Client.local(vault=tmp_path / "vault.db", user="ann"):
        pass
    assert names_in(tmp_path) == []


async def test_a_vault_that_cannot_be_opened_is_an_error_of_the_service(path: Path) -> None:
    let_others_read(path)
    async with Client.local(vault=path, app_id=APP).with_options(retry=False) as client:
        with pytest.raises(ServerError, match="check its owner and its mode") as failed:
            await client.as_service_role.connectors.get_connection("slack")
    assert failed.value.code == "VAULT_PERMISSION"


@pytest.mark.parametrize("user", ["", "a\nb", 7])
async def test_a_user_that_is_none_is_refused_at_once(tmp_path: Path, user: str) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^user must be"):
        Client.local(vault=tmp_path / "vault.db", user=user)


async def test_credentials_are_in_no_repr(path: Path) -> None:
    async with Client.local(vault=path, user="ann") as client:
        credentials = local_credentials(vault=path, user="ann")
        shown = repr([client, credentials, credentials.transport])
    assert "b44" not in shown
    assert "InProcessTransport" in shown
    assert "open" in repr(credentials.transport)
    await credentials.transport.aclose()
    assert "closed" in repr(credentials.transport)

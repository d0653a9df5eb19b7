"""When the vault or the backend fails there is still an answer, and it gives nothing away."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from connectors.local import Authority, LocalBackend, Vault, VaultError
from connectors.local._answers import vault_failure
from tests.local.backends import APP, NO_BODY_SECRET, Local, connect_accounts, told
from tests.local.vaults import KEY, OTHER_KEY, database
from tests.loops import REAL, on
from transports import Request, Response

SLACK = "external-auth/tokens/slack"


def lose_key(path: Path) -> Vault:
    return Vault(path, key=OTHER_KEY)


def come_from_a_newer_release(path: Path) -> Vault:
    with database(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    return Vault(path, key=KEY)


def be_something_else(path: Path) -> Vault:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (id)")
    path.chmod(0o600)
    return Vault(path, key=KEY)


def swap_values(path: Path) -> Vault:
    with database(path) as connection:
        connection.execute("UPDATE connections SET access_ct = config_ct")
    return Vault(path, key=KEY)


def let_others_read(path: Path) -> Vault:
    path.chmod(0o644)
    return Vault(path, key=KEY)


def lie_below_a_file(path: Path) -> Vault:
    return Vault(path / "vault.db", key=KEY)


@on(REAL)
@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lose_key, "VAULT_KEY"),
        (come_from_a_newer_release, "VAULT_SCHEMA"),
        (be_something_else, "VAULT_FOREIGN"),
        (swap_values, "VAULT_DAMAGED"),
        (let_others_read, "VAULT_PERMISSION"),
        (lie_below_a_file, "VAULT_STORAGE"),
    ],
)
async def test_a_vault_that_fails_is_an_answer(
    tmp_path: Path, damage: Callable[[Path], Vault], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "vault.db"
    async with Vault(path, key=KEY) as vault:
        await connect_accounts(vault)
    vault = damage(path)
    authority = Authority.ephemeral()
    local = Local(vault, authority, LocalBackend(vault, authority))
    response = await local.ask("GET", SLACK, local.service())
    assert response.status == 500
    check_failure(response, code)
    assert "retry-after" not in response.headers
    # Where it lies is for the owner of the backend.
    assert str(path) in caplog.text
    assert "connectors.local.vault_failed" in caplog.text
    assert not any(planted in caplog.text for planted in (*NO_BODY_SECRET, KEY, OTHER_KEY))
    await vault.aclose()


@on(REAL)
async def test_a_vault_that_is_busy_is_to_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    async with Vault(path, key=KEY, busy_timeout=0) as vault:
        await connect_accounts(vault)
        authority = Authority.ephemeral()
        local = Local(vault, authority, LocalBackend(vault, authority))
        with database(path) as other:
            other.execute("BEGIN IMMEDIATE")
            remove = "app-user-auth/connectors/c-1"
            response = await local.ask("DELETE", remove, local.user("ann"))
            # Who only reads does not wait for who writes.
            assert (await local.ask("GET", SLACK, local.service())).status == 200
    assert response.status == 503
    check_failure(response, "VAULT_BUSY")
    assert response.headers["retry-after"] == "1"


@on(REAL)
async def test_a_vault_that_was_closed_is_an_answer(tmp_path: Path) -> None:
    async with Vault(tmp_path / "vault.db", key=KEY) as vault:
        authority = Authority.ephemeral()
    local = Local(vault, authority, LocalBackend(vault, authority))
    response = await local.ask("GET", SLACK, local.service())
    assert response.status == 500
    check_failure(response, "VAULT_CLOSED")


def check_failure(response: Response, code: str) -> None:
    body = told(response)
    assert isinstance(body, dict)
    assert set(body) == {"detail", "code"}
    assert body["code"] == code
    assert "/" not in body["detail"]
    assert body["detail"][0].isupper()


def test_every_failure_of_a_vault_has_words_of_its_own() -> None:
    kinds = VaultError.__subclasses__()
    answers = [vault_failure(kind("/laptop/vault.db", "planted")) for kind in kinds]
    assert len(kinds) == len({response.body for response in answers}) > 7
    assert {response.status for response in answers} == {500, 503}
    check_failure(vault_failure(VaultError("/laptop/vault.db", "planted")), "VAULT_FAILED")
    assert not any(
        b"laptop" in response.body or b"planted" in response.body for response in answers
    )


@on(REAL)
async def test_a_fault_of_the_backend_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority.ephemeral()
    no_vault: Vault = "planted"  # type: ignore[assignment]
    local = Local(no_vault, authority, LocalBackend(no_vault, authority))
    response = await local.ask("GET", SLACK, local.service())
    assert response.status == 500
    check_failure(response, "INTERNAL")
    assert "event=connectors.local.failed error=AttributeError at=_keeper.py:" in caplog.text
    assert "planted" not in caplog.text


@on(REAL)
async def test_cancellation_passes(tmp_path: Path) -> None:
    async with Vault(tmp_path / "vault.db") as vault:
        backend = LocalBackend(vault, authority := Authority.ephemeral())
        local = Local(vault, authority, backend)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await local.ask("GET", SLACK, local.service())
        assert scope.cancelled_caught


@on(REAL)
async def test_what_is_asked_is_an_event_without_what_is_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "connectors")
    async with Vault(tmp_path / "vault.db") as vault:
        await connect_accounts(vault)
        backend = LocalBackend(vault, authority := Authority.ephemeral())
        local = Local(vault, authority, backend)
        await local.ask("GET", f"{SLACK}?code=planted-query", local.service("ann"))
        url = f"http://127.0.0.1/api/apps/{APP}/planted%0Apath?planted-query"
        await backend.handle(Request("GET", url))
    assert "event=connectors.local.request" in caplog.text
    assert "method=GET" in caplog.text
    assert f"url=http://127.0.0.1:1/api/apps/{APP}/{SLACK} status=200" in caplog.text
    assert "planted-query" not in caplog.text
    assert len(caplog.records) == 2
    for secret in (*NO_BODY_SECRET, "b44s_", "b44u_", "b44k_"):
        assert secret not in caplog.text

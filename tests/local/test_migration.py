"""A vault that the first release made is opened by this one, with all that is in it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import anyio
import pytest

from connectors.local._crypto import Place, key_ring
from connectors.local._database import connect, transaction
from connectors.local._records import Owner, StoredConnection
from connectors.local._schema import APPLICATION_ID, MIGRATIONS, migrate
from connectors.local._sealing import Database, register_key
from connectors.local._vault import Vault
from tests.local.vaults import (
    CONFIG_VALUE,
    KEY,
    OWNER,
    TOKEN,
    answer,
    database,
    grant,
    python,
    token,
)
from tests.loops import REAL, on
from transports import Secret

ENDED: Final = Owner.app_user("app-1", "c", "jo")
SETTING: Final = "planted-setting-51fe"
IMPOSSIBLE: Final = (
    "state = 'lost'",
    "state = 'refresh_failed' WHERE id = 'id-1'",
    "access_ct = NULL WHERE id = 'id-1'",
    "config_ct = NULL WHERE id = 'id-1'",
    "reason = 'unknown' WHERE id = 'id-1'",
    "refresh_ct = 'x' WHERE id = 'id-2'",
    "raw_ct = 'x' WHERE id = 'id-2'",
    "presented_digest = 'x' WHERE id = 'id-1'",
    "presented_silences = 1 WHERE id = 'id-1'",
    "strikes = 1 WHERE id = 'id-1'",
    "verify = 2",
    "source = 'found'",
)
FIRST_COLUMNS: Final = (
    "id, app_id, kind, name, user, integration_type, state, generation, scopes, account_label,"
    " access_ct, config_ct, created_at, updated_at"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A vault of schema 1, written as its release wrote it."""
    path = tmp_path / "vault.db"
    path.touch(mode=0o600)
    ring = key_ring(Secret(KEY))
    assert ring is not None
    with closing(connect(path, mode="rw", timeout=0)) as connection, transaction(connection):
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        register_key(Database(path, connection, ring))
        owner = ("app-1", "app", "slack", "")
        row = ("connection", "id-1", *owner, "slack")
        sealed = [
            ring.seal(Secret(text), Place(row, 3, field))
            for text, field in (
                (TOKEN, "access_ct"),
                (json.dumps({"developer_token": CONFIG_VALUE}), "config_ct"),
            )
        ]
        add = f"INSERT INTO connections ({FIRST_COLUMNS}) VALUES ({', '.join('?' * 14)})"
        connection.execute(
            add, ("id-1", *owner, "slack", "active", 3, '["a"]', "Jo", *sealed, 1.0, 2.0)
        )
        ended = ("id-2", "app-1", "app_user", "c", "jo", "slack", "disconnected", 2, "[]", None)
        connection.execute(add, (*ended, None, None, 3.0, 4.0))
        setting = ring.seal(Secret(SETTING), Place(("setting", "signing-key"), 1, "value_ct"))
        connection.execute("INSERT INTO settings VALUES ('signing-key', ?, 5.0)", (setting,))
    with closing(connect(path, mode="rw", timeout=0)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    return path


@on(REAL)
async def test_all_of_a_first_vault_is_in_the_second_one(path: Path) -> None:
    for _ in range(2):
        async with Vault(path, key=KEY) as vault:
            found = await vault.get(OWNER)
            listed = await vault.list("app-1")
            assert await vault.setting("signing-key", lambda: Secret("new")) == Secret(SETTING)
    assert found is not None
    assert (found.id, found.generation, found.state, found.source) == (
        "id-1",
        3,
        "active",
        "manual",
    )
    assert (token(found), found.connection_config) == (TOKEN, {"developer_token": CONFIG_VALUE})
    assert (found.scopes, found.asked, found.account_label) == (("a",), ("a",), "Jo")
    assert (found.created_at, found.updated_at) == (1.0, 2.0)
    assert (found.refresh_token, found.raw, found.expires_at, found.presented) == (None,) * 4
    assert (found.lock_key, found.failures, found.strikes, found.verify) == ("id-1", 0, 0, False)
    assert [(row.id, row.state, row.generation) for row in listed] == [
        ("id-1", "active", 3),
        ("id-2", "disconnected", 2),
    ]


@on(REAL)
async def test_a_migrated_connection_goes_on(path: Path) -> None:
    async with Vault(path, key=KEY) as vault:
        renewed = await vault.put(OWNER, grant())
        again = await vault.put(ENDED, grant())
    assert (renewed.id, renewed.generation, renewed.created_at) == ("id-1", 4, 1.0)
    assert (again.id, again.generation, again.created_at) == ("id-2", 3, 3.0)


@on(REAL)
async def test_a_migrated_vault_is_like_a_new_one(path: Path) -> None:
    async with Vault(path, key=KEY), Vault(path.with_name("new.db"), key=KEY):
        pass
    assert schema(path) == schema(path.with_name("new.db"))
    with database(path) as migrated:
        assert migrated.execute("PRAGMA user_version").fetchone() == (2,)
        assert migrated.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert migrated.execute("PRAGMA foreign_key_check").fetchall() == []
        for impossible in IMPOSSIBLE:
            with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
                migrated.execute(f"UPDATE connections SET {impossible}")


async def stored(path: Path) -> StoredConnection | None:
    async with Vault(path, key=KEY) as vault:
        return await vault.get(OWNER)


def schema(path: Path) -> list[object]:
    with database(path) as connection:
        return connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()


def test_processes_that_open_a_first_vault_at_once_all_find_what_is_in_it(path: Path) -> None:
    racers = [python("race", path, name, 5, BASE44_VAULT_KEY=KEY) for name in range(4)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    assert {answer(racer) for racer in racers} == {f"{SETTING}\n"}
    shared = anyio.run(stored, path)
    assert shared is not None
    assert (shared.id, shared.generation) == ("id-1", 3 + 20)


def test_a_migration_that_fails_half_way_leaves_the_first_vault(path: Path) -> None:
    broken = (MIGRATIONS[0], (*MIGRATIONS[1], "INSERT INTO nothing VALUES (1)"))
    before = schema(path)
    with (
        closing(connect(path, mode="rw", timeout=0)) as connection,
        pytest.raises(sqlite3.OperationalError),
    ):
        migrate(connection, broken)
    assert schema(path) == before

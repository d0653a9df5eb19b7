"""The key of a vault is changed while others have it open: they go on, or seal nothing any more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from connectors.local._crypto import key_ring
from connectors.local._database import connect
from connectors.local._errors import VaultKeyError
from connectors.local._places import key_file
from connectors.local._sealing import Database, establish_key
from connectors.local._vault import Vault
from tests.local.vaults import KEY, OTHER_KEY, OWNER, database, grant, token
from tests.loops import REAL, on
from transports import Secret

pytestmark = on(REAL)


def write_keys(path: Path, text: str) -> None:
    key_file(path).touch(0o600)
    key_file(path).write_text(text)


@asynccontextmanager
async def changed(path: Path, *, key: str | None = None) -> AsyncIterator[Vault]:
    """A vault that has been open since before its key was changed."""
    write_keys(path, KEY)
    async with Vault(path, key=key) as opened:
        await opened.put(OWNER, grant("before"))
        write_keys(path, f"{OTHER_KEY}\n{KEY}")
        async with Vault(path) as other:
            await other.reseal()
        write_keys(path, OTHER_KEY)
        yield opened


def known_keys(path: Path) -> list[str]:
    with database(path) as other:
        return [key for (key,) in other.execute("SELECT id FROM sealing_keys")]


def ids(*keys: str) -> list[str]:
    ring = key_ring(Secret(",".join(keys)))
    assert ring is not None
    return list(ring.ids)


async def test_who_has_its_key_from_the_file_reads_on_with_the_new_one(tmp_path: Path) -> None:
    async with changed(tmp_path / "vault.db") as vault:
        found = await vault.get(OWNER)
        assert found is not None
        assert token(found) == "before"


async def test_who_has_its_key_from_the_file_seals_with_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    async with changed(path) as vault:
        await vault.put(OWNER, grant("after"))
    assert known_keys(path) == ids(OTHER_KEY)
    async with Vault(path, key=OTHER_KEY) as vault:
        found = await vault.get(OWNER)
        assert found is not None
        assert token(found) == "after"


async def test_who_was_given_the_former_key_neither_reads_nor_seals(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    async with changed(path, key=KEY) as vault:
        with pytest.raises(VaultKeyError, match="give the key"):
            await vault.get(OWNER)
        with pytest.raises(VaultKeyError, match="was changed while it was open"):
            await vault.put(OWNER, grant("after"))
        with pytest.raises(VaultKeyError, match="was changed while it was open"):
            await vault.setting("new", lambda: Secret("made"))
    assert known_keys(path) == ids(OTHER_KEY)


async def test_a_vault_that_is_opened_while_its_key_is_changed_does_not_bring_back_the_former_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "vault.db"
    ring = key_ring(Secret(KEY))
    assert ring is not None
    async with changed(path):
        pass
    with (
        closing(connect(path, mode="rw", timeout=5)) as connection,
        pytest.raises(VaultKeyError, match="sealed with the key"),
    ):
        # As it is when the keys were looked at before the change.
        establish_key(Database(path, connection, ring))
    assert known_keys(path) == ids(OTHER_KEY)


async def test_a_new_key_is_remembered_when_the_vault_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    async with Vault(path, key=KEY):
        pass
    async with Vault(path, key=f"{OTHER_KEY},{KEY}"):
        assert sorted(known_keys(path)) == sorted(ids(KEY, OTHER_KEY))

"""Secrets are in no file and in no error, and a sealed value opens only where it belongs."""

from pathlib import Path
from typing import Final

import pytest

from connectors.local._errors import VaultBusyError, VaultDamagedError, VaultError, VaultKeyError
from connectors.local._records import Owner
from connectors.local._vault import Vault
from tests.local.vaults import (
    CONFIG_VALUE,
    KEY,
    OTHER_KEY,
    OWNER,
    TOKEN,
    database,
    everything_in,
    grant,
    printed_with_locals,
)
from tests.loops import REAL, on
from transports import Secret

pytestmark = on(REAL)

SETTING: Final = "planted-setting-51fe"
JO, KIM = Owner.app_user("app-1", "c", "jo"), Owner.app_user("app-1", "c", "kim")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "vault.db"


async def test_secrets_are_in_no_file_while_a_vault_is_open_or_closed(path: Path) -> None:
    async with Vault(path) as vault:
        for number in range(20):
            await vault.put(OWNER, grant(f"{TOKEN}-{number}"))
        await vault.setting("signing-key", lambda: Secret(SETTING))
        assert len(list(path.parent.iterdir())) == 4
        opened = everything_in(path.parent)
    closed = everything_in(path.parent)
    for content in (closed, opened):
        assert b"signing-key" in content
        for planted in (TOKEN, CONFIG_VALUE, SETTING):
            assert planted.encode() not in content
            assert planted.encode("utf-16-le") not in content


async def test_secrets_are_in_no_repr(path: Path) -> None:
    async with Vault(path, key=KEY) as vault:
        shown: list[object] = [
            await vault.put(OWNER, grant()),
            await vault.get(OWNER),
            vault,
            vault.__dict__,
        ]
        shown += await vault.list("app-1")
    printed = repr(shown)
    assert "developer_token" in printed
    for planted in (TOKEN, CONFIG_VALUE, KEY):
        assert planted not in printed


async def test_an_error_shows_no_secret_even_with_the_locals_of_every_frame(path: Path) -> None:
    errors: list[VaultError] = []
    async with Vault(path, key=KEY, busy_timeout=0) as vault:
        await vault.put(OWNER, grant())
        with database(path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(VaultBusyError) as busy:
                await vault.put(OWNER, grant())
            errors.append(busy.value)
            with pytest.raises(VaultBusyError) as busy:
                await vault.setting("signing-key", lambda: Secret(SETTING))
            errors.append(busy.value)
            other.execute("ROLLBACK")
            other.execute("UPDATE connections SET config_ct = access_ct")
        with pytest.raises(VaultDamagedError) as damaged:
            await vault.get(OWNER)
        errors.append(damaged.value)
    with pytest.raises(VaultKeyError) as wrong:
        await Vault(path, key=OTHER_KEY).get(OWNER)
    errors.append(wrong.value)
    for error in errors:
        printed = printed_with_locals(error)
        assert "_vault.py" in printed
        for planted in (TOKEN, CONFIG_VALUE, SETTING, KEY, OTHER_KEY):
            assert planted not in printed


async def test_a_malformed_key_is_not_shown_by_the_error_about_it() -> None:
    with pytest.raises(ValueError, match="key must be") as caught:
        Vault("vault.db", key=KEY[:-2])
    assert KEY[:-2] not in printed_with_locals(caught.value)


SWAPS: Final = {
    "a token of another user": (
        "UPDATE connections SET access_ct ="
        " (SELECT access_ct FROM connections WHERE user = 'kim') WHERE user = 'jo'"
    ),
    "the whole row of another user": (
        "UPDATE connections SET user = CASE user WHEN 'jo' THEN 'kim ' ELSE 'jo' END"
    ),
    "another field": "UPDATE connections SET config_ct = access_ct",
    "an earlier generation": "UPDATE connections SET generation = generation + 1",
    "another type": "UPDATE connections SET integration_type = 'gmail'",
    "another connector": "UPDATE connections SET name = 'd' WHERE name = 'c'",
    "another app": "UPDATE connections SET app_id = 'app-2'",
    "another kind": "UPDATE connections SET kind = 'workspace', user = '' WHERE user = 'jo'",
    "another id": "UPDATE connections SET id = 'f' || id",
    "no configuration": "UPDATE connections SET config_ct = ''",
    "an edited value": "UPDATE connections SET access_ct = access_ct || 'AAAA'",
}
OWNERS: Final = (
    JO,
    Owner.app_user("app-1", "d", "jo"),
    Owner.app_user("app-2", "c", "jo"),
    Owner.workspace("app-1", "c"),
)


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
async def test_a_value_that_was_moved_or_edited_is_refused_by_its_row(
    path: Path, swap: str
) -> None:
    async with Vault(path) as vault:
        ids = {(await vault.put(owner, grant())).id for owner in (JO, KIM)}
        with database(path) as other:
            other.execute(swap)
        for owner in OWNERS:
            try:
                assert await vault.get(owner) is None
            except VaultDamagedError as error:
                caught = error
    assert any(known in str(caught) for known in ids)
    assert "restore a backup" in str(caught)
    assert TOKEN not in str(caught)


async def test_a_replaced_value_that_is_put_back_is_refused(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(JO, grant("old"))
        with database(path) as other:
            (old,) = other.execute("SELECT access_ct FROM connections").fetchone()
            await vault.put(JO, grant("new"))
            other.execute("UPDATE connections SET access_ct = ?", (old,))
        with pytest.raises(VaultDamagedError, match="access_ct of connection"):
            await vault.get(JO)


async def test_a_setting_that_was_renamed_is_refused(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.setting("service-token", lambda: Secret("guessable"))
        with database(path) as other:
            other.execute("UPDATE settings SET name = 'signing-key'")
        with pytest.raises(VaultDamagedError, match="setting signing-key"):
            await vault.setting("signing-key", lambda: Secret(SETTING))

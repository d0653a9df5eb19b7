"""A copy of a vault that is in use, and a vault that is made from it again."""

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from connectors.local._errors import (
    VaultDamagedError,
    VaultError,
    VaultForeignError,
    VaultKeyError,
    VaultPermissionError,
    VaultSchemaError,
    VaultStorageError,
)
from connectors.local._oauth import OAuthClient
from connectors.local._oauth_records import OAuthApp
from connectors.local._places import key_file
from connectors.local._records import Grant, Owner
from connectors.local._vault import Vault
from tests.local.steps import PLANTED, SENT, consented, tokens
from tests.local.vaults import (
    KEY,
    OTHER_KEY,
    OWNER,
    answer,
    contents,
    database,
    everything_in,
    printed_with_locals,
    python,
)
from tests.loops import REAL, on
from transports import Secret

pytestmark = on(REAL)

JO, KIM, LEE = (Owner.app_user("app-1", "c", name) for name in ("jo", "kim", "lee"))
STATE, TAKEN, ENDED = Secret("state-1"), Secret("state-2"), Secret("state-3")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "vault.db"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copies" / "backup.db"


async def consent(vault: Vault, state: Secret) -> None:
    await vault.consent_rows.begin(
        LEE, "slack", state=state, verifier=state, redirect_uri="http://localhost", now=1.0
    )


async def filled(vault: Vault) -> None:
    put = await vault.put(OWNER, consented())
    await vault.refreshes.present(put, SENT)
    await vault.put(JO, consented(2, refresh_token=None))
    await vault.put(KIM, Grant("slack", "by hand", refresh_token="r"))
    failed = await vault.put(LEE, consented(3))
    await vault.refreshes.fail(failed, "invalid_grant", "invalid_grant")
    await vault.apps.configure(OAuthApp("slack", OAuthClient("id", Secret("secret"))))
    await vault.setting("api.service_token", lambda: Secret("b44s_kept"))
    for state in (STATE, TAKEN, ENDED):
        await consent(vault, state)
    await vault.consent_rows.take(TAKEN, 2.0)
    taken = await vault.consent_rows.take(ENDED, 2.0)
    assert not isinstance(taken, str)
    await vault.consent_rows.end(taken.state_hash, "active", None, 3.0)


async def test_a_restored_vault_has_all_and_mistrusts_what_can_be_refreshed(
    path: Path, copy: Path
) -> None:
    async with Vault(path, key=KEY) as vault:
        await filled(vault)
        before = [await vault.get(owner) for owner in (OWNER, JO, KIM, LEE)]
        app = await vault.apps.get("slack")
        await vault.backup(copy)
    restored = path.with_name("restored.db")
    await Vault.restore(copy, restored, key=KEY)
    async with Vault(restored, key=KEY) as vault:
        after = [await vault.get(owner) for owner in (OWNER, JO, KIM, LEE)]
        assert await vault.apps.get("slack") == app
        kept = await vault.setting("api.service_token", lambda: Secret("new"))
        gone = [await vault.consent_rows.take(state, 4.0) for state in (STATE, TAKEN, ENDED)]
    first = before[0]
    assert first is not None
    assert first.presented == SENT
    assert after == [attrs.evolve(first, verify=True), *before[1:]]
    assert kept == Secret("b44s_kept")
    assert gone == ["unknown", "unknown", "used"]


async def test_what_was_mistrusted_is_trusted_once_it_is_renewed(path: Path, copy: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, consented())
        await vault.backup(copy)
    key = key_file(path).read_text()
    restored = path.with_name("restored.db")
    key_file(restored).write_text(key)
    key_file(restored).chmod(0o600)
    await Vault.restore(copy, restored)
    async with Vault(restored) as vault:
        (listed,) = await vault.list("app-1")
        assert listed.verify
        found = await vault.get(OWNER)
        assert found is not None
        renewed = await vault.refreshes.renew(found, tokens())
    assert renewed is not None
    assert not renewed.verify


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_backup_is_private_whole_and_without_the_key(path: Path, copy: Path) -> None:
    async with Vault(path) as vault:
        await filled(vault)
        await vault.backup(copy)
        key = key_file(path).read_text().strip()
    assert names(copy.parent) == ["backup.db"]
    assert mode(copy) == 0o600
    for secret in (*PLANTED, key, "b44s_kept"):
        assert secret.encode() not in everything_in(copy.parent)
    with database(copy) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)


async def test_a_backup_is_of_one_moment_while_others_write(path: Path, copy: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, consented())
        writer = python("race", path, "w", 40)
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
        for number in range(5):
            await vault.backup(copy.with_name(f"{number}.db"))
    answer(writer)
    for number in range(5):
        restored = path.with_name(f"{number}.db")
        await Vault.restore(
            copy.with_name(f"{number}.db"), restored, key=key_file(path).read_text()
        )
        async with Vault(restored, key=key_file(path).read_text()) as vault:
            shared = await vault.get(OWNER)
            assert shared is not None
            own = await vault.get(Owner.app_user("app-1", "c", "w"))
            written = 0 if own is None else own.generation
            # The writer writes to both in turn, the shared one first.
            assert shared.generation - 1 - written in {0, 1}


async def test_what_waits_for_the_vault_is_in_the_backup(path: Path, copy: Path) -> None:
    async with Vault(path, key=KEY) as vault:
        put = await vault.put(OWNER, consented())
        await vault.refreshes.spool(put, tokens())
        await vault.backup(copy)
    restored = path.with_name("restored.db")
    await Vault.restore(copy, restored, key=KEY)
    async with Vault(restored, key=KEY) as vault:
        found = await vault.get(OWNER)
    assert found is not None
    assert (found.generation, found.refresh_token) == (2, tokens().refresh_token)


async def test_a_vault_that_went_on_from_a_backup_takes_nothing_from_before(
    path: Path, copy: Path
) -> None:
    async with Vault(path, key=KEY) as vault:
        put = await vault.put(OWNER, consented())
        await vault.backup(copy)
        second = await vault.refreshes.renew(put, tokens(2))
        assert second is not None
        await vault.refreshes.spool(second, tokens(3))
    missing(path)
    await Vault.restore(copy, path, key=KEY)
    async with Vault(path, key=KEY) as vault:
        first = await vault.get(OWNER)
        assert first is not None
        other = await vault.refreshes.renew(first, tokens(7))
        assert other is not None
        assert other.generation == second.generation
        assert await vault.get(OWNER) == other


async def test_a_backup_never_takes_the_place_of_a_file(path: Path, copy: Path) -> None:
    copy.parent.mkdir()
    text(copy)
    before = contents(copy.parent)
    async with Vault(path) as vault:
        for taken in (copy, path, key_file(path)):
            with pytest.raises(VaultForeignError, match="something already") as caught:
                await vault.backup(taken)
            assert caught.value.path == str(taken)
        with pytest.raises(ValueError, match="path"):
            await vault.backup("")
    assert contents(copy.parent) == before


async def test_a_restore_never_takes_the_place_of_a_file(path: Path, copy: Path) -> None:
    async with Vault(path, key=KEY) as vault:
        await vault.put(OWNER, consented())
        await vault.backup(copy)
        with pytest.raises(VaultForeignError, match="something already"):
            await Vault.restore(copy, path, key=KEY)
        assert await vault.get(OWNER) is not None
    other = path.with_name("other.db")
    for left in ("-wal", "-journal"):
        file = other.with_name(f"other.db{left}")
        file.write_text("of an earlier vault")
        with pytest.raises(VaultForeignError, match=f"{left}: there is something already"):
            await Vault.restore(copy, other, key=KEY)
        file.unlink()
    assert not other.exists()


def missing(copy: Path) -> None:
    copy.unlink()


def readable(copy: Path) -> None:
    copy.chmod(0o644)


def foreign(copy: Path) -> None:
    with database(copy) as other:
        other.execute("PRAGMA application_id = 1")


def newer(copy: Path) -> None:
    with database(copy) as other:
        other.execute("PRAGMA user_version = 99")


def text(copy: Path) -> None:
    copy.write_text("Dear diary, today I made a backup.\n" * 50)


def empty(copy: Path) -> None:
    copy.write_text("")


def torn(copy: Path) -> None:
    with database(copy) as other:
        (page,) = other.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'connections'"
        ).fetchone()
        (size,) = other.execute("PRAGMA page_size").fetchone()
    with copy.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 100)


def miscounted(copy: Path) -> None:
    with copy.open("r+b") as file:
        # How many pages are free.
        file.seek(36)
        file.write((5).to_bytes(4, "big"))


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (missing, VaultStorageError, "No such file"),
        (readable, VaultPermissionError, "chmod 600"),
        (foreign, VaultForeignError, "another program"),
        (newer, VaultSchemaError, "schema 99"),
        (text, VaultDamagedError, "damaged"),
        (empty, VaultForeignError, "another program"),
        (torn, VaultDamagedError, "damaged"),
        (miscounted, VaultDamagedError, "restore another backup"),
    ],
)
async def test_what_is_no_backup_is_told_and_nothing_is_made_of_it(
    path: Path,
    copy: Path,
    spoil: Callable[[Path], None],
    error: type[VaultError],
    says: str,
) -> None:
    async with Vault(path, key=KEY) as vault:
        await vault.put(OWNER, consented())
        await vault.backup(copy)
    spoil(copy)
    before = contents(copy.parent)
    restored = path.parent / "restored" / "vault.db"
    with pytest.raises(VaultError, match=says) as caught:
        await Vault.restore(copy, restored, key=KEY)
    assert type(caught.value) is error
    assert caught.value.path == str(copy)
    assert not restored.parent.exists()
    assert contents(copy.parent) == before


async def test_a_backup_is_not_restored_without_its_key(path: Path, copy: Path) -> None:
    async with Vault(path, key=KEY) as vault:
        await vault.put(OWNER, consented())
        await vault.backup(copy)
    restored = path.with_name("restored.db")
    with pytest.raises(VaultKeyError, match="its key is missing"):
        await Vault.restore(copy, restored)
    with pytest.raises(VaultKeyError, match="is sealed with the key") as caught:
        await Vault.restore(copy, restored, key=OTHER_KEY)
    assert OTHER_KEY not in printed_with_locals(caught.value)
    with pytest.raises(ValueError, match="32 random bytes"):
        await Vault.restore(copy, restored, key=KEY[1:])
    assert not restored.exists()
    assert not key_file(restored).exists()


def copy_by_hand(path: Path, copy: Path) -> None:
    for suffix in ("", "-wal"):
        # Another process reads: to close the file here would drop the locks of the vault.
        subprocess.run(["cp", f"{path}{suffix}", f"{copy}{suffix}"], check=True)


async def test_a_copy_that_was_made_by_hand_while_the_vault_was_open_can_be_restored(
    path: Path, copy: Path
) -> None:
    copy.parent.mkdir()
    async with Vault(path, key=KEY) as vault:
        put = await vault.put(OWNER, consented())
        copy_by_hand(path, copy)
    await Vault.restore(copy, path.with_name("restored.db"), key=KEY)
    async with Vault(path.with_name("restored.db"), key=KEY) as vault:
        found = await vault.get(OWNER)
    assert found == attrs.evolve(put, verify=True)

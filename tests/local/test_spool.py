"""Tokens that came while the vault could not be written are there for all who read it."""

import json
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest
import structlog

from connectors.local._crypto import key_ring
from connectors.local._errors import (
    VaultBusyError,
    VaultDamagedError,
    VaultKeyError,
    VaultPermissionError,
    VaultStorageError,
)
from connectors.local._places import spool_folder
from connectors.local._records import Owner, StoredConnection
from connectors.local._spool import _place
from connectors.local._vault import Vault
from tests.local.steps import (
    ACCESS,
    PLANTED,
    RAW,
    REFRESH,
    SENT,
    STEPS,
    VALUE,
    Step,
    consented,
    due,
    renew,
    tokens,
)
from tests.local.vaults import (
    KEY,
    OTHER_KEY,
    OWNER,
    database,
    everything_in,
    printed_with_locals,
    token,
)
from tests.loops import REAL, on
from transports import Secret

pytestmark = on(REAL)

JO, KIM = Owner.app_user("app-1", "c", "jo"), Owner.app_user("app-1", "c", "kim")
CAME: Final = tokens(
    refresh_expires_at=9.0, scopes=("write",), captured={"host": "h"}, raw=Secret(RAW)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "vault.db"


def waiting(path: Path) -> list[Path]:
    return sorted(spool_folder(path).glob("*"))


async def spooled(
    vault: Vault, owner: Owner = OWNER, lock_key: str | None = None
) -> StoredConnection:
    put = await vault.put(owner, consented(lock_key=lock_key))
    await vault.refreshes.present(put, SENT)
    await vault.refreshes.spool(put, CAME)
    return put


async def by_owner(vault: Vault, _: StoredConnection) -> StoredConnection | None:
    return await vault.get(OWNER)


async def by_id(vault: Vault, put: StoredConnection) -> StoredConnection | None:
    return await vault.find(put.id)


@pytest.mark.parametrize("read", [by_owner, by_id])
async def test_a_reader_puts_what_waits_into_the_vault(
    path: Path, read: Callable[[Vault, StoredConnection], Awaitable[StoredConnection | None]]
) -> None:
    async with Vault(path) as vault:
        put = await spooled(vault)
        assert len(waiting(path)) == 1
        found = await read(vault, put)
        assert waiting(path) == []
    async with Vault(path) as again:
        assert await again.get(OWNER) == found
    assert found is not None
    assert (token(found), found.refresh_token) == (f"{ACCESS}-2", Secret(f"{REFRESH}-2"))
    assert (found.generation, found.presented, found.raw) == (2, None, Secret(RAW))
    assert (found.obtained_at, found.expires_at, found.refresh_expires_at) == (5000.0, 8600.0, 9.0)
    assert (found.scopes, found.connection_config) == (("write",), {"team": VALUE, "host": "h"})


async def test_what_the_answer_did_not_say_stays(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        await vault.refreshes.spool(put, tokens(refresh_token=None))
        found = await vault.get(OWNER)
    assert found is not None
    assert (found.refresh_token, found.scopes) == (put.refresh_token, put.scopes)


async def test_tokens_that_are_renewed_by_themselves_can_wait_too(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented(refresh_token=None))
        await vault.refreshes.spool(put, tokens(refresh_token=None))
        assert token(await vault.get(OWNER)) == f"{ACCESS}-2"


async def test_as_long_as_the_vault_cannot_be_written_the_reader_gets_them_anyway(
    path: Path,
) -> None:
    async with Vault(path, busy_timeout=0) as vault:
        await spooled(vault)
        with database(path) as other:
            other.execute("BEGIN IMMEDIATE")
            found = await vault.get(OWNER)
            assert found is not None
            assert (token(found), found.generation) == (f"{ACCESS}-2", 2)
            with pytest.raises(VaultBusyError):
                await vault.refreshes.present(found, SENT)
            assert len(waiting(path)) == 1
            other.execute("ROLLBACK")
        assert await vault.refreshes.present(found, SENT)
        assert waiting(path) == []
        kept = await vault.get(OWNER)
    assert kept == attrs.evolve(found, presented=SENT, updated_at=kept.updated_at if kept else 0)


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_from_before_they_came_changes_nothing(path: Path, step: Step) -> None:
    async with Vault(path) as vault:
        put = await spooled(vault)
        assert not await step(vault, put)
        found = await vault.get(OWNER)
    assert found is not None
    assert (token(found), found.generation, found.presented) == (f"{ACCESS}-2", 2, None)


async def test_a_new_grant_takes_their_place(path: Path) -> None:
    async with Vault(path) as vault:
        await spooled(vault)
        put = await vault.put(OWNER, consented(5))
        assert await vault.get(OWNER) == put
        assert waiting(path) == []
    assert put.generation == 3


async def test_disconnecting_has_them_revoked(path: Path) -> None:
    async with Vault(path) as vault:
        await spooled(vault)
        assert await vault.disconnect(OWNER)
        (job,) = await due(vault)
        assert waiting(path) == []
    assert job.refresh_token == Secret(f"{REFRESH}-2")


async def test_they_wait_for_all_of_their_chain(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(KIM, consented(lock_key="chain"))
        await spooled(vault, JO, "chain")
        assert len(waiting(path)) == 2
        hers = await vault.get(KIM)
        assert (token(hers), token(await vault.get(JO))) == (f"{ACCESS}-2", f"{ACCESS}-2")
        await vault.reseal()
        assert waiting(path) == []


async def test_the_first_that_came_for_a_generation_stay(path: Path) -> None:
    async with Vault(path) as vault:
        put = await spooled(vault)
        await vault.refreshes.spool(put, tokens(9))
        assert token(await vault.get(OWNER)) == f"{ACCESS}-2"


@pytest.mark.parametrize("ending", ["renewed", "failed", "disconnected"])
async def test_what_came_for_an_earlier_generation_is_worth_nothing(
    path: Path, ending: str
) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        second = await vault.refreshes.renew(put, tokens(5))
        assert second is not None
        await vault.refreshes.spool(put, CAME)
        assert await vault.get(OWNER) == second
        if ending == "renewed":
            assert await vault.refreshes.renew(second, tokens(6))
        elif ending == "failed":
            assert await vault.refreshes.fail(second, "unknown", "odd")
        else:
            assert await vault.disconnect(OWNER)
        assert waiting(path) == []
        found = await vault.get(OWNER)
    expected = {"renewed": f"{ACCESS}-6", "failed": None, "disconnected": None}
    assert (found.access_token and token(found) if found else None) == expected[ending]


async def test_nothing_comes_back_into_a_connection_that_has_ended(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        await vault.refreshes.fail(put, "invalid_grant", "invalid_grant")
        failed = await vault.get(OWNER)
        assert failed is not None
        await vault.refreshes.spool(failed, CAME)
        assert len(waiting(path)) == 1
        assert await vault.get(OWNER) == failed
        await vault.reseal()
        assert waiting(path) == []


@pytest.mark.parametrize("ending", ["failed", "disconnected"])
async def test_what_came_for_other_tokens_of_the_generation_goes_when_that_ends(
    path: Path, ending: str
) -> None:
    async with Vault(path) as vault:
        put = await spooled(vault)
        (file,) = waiting(path)
        file.rename(file.with_suffix(".0123456789abcdef"))
        assert await vault.get(OWNER) == attrs.evolve(put, presented=SENT)
        if ending == "failed":
            assert await vault.refreshes.fail(put, "unknown", "odd")
        else:
            assert await vault.disconnect(OWNER)
        assert waiting(path) == []


async def test_what_belongs_to_no_connection_is_removed_in_the_end(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        await vault.refreshes.spool(attrs.evolve(put, id="unknown"), CAME)
        (spool_folder(path) / "notes.txt").write_text("mine")
        await vault.reseal()
    assert [file.name for file in waiting(path)] == ["notes.txt"]


async def test_a_change_of_keys_leaves_none_with_the_old_one(path: Path) -> None:
    async with Vault(path, key=KEY) as vault:
        await spooled(vault)
    async with Vault(path, key=f"{OTHER_KEY},{KEY}") as vault:
        await vault.reseal()
    async with Vault(path, key=OTHER_KEY) as vault:
        assert token(await vault.get(OWNER)) == f"{ACCESS}-2"


async def test_what_comes_while_the_keys_are_changed_is_waited_for(path: Path) -> None:
    async with Vault(path, key=KEY) as vault:
        await vault.put(OWNER, consented())
        put = await vault.put(JO, consented())
        folder = spool_folder(path)
        await vault.refreshes.spool(put, CAME)
        (file,) = waiting(path)
        (away,) = [file.rename(path.parent / file.name)]

    def comes(done: int, total: int) -> None:
        if (done, total) == (2, 2) and away.exists():
            away.rename(folder / away.name)

    async with Vault(path, key=f"{OTHER_KEY},{KEY}") as vault:
        await vault.reseal(comes)
        assert waiting(path) == []
    async with Vault(path, key=OTHER_KEY) as vault:
        assert token(await vault.get(JO)) == f"{ACCESS}-2"


async def test_they_are_private_and_no_secret_can_be_read(path: Path) -> None:
    async with Vault(path) as vault:
        await spooled(vault)
        (file,) = waiting(path)
        content = everything_in(file.parent)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not any(planted.encode() in content for planted in PLANTED)


async def test_a_file_that_was_edited_is_told(path: Path) -> None:
    async with Vault(path) as vault:
        await spooled(vault)
        (file,) = waiting(path)
        file.write_text(file.read_text()[:-4] + "AAAA")
        with pytest.raises(VaultDamagedError, match="remove it, and connect again") as caught:
            await vault.get(OWNER)
        assert caught.value.path == str(file)
        file.unlink()
        assert token(await vault.get(OWNER)) == f"{ACCESS}-1"


@pytest.mark.parametrize(
    "changes",
    [{"raw": None}, {"raw": 5}, {"scopes": 5}, {"captured": "x"}, {"access_token": None}],
)
async def test_a_file_that_holds_something_else_is_told_and_shows_no_token(
    path: Path, changes: dict[str, object]
) -> None:
    async with Vault(path, key=KEY) as vault:
        put = await spooled(vault)
        (file,) = waiting(path)
        ring = key_ring(Secret(KEY))
        assert ring is not None
        values = json.loads(ring.unseal(file.read_text(), _place(put)).reveal())
        kept = {name: value for name, value in {**values, **changes}.items() if value is not None}
        file.write_text(ring.seal(Secret(json.dumps(kept)), _place(put)))
        with pytest.raises(VaultDamagedError, match="remove it, and connect again") as caught:
            await vault.get(OWNER)
    shown = printed_with_locals(caught.value)
    assert not any(planted in shown for planted in PLANTED)


async def test_nothing_is_kept_with_a_key_that_was_forgotten(path: Path) -> None:
    async with Vault(path, key=KEY) as former:
        put = await former.put(OWNER, consented())
        async with Vault(path, key=f"{OTHER_KEY},{KEY}") as vault:
            await vault.reseal()
            with pytest.raises(VaultKeyError, match="was changed while it was open"):
                await former.refreshes.spool(put, CAME)
            assert waiting(path) == []
            assert token(await vault.get(OWNER)) == f"{ACCESS}-1"


async def test_a_vault_that_cannot_even_be_asked_for_its_keys_loses_nothing(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        with database(path) as other:
            other.execute("ALTER TABLE sealing_keys RENAME TO away")
            await vault.refreshes.spool(put, CAME)
            other.execute("ALTER TABLE away RENAME TO sealing_keys")
        assert token(await vault.get(OWNER)) == f"{ACCESS}-2"


async def test_a_key_that_the_vault_needs_and_this_process_has_not_is_told(path: Path) -> None:
    async with Vault(path, key=KEY) as former:
        put = await former.put(OWNER, consented())
        async with Vault(path, key=f"{OTHER_KEY},{KEY}") as vault:
            await vault.refreshes.spool(put, CAME)
            with pytest.raises(VaultKeyError, match="give the key"):
                await former.get(OWNER)
            assert token(await vault.get(OWNER)) == f"{ACCESS}-2"


@asynccontextmanager
async def sealed_with_a_forgotten_key(path: Path) -> AsyncIterator[tuple[Vault, Path]]:
    """A vault, and a file that was being written while its key was changed."""
    async with Vault(path, key=KEY) as vault:
        await spooled(vault)
        (file,) = waiting(path)
        away = file.rename(path.parent / file.name)
    async with Vault(path, key=f"{OTHER_KEY},{KEY}") as vault:
        await vault.reseal()
    away.rename(file)
    async with Vault(path, key=OTHER_KEY) as vault:
        yield vault, file


async def test_what_a_forgotten_key_sealed_is_set_aside_and_told_once(path: Path) -> None:
    async with sealed_with_a_forgotten_key(path) as (vault, file):
        with structlog.testing.capture_logs() as events:
            for _ in range(2):
                found = await vault.get(OWNER)
                assert found is not None
                assert (token(found), found.presented) == (f"{ACCESS}-1", SENT)
        (aside,) = waiting(path)
        assert [(event["event"], event["file"]) for event in events] == [
            ("connectors.local.spool_unreadable", str(aside))
        ]
        assert not any(planted in str(events) for planted in PLANTED)
    aside.rename(file)
    async with Vault(path, key=f"{OTHER_KEY},{KEY}") as vault:
        assert token(await vault.get(OWNER)) == f"{ACCESS}-2"


async def test_what_a_forgotten_key_sealed_is_in_nobodys_way(path: Path) -> None:
    async with sealed_with_a_forgotten_key(path) as (vault, _):
        await vault.backup(path.with_name("backup.db"))
        await vault.reseal()
        assert len(waiting(path)) == 1
        assert await vault.disconnect(OWNER)
        assert waiting(path) == []


async def test_what_cannot_be_set_aside_is_passed_over_all_the_same(path: Path) -> None:
    async with sealed_with_a_forgotten_key(path) as (vault, file):
        file.with_name(f"{file.name}.unreadable").mkdir()
        assert token(await vault.get(OWNER)) == f"{ACCESS}-1"


async def test_a_file_of_another_connection_is_told(path: Path) -> None:
    async with Vault(path) as vault:
        jo = await spooled(vault, JO)
        kim = await vault.put(KIM, consented())
        (file,) = waiting(path)
        file.rename(file.with_name(file.name.replace(jo.id, kim.id)))
        with pytest.raises(VaultDamagedError, match="can't be read"):
            await vault.get(KIM)


async def test_a_file_that_others_may_read_is_refused(path: Path) -> None:
    async with Vault(path) as vault:
        await spooled(vault)
        (file,) = waiting(path)
        file.chmod(0o644)
        with pytest.raises(VaultPermissionError, match="chmod 600"):
            await vault.get(OWNER)


async def test_what_cannot_be_kept_anywhere_is_told(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        spool_folder(path).write_text("in the way")
        with pytest.raises(VaultStorageError):
            await vault.refreshes.spool(put, CAME)


async def test_a_renewal_after_all_is_the_one(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        await vault.refreshes.spool(put, CAME)
        found = await vault.get(OWNER)
        assert found is not None
        assert await renew(vault, found)
        assert token(await vault.get(OWNER)) == f"{ACCESS}-9"

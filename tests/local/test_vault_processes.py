"""Several processes at one vault, and processes that are killed."""

from pathlib import Path

import anyio
import pytest

from connectors.local._records import Owner, StoredConnection
from connectors.local._vault import Vault
from tests.local.vaults import OWNER, answer, python, token

PROCESSES = 5
WRITES = 20


async def read(path: Path, owner: Owner = OWNER) -> StoredConnection | None:
    async with Vault(path) as vault:
        return await vault.get(owner)


def test_processes_that_make_a_vault_at_once_agree_and_lose_no_write(tmp_path: Path) -> None:
    path = tmp_path / "new" / "vault.db"
    racers = [python("race", path, name, WRITES) for name in range(PROCESSES)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    settings = {answer(racer) for racer in racers}
    assert len(settings) == 1
    shared = anyio.run(read, path)
    assert shared is not None
    assert shared.generation == PROCESSES * WRITES
    for name in range(PROCESSES):
        own = anyio.run(read, path, Owner.app_user("app-1", "c", str(name)))
        assert own is not None
        assert (own.generation, token(own)) == (WRITES, str(WRITES - 1))
    assert sorted(file.name for file in path.parent.iterdir()) == ["vault.db", "vault.db.key"]


def test_a_process_that_is_killed_while_it_writes_leaves_the_old_or_the_new_value(
    tmp_path: Path,
) -> None:
    assert answer(python("die_writing", tmp_path / "vault.db", 30)) == "killed 30\n"


def test_a_process_that_is_killed_at_any_line_of_making_a_vault_leaves_none_or_a_good_one(
    tmp_path: Path,
) -> None:
    said = answer(python("die_creating", tmp_path))
    assert said.startswith("opened after each of")
    assert int(said.split()[4]) > 80


@pytest.mark.parametrize("size", [10, 5_000, 150_000])
def test_a_full_disk_is_told_and_spoils_nothing(tmp_path: Path, size: int) -> None:
    path = tmp_path / "vault.db"
    assert answer(python("full", path, size)).startswith(f"VaultStorageError {path}: ")
    found = anyio.run(read, path)
    # Only the largest has room for a connection.
    assert (found is not None) == (size == 150_000)


def test_a_forked_child_is_told_to_make_a_vault_of_its_own(tmp_path: Path) -> None:
    said = answer(python("fork", tmp_path / "vault.db"))
    told, child, parent = said.splitlines()
    assert told.startswith("VaultUsageError")
    assert "opened before a fork" in told
    assert (child, parent) == ("child t", "parent t")


@pytest.mark.parametrize("step", ["present", "renew", "postpone", "fail", "force", "take"])
def test_of_processes_that_take_the_same_step_from_the_same_place_one_takes_it(
    tmp_path: Path, step: str
) -> None:
    for number in range(4):
        assert answer(python("contend", tmp_path / f"{number}.db", step, 8)) == "1\n"


def test_a_process_that_is_killed_before_any_statement_of_a_refresh_leaves_a_state_that_exists(
    tmp_path: Path,
) -> None:
    said = answer(python("die_refreshing", tmp_path))
    assert said.startswith("whole after each of")
    assert int(said.split()[4]) > 60
    assert said.endswith("in 10 states\n")


def test_a_process_that_is_killed_before_any_statement_of_a_change_of_keys_spoils_nothing(
    tmp_path: Path,
) -> None:
    said = answer(python("die_rotating", tmp_path))
    assert said.startswith("rotated after each of")
    assert int(said.split()[4]) > 15

"""What killed processes leave is removed, and what another process may be building is not."""

import os
import time
from pathlib import Path

import anyio
import pytest

from connectors.local import Vault
from connectors.local._drafts import FORGOTTEN_AFTER, new_draft, remove_forgotten
from connectors.local._files import check_private, publish
from tests.local.vaults import OWNER, grant
from tests.loops import REAL, on

OLD = FORGOTTEN_AFTER + 60


def write_hello(draft: Path) -> None:
    draft.write_text("hello")


def left(draft: Path, age: float, text: str = "half") -> Path:
    """A draft that nobody has written to for that long."""
    draft.write_text(text)
    then = time.time() - age
    os.utime(draft, (then, then))
    return draft


def test_the_second_name_that_a_killed_creator_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a[b]*"
    publish(path, write_hello)
    second, other = tmp_path / ".a[b]*.0123.new", tmp_path / ".a[b]*.4567.new"
    second.hardlink_to(path)
    other.write_text("somebody is building it")
    check_private(path)
    assert sorted(tmp_path.iterdir()) == [other, path]


def test_other_second_names_stay(tmp_path: Path) -> None:
    path = tmp_path / "file"
    publish(path, write_hello)
    (tmp_path / "backup").hardlink_to(path)
    check_private(path)
    assert (tmp_path / "backup").exists()


def names_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_what_nobody_has_written_to_for_an_hour_is_removed_with_what_sqlite_keeps_beside_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a[b]*"
    draft = left(new_draft(path), OLD)
    for suffix in ("-journal", "-wal", "-shm"):
        left(draft.with_name(draft.name + suffix), OLD)
    remove_forgotten(path, time.time())
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_may_be_building_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    young = left(new_draft(path), FORGOTTEN_AFTER - 60)
    beside = left(young.with_name(f"{young.name}-journal"), FORGOTTEN_AFTER - 60)
    remove_forgotten(path, time.time())
    assert sorted(tmp_path.iterdir()) == [young, beside]


@pytest.mark.parametrize(
    "name",
    [
        "file",
        ".file.backup.new",
        ".file.0123456789abcdef.new.txt",
        ".file.0123456789ABCDEF.new",
        ".other.0123456789abcdef.new",
        "x.file.0123456789abcdef.new",
    ],
)
def test_what_has_another_name_is_not_ours(tmp_path: Path, name: str) -> None:
    other = left(tmp_path / name, OLD)
    remove_forgotten(tmp_path / "file", time.time())
    assert other.exists()


def test_a_link_and_a_folder_with_the_name_of_a_draft_are_not_ours(tmp_path: Path) -> None:
    path, other = tmp_path / "file", left(tmp_path / "other", OLD)
    link, folder = new_draft(path), new_draft(path)
    link.symlink_to(other)
    folder.mkdir()
    remove_forgotten(path, time.time() + 2 * OLD)
    assert sorted(tmp_path.iterdir()) == sorted([link, folder, other])


def test_a_folder_that_is_gone_is_no_reason_to_fail(tmp_path: Path) -> None:
    remove_forgotten(tmp_path / "gone" / "file", time.time())


@on(REAL)
@pytest.mark.parametrize("known", [True, False])
async def test_the_next_who_opens_the_vault_removes_the_drafts_of_vault_and_key(
    tmp_path: Path, *, known: bool
) -> None:
    path = tmp_path / "vault.db"
    if known:
        async with Vault(path) as vault:
            await vault.put(OWNER, grant())
    for place in (path, path.with_name("vault.db.key")):
        left(new_draft(place), OLD)
    young = left(new_draft(path), 0)
    async with Vault(path) as vault:
        await vault.put(OWNER, grant())
    assert names_in(tmp_path) == {"vault.db", "vault.db.key", young.name}


def test_a_process_stopped_for_an_hour_in_the_middle_of_a_vault_leaves_the_new_one_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "vault.db"

    async def created() -> None:
        async with Vault(path) as vault:
            await vault.put(OWNER, grant())

    def stopped(draft: Path) -> None:
        draft.write_text("half")
        remove_forgotten(path, time.time() + OLD)
        anyio.run(created)

    with pytest.raises(FileNotFoundError):
        publish(path, stopped)
    anyio.run(created)

"""What is wrong with a vault's files is said clearly, and nothing of it is repaired or replaced."""

import os
from collections.abc import Callable
from pathlib import Path

import anyio
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
from connectors.local._places import key_file
from connectors.local._vault import Vault
from tests.local.vaults import (
    KEY,
    OTHER_KEY,
    OWNER,
    TOKEN,
    answer,
    contents,
    database,
    grant,
    python,
)
from tests.loops import REAL, on

pytestmark = on(REAL)


async def filled(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, grant())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "vault.db"
    anyio.run(filled, path)
    return path


def sql(*statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with database(path) as other:
            for statement in statements:
                other.execute(statement)

    return change


def without_key(path: Path) -> None:
    key_file(path).unlink()


def other_key(path: Path) -> None:
    key_file(path).write_text(OTHER_KEY)


def no_key(path: Path) -> None:
    key_file(path).write_text("")


def open_key(path: Path) -> None:
    key_file(path).chmod(0o640)


def linked_key(path: Path) -> None:
    key_file(path).rename(path.with_name("elsewhere"))
    key_file(path).symlink_to(path.with_name("elsewhere"))


def open_vault(path: Path) -> None:
    path.chmod(0o604)


def close_vault(path: Path) -> None:
    path.chmod(0o600)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def shortened(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_in_the_header(path: Path) -> None:
    os.truncate(path, 50)


def overwritten(path: Path) -> None:
    path.write_bytes(os.urandom(8192))


def overwritten_tables(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def flipped_in_the_schema(path: Path) -> None:
    # SQLite then says what is wrong in words that are no UTF-8.
    content = bytearray(path.read_bytes())
    content[content.index(b"CREATE TABLE") + 3] ^= 0x80
    path.write_bytes(content)


def text(path: Path) -> None:
    path.write_text("Dear diary, today I made a vault.\n" * 50)


def foreign(path: Path) -> None:
    path.write_bytes(b"")
    sql("CREATE TABLE notes (text)", "INSERT INTO notes VALUES ('mine')")(path)


def foreign_in_wal_mode(path: Path) -> None:
    path.write_bytes(b"")
    sql("PRAGMA journal_mode = WAL", "CREATE TABLE notes (text)")(path)


def foreign_with_a_log(path: Path) -> None:
    foreign_in_wal_mode(path)
    killed_while_writing(path, "INSERT INTO notes VALUES ('in the log')")


def foreign_with_a_journal(path: Path) -> None:
    foreign(path)
    # Changes that are in the file and not committed, as a kill in mid-commit leaves them.
    killed_while_writing(
        path,
        "PRAGMA cache_size = 1",
        "PRAGMA cache_spill = 1",
        "CREATE TABLE more (x)",
        "BEGIN",
        *["INSERT INTO more VALUES (randomblob(50000))"] * 5,
    )
    assert path.with_name("vault.db-journal").stat().st_size > 0


def killed_while_writing(path: Path, *statements: str) -> None:
    answer(python("leave", path, *statements))


def newer(path: Path) -> None:
    sql("PRAGMA user_version = 99")(path)


def newer_with_a_log(path: Path) -> None:
    killed_while_writing(path, "PRAGMA user_version = 99")


def wrong_key_with_a_log(path: Path) -> None:
    killed_while_writing(path, "UPDATE connections SET account_label = 'in the log'")
    other_key(path)


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (without_key, VaultKeyError, "its key is missing"),
        (other_key, VaultKeyError, "is sealed with the key"),
        (wrong_key_with_a_log, VaultKeyError, "is sealed with the key"),
        (no_key, VaultKeyError, "does not hold"),
        (open_key, VaultPermissionError, "chmod 600 .*vault.db.key"),
        (linked_key, VaultForeignError, "not a regular file"),
        (open_vault, VaultPermissionError, "chmod 600 .*vault.db"),
        (newer, VaultSchemaError, "schema 99"),
        (newer_with_a_log, VaultSchemaError, "schema 99"),
        (foreign, VaultForeignError, "another program"),
        (foreign_in_wal_mode, VaultForeignError, "another program"),
        (foreign_with_a_log, VaultForeignError, "another program"),
        (foreign_with_a_journal, VaultForeignError, "choose another path"),
        (emptied, VaultDamagedError, "it is empty"),
        (shortened, VaultDamagedError, "damaged"),
        (cut_in_the_header, VaultDamagedError, "damaged"),
        (overwritten, VaultDamagedError, "damaged"),
        (overwritten_tables, VaultDamagedError, "damaged"),
        (text, VaultDamagedError, "damaged or not a vault"),
        (flipped_in_the_schema, VaultDamagedError, "damaged"),
        (sql("PRAGMA user_version = 0"), VaultDamagedError, "already exists"),
        (sql("DROP TABLE sealing_keys"), VaultDamagedError, "no such table"),
        (sql("DELETE FROM sealing_keys"), VaultDamagedError, "lost"),
        (sql("UPDATE sealing_keys SET check_ct = 'x'"), VaultDamagedError, "check of key"),
    ],
)
async def test_what_is_wrong_is_told_and_no_file_is_changed(
    path: Path, spoil: Callable[[Path], None], error: type[VaultError], says: str
) -> None:
    spoil(path)
    before = contents(path.parent)
    for _ in range(2):
        with pytest.raises(VaultError, match=says) as caught:
            await Vault(path).put(OWNER, grant("newer"))
        assert type(caught.value) is error
        assert TOKEN not in str(caught.value)
    assert contents(path.parent) == before


def damaged_row(assignment: str) -> Callable[[Path], None]:
    return sql("PRAGMA ignore_check_constraints = ON", f"UPDATE connections SET {assignment}")


@pytest.mark.parametrize(
    "assignment",
    [
        "generation = 'two'",
        "state = 'lost'",
        "scopes = 'no json'",
        "scopes = '[5]'",
        "scopes = '5'",
        "created_at = 'now'",
        "integration_type = ''",
        "account_label = CAST(x'ff' AS TEXT)",
    ],
)
async def test_a_damaged_row_is_told_and_never_written_over(path: Path, assignment: str) -> None:
    damaged_row(assignment)(path)
    before = contents(path.parent)
    async with Vault(path) as vault:
        for use in (vault.get(OWNER), vault.list("app-1"), vault.put(OWNER, grant())):
            with pytest.raises(VaultDamagedError, match="damaged"):
                await use
    assert contents(path.parent) == before


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_a_vault_is_not_made_where_a_link_points_to_nothing(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    path.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(VaultForeignError):
        await Vault(path).get(OWNER)
    assert names(tmp_path) == ["vault.db"]


async def test_a_vault_is_not_made_in_something_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VaultStorageError) as caught:
        await Vault(tmp_path / "file" / "vault.db").get(OWNER)
    assert str(tmp_path / "file") in str(caught.value)


async def test_what_a_killed_process_left_in_the_log_is_there(path: Path) -> None:
    killed_while_writing(path, "UPDATE connections SET account_label = 'in the log'")
    async with Vault(path) as vault:
        found = await vault.get(OWNER)
    assert found is not None
    assert found.account_label == "in the log"


async def test_a_vault_without_its_key_is_opened_with_the_key_that_is_given(path: Path) -> None:
    key = key_file(path).read_text().strip()
    key_file(path).unlink()
    async with Vault(path, key=f"{KEY},{key}") as vault:
        assert await vault.get(OWNER) is not None
    assert not key_file(path).exists()


async def test_a_malformed_key_is_refused_when_it_is_given(tmp_path: Path) -> None:
    for key in ("", KEY[1:], f"{KEY},", KEY.encode()):
        with pytest.raises(ValueError, match="32 random bytes"):
            Vault(tmp_path / "vault.db", key=key)  # type: ignore[arg-type]


async def test_a_vault_that_could_not_be_opened_is_opened_once_the_reason_is_gone(
    path: Path,
) -> None:
    open_vault(path)
    vault = Vault(path)
    with pytest.raises(VaultPermissionError):
        await vault.get(OWNER)
    close_vault(path)
    assert await vault.get(OWNER) is not None
    await vault.aclose()

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connectors.local._database import connect, translated
from connectors.local._errors import (
    VaultBusyError,
    VaultDamagedError,
    VaultError,
    VaultForeignError,
    VaultPermissionError,
    VaultSchemaError,
    VaultStorageError,
)
from connectors.local._schema import MIGRATIONS, check_schema, migrate, writing

NEXT = (*MIGRATIONS, ("ALTER TABLE settings ADD COLUMN a", "ALTER TABLE settings ADD COLUMN b"))
BROKEN = (*MIGRATIONS, ("ALTER TABLE settings ADD COLUMN a", "ALTER TABLE nothing ADD COLUMN b"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file.db"
    path.touch()
    return path


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path, mode="rw", timeout=0)) as connection:
        yield connection


def columns(connection: sqlite3.Connection) -> list[str]:
    return [row[1] for row in connection.execute("PRAGMA table_info(settings)")]


def version(connection: sqlite3.Connection) -> object:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def test_an_older_vault_gets_the_migrations_that_it_lacks(connection: sqlite3.Connection) -> None:
    migrate(connection)
    connection.execute("INSERT INTO settings VALUES ('n', 'v', 1.0)")
    migrate(connection, NEXT)
    migrate(connection, NEXT)
    assert connection.execute("SELECT * FROM settings").fetchall() == [("n", "v", 1.0, None, None)]
    assert version(connection) == len(NEXT)


def test_a_migration_is_applied_whole_or_not_at_all(connection: sqlite3.Connection) -> None:
    migrate(connection)
    before = columns(connection)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, BROKEN)
    assert columns(connection) == before
    assert version(connection) == len(MIGRATIONS)


def test_a_migration_that_another_process_has_just_done_is_not_done_again(
    path: Path, connection: sqlite3.Connection
) -> None:
    migrate(connection)
    # The trace runs when the migration has seen the old version and is about to take the lock.
    others: list[str] = []

    def quicker(statement: str) -> None:
        if statement.startswith("BEGIN") and not others:
            others.append(statement)
            with closing(connect(path, mode="rw", timeout=0)) as other:
                migrate(other, NEXT)

    connection.set_trace_callback(quicker)
    migrate(connection, NEXT)
    assert others
    assert columns(connection)[-2:] == ["a", "b"]


def test_a_write_is_refused_once_a_newer_release_has_changed_the_vault(
    path: Path, connection: sqlite3.Connection
) -> None:
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(VaultForeignError), writing(connection, path):
        pass
    connection.execute(f"PRAGMA application_id = {int.from_bytes(b'B44V', 'big')}")
    with (
        pytest.raises(VaultSchemaError, match="update base44-connectors"),
        writing(connection, path),
    ):
        pass
    assert not connection.in_transaction
    check_schema(connection, path, NEXT)


def test_the_connection_keeps_its_promises(connection: sqlite3.Connection) -> None:
    pragmas = ("synchronous", "foreign_keys", "trusted_schema", "secure_delete", "cell_size_check")
    found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    assert found == [2, 1, 0, 1, 1]


def test_connecting_never_makes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%20.db"
    with pytest.raises(VaultPermissionError), translated(path):
        connect(path, mode="rw", timeout=0).close()
    assert list(tmp_path.iterdir()) == []
    path.touch()
    with closing(connect(path, mode="rw", timeout=0)) as connection:
        connection.execute("CREATE TABLE t (x)")
    assert path.stat().st_size > 0


def disk_full(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count = 1")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("INSERT INTO t VALUES (zeroblob(100000))")


def busy(connection: sqlite3.Connection) -> None:
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        connection.execute("BEGIN IMMEDIATE")


def read_only(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")
    connection.execute("CREATE TABLE t (x)")


def no_table(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT * FROM connections")


def no_text(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT CAST(x'ff' AS TEXT)").fetchall()


def too_big(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT zeroblob(2000000000)")


def no_folder(_: sqlite3.Connection) -> None:
    Path("/nowhere/at/all").stat()


def no_permission(_: sqlite3.Connection) -> None:
    raise PermissionError(13, "Permission denied", "/some/file")


@pytest.mark.parametrize(
    ("cause", "error"),
    [
        (disk_full, VaultStorageError),
        (busy, VaultBusyError),
        (read_only, VaultPermissionError),
        (no_table, VaultDamagedError),
        (no_text, VaultDamagedError),
        (too_big, VaultStorageError),
        (no_folder, VaultStorageError),
        (no_permission, VaultPermissionError),
    ],
)
def test_what_fails_below_is_told_as_an_error_of_the_vault(
    cause: object, error: type[VaultError], path: Path, connection: sqlite3.Connection
) -> None:
    assert callable(cause)
    with pytest.raises(VaultError) as caught, translated(path):
        cause(connection)
    assert type(caught.value) is error
    assert caught.value.path in str(caught.value)
    assert isinstance(caught.value.__cause__, sqlite3.Error | OSError)

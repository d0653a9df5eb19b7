"""A vault's file copied while it is in use, and put back where there is none any more.

A copy holds what the vault holds, sealed as it is there; the key is not in it. What comes back from
it is old: the providers have gone on. So a token that can be refreshed is refreshed before it is
relied on, and a consent that was waiting then waits no more.
"""

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from connectors.local._crypto import KeyRing
from connectors.local._database import connect, transaction, translated
from connectors.local._errors import VaultDamagedError, VaultForeignError
from connectors.local._files import check_private, exists, make_folder, publish
from connectors.local._keyfile import find_keys
from connectors.local._opening import careful_mode
from connectors.local._schema import check_schema, migrate
from connectors.local._sealing import Database, check_keys
from connectors.local._spool import settle_all

_LEFT_BY_A_VAULT: Final = ("-wal", "-journal")
_MISTRUST: Final = """
    UPDATE connections SET verify = 1
    WHERE state = 'active' AND source = 'oauth' AND refresh_ct IS NOT NULL
"""
_LET_GO: Final = "DELETE FROM consents WHERE outcome IN ('pending', 'taken')"


def back_up(database: Database, target: Path) -> None:
    """Copy a vault to a path where nothing is.

    Raises:
        VaultForeignError: Something is there; it is left as it is.
    """
    make_folder(target.parent)
    # What could not be put into the vault belongs into the copy.
    settle_all(database)
    if not publish(target, partial(_copy, source=database.connection)):
        raise _taken(target)


def restore(backup: Path, path: Path, given: KeyRing | None, timeout: float) -> None:
    """Put a backup in the place of a vault that is not there.

    Raises:
        VaultForeignError: Something is there, or is left of an earlier vault.
        VaultError: The backup or its key is not right; then there is no vault.
    """
    with translated(path):
        for suffix in ("", *_LEFT_BY_A_VAULT):
            left = path.with_name(path.name + suffix)
            if exists(left):
                raise _taken(left)
        ring = find_keys(path, given, create=False)
        with closing(_opened(backup, timeout)) as source:
            _check(Database(backup, source, ring))
            make_folder(path.parent)
            published = publish(path, partial(_restore, source=source))
        if not published:  # pragma: no cover - another process was quicker in these milliseconds.
            raise _taken(path)


def _opened(backup: Path, timeout: float) -> sqlite3.Connection:
    with translated(backup):
        check_private(backup)
        return connect(backup, mode=careful_mode(backup), timeout=timeout)


def _check(backup: Database) -> None:
    with translated(backup.path):
        _check_content(backup)


def _check_content(backup: Database) -> None:
    check_schema(backup.connection, backup.path)
    check_keys(backup)
    if backup.connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
        raise VaultDamagedError(backup.path, "it is damaged; restore another backup")


def _copy(draft: Path, source: sqlite3.Connection) -> None:
    with closing(connect(draft, mode="rw", timeout=0)) as copy:
        source.backup(copy)
        # One file that needs no other beside it.
        copy.execute("PRAGMA journal_mode = DELETE")


def _restore(draft: Path, source: sqlite3.Connection) -> None:
    with closing(connect(draft, mode="rw", timeout=0)) as copy:
        source.backup(copy)
        migrate(copy)
        with transaction(copy):
            copy.execute(_MISTRUST)
            copy.execute(_LET_GO)
        copy.execute("PRAGMA journal_mode = WAL")


def _taken(path: Path) -> VaultForeignError:
    return VaultForeignError(
        path, "there is something already; move it away, or choose another path"
    )

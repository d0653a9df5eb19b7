"""Tokens that have come while the vault could not be written: a file for each, beside it.

Such a file is private and sealed like a row. It is called after the generation and the token that
its tokens take the place of, so that it is never put into a row that was taken back to a backup and
has gone on from there. Whoever next looks at that row puts them into it, and removes the file. Once
the row has another generation the file is worth nothing, and goes when it is next seen. As long as
the vault still can't be written, a reader gets what the row is going to be.

A file is sealed with a key that the vault remembers, as a row is. That key may be forgotten while
the file is being written, which nothing can prevent when the vault can't be. Such a file is set
aside: to its connection it is an answer that was lost, which the refresh knows how to go on from.
An error would keep the connection from being used, ended and saved, for a file that hardly anybody
has the key of. Whoever has can give the key and take the ending off the file's name.

No function here that can raise has a token in a local variable.
"""

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from connectors._events import emit
from connectors.local import _rows
from connectors.local._crypto import Place, SealError, UnknownKeyError
from connectors.local._errors import VaultDamagedError
from connectors.local._fields import ConnectionConfig
from connectors.local._files import exists, make_folder, publish, read_private, sync_folder
from connectors.local._generations import renewed
from connectors.local._oauth import Tokens
from connectors.local._places import spool_folder
from connectors.local._records import StoredConnection
from connectors.local._renewing import presented_digest, renew_chain
from connectors.local._schema import writing
from connectors.local._sealing import Database, demand_key, is_remembered, missing_key
from connectors.local._tables import Row
from transports import Secret

_SET_ASIDE: Final = ".unreadable"
_NAME: Final = re.compile(rf"[^.]+\.[0-9]+\.[0-9a-f]{{16}}({re.escape(_SET_ASIDE)})?")
# An answer has at most 256 KiB, and all of it is in there twice.
_LONGEST: Final = 4 * 1024 * 1024


def spool(database: Database, connection: StoredConnection, tokens: Tokens) -> None:
    """Keep the tokens that take the place of a connection's; durable when it returns.

    They are kept for all of its chain. What is kept for a generation already stays.

    Raises:
        VaultKeyError: The key has been forgotten: nobody could open them.
    """
    # A vault that can't even be read does not say that it has.
    with suppress(sqlite3.Error):
        demand_key(database)
    folder = spool_folder(database.path)
    if not exists(folder):
        make_folder(folder)
        sync_folder(folder.parent)
    _keep(database, connection, tokens)
    for sibling in _rows.siblings(database, connection):
        _keep(database, sibling, tokens)


def current(database: Database, row: Row | None) -> StoredConnection | None:
    """A row with its secrets and with what waits for it; None when it has ended."""
    if row is None or row["state"] == "disconnected":
        return None
    connection = _rows.opened(database, row)
    tokens = _waiting(database, connection)
    if tokens is None:
        return connection
    try:
        settle(database, connection.id)
    except (sqlite3.Error, OSError):
        return renewed(connection, tokens, time.time())
    return current(database, _rows.TABLE.row(database, row["id"]))


@contextmanager
def changing(database: Database, connection_id: str | None) -> Iterator[None]:
    """A transaction that writes to a connection, after what waits for it has been put into it."""
    if connection_id is not None:
        settle(database, connection_id)
    with writing(database.connection, database.path):
        yield


def settle(database: Database, connection_id: str) -> None:
    """Put into a row what waits for it."""
    row = _rows.TABLE.row(database, connection_id)
    if row is None or all(map(_is_set_aside, _files(database, connection_id))):
        return
    with writing(database.connection, database.path):
        connection = _rows.opened(database, _rows.TABLE.row(database, connection_id) or row)
        tokens = _waiting(database, connection)
        if tokens is not None:
            renew_chain(database, connection, tokens)
    discard(database, connection_id)


def settle_all(database: Database) -> None:
    """Put into the rows all that waits for them, and remove what is worth nothing any more."""
    for connection_id in sorted({_part(file, 0) for file in _files(database)}):
        settle(database, connection_id)
        discard(database, connection_id)


def is_empty(database: Database) -> bool:
    """Does nothing wait for any row?"""
    return all(map(_is_set_aside, _files(database)))


def discard(database: Database, connection_id: str) -> None:
    """Remove what is kept for no generation of a connection that it can still come to."""
    row = _rows.TABLE.row(database, connection_id)
    first = 0 if row is None else row["generation"] + (row["state"] != "active")
    for file in _files(database, connection_id):
        if row is None or int(_part(file, 1)) < first:
            file.unlink(missing_ok=True)


def _files(database: Database, connection_id: str | None = None) -> list[Path]:
    folder = spool_folder(database.path)
    # Drafts begin with a dot.
    found = folder.iterdir() if exists(folder) else ()
    files = [file for file in found if _NAME.fullmatch(file.name)]
    return [file for file in files if connection_id in {None, _part(file, 0)}]


def _is_set_aside(file: Path) -> bool:
    return file.suffix == _SET_ASIDE


def _part(file: Path, number: int) -> str:
    return file.name.split(".")[number]


def _file(database: Database, connection: StoredConnection) -> Path:
    replaced = presented_digest(connection)[:16]
    name = f"{connection.id}.{connection.generation}.{replaced}"
    return spool_folder(database.path) / name


def _keep(database: Database, connection: StoredConnection, tokens: Tokens) -> None:
    sealed = database.ring.seal(_packed(tokens), _place(connection))
    publish(_file(database, connection), partial(_write, sealed=sealed))


def _write(draft: Path, sealed: str) -> None:
    with draft.open("wb") as file:
        file.write(sealed.encode("ascii"))


def _waiting(database: Database, connection: StoredConnection) -> Tokens | None:
    """What is kept to take the place of a connection's tokens."""
    if connection.state != "active":
        return None
    file = _file(database, connection)
    try:
        sealed = read_private(file, _LONGEST)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        tokens = _unpacked(database.ring.unseal(sealed.reveal(), _place(connection)))
    except UnknownKeyError as error:
        _set_aside(database, file, error.key_id)
        return None
    except SealError as error:
        raise _damaged(file, str(error)) from None
    if tokens is None:
        raise _damaged(file, "something else was sealed")
    return tokens


def _damaged(file: Path, why: str) -> VaultDamagedError:
    return VaultDamagedError(
        file, f"the tokens in it can't be read ({why}); remove it, and connect again"
    )


def _set_aside(database: Database, file: Path, key_id: str) -> None:
    """Put a file aside that no key of the vault opens.

    Raises:
        VaultKeyError: One does, and this process does not have it.
    """
    if is_remembered(database, key_id):
        raise missing_key(database, key_id)
    aside = file.with_name(file.name + _SET_ASIDE)
    # Another process may be quicker; where nothing can be renamed, it is told each time.
    with suppress(OSError):
        file.rename(aside)
    emit("warning", "connectors.local.spool_unreadable", file=str(aside), key_id=key_id)


def _place(connection: StoredConnection) -> Place:
    owner = _rows.owner_columns(connection.owner).values()
    chain = (connection.integration_type, connection.lock_key)
    return Place(("spool", connection.id, *owner, *chain), connection.generation, "tokens")


def _packed(tokens: Tokens) -> Secret:
    return Secret(
        json.dumps(
            {
                **attrs.asdict(tokens),
                "access_token": tokens.access_token.reveal(),
                "refresh_token": tokens.refresh_token and tokens.refresh_token.reveal(),
                "captured": dict(tokens.captured),
                "raw": tokens.raw.reveal(),
            }
        )
    )


def _unpacked(text: Secret) -> Tokens | None:
    """The tokens; None when it is another text, which must not be raised from here."""
    try:
        values = json.loads(text.reveal())
        scopes = values["scopes"]
        return Tokens(
            access_token=Secret(values["access_token"]),
            refresh_token=Secret(values["refresh_token"]) if values["refresh_token"] else None,
            obtained_at=values["obtained_at"],
            expires_at=values["expires_at"],
            refresh_expires_at=values["refresh_expires_at"],
            scopes=None if scopes is None else tuple(scopes),
            captured=ConnectionConfig(values["captured"]),
            raw=Secret(values["raw"]),
        )
    except (KeyError, TypeError, ValueError):
        return None

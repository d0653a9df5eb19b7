"""What is done to connections as wholes: they are kept, found and ended."""

import time
import uuid
from collections.abc import Mapping
from contextlib import suppress

from connectors.local import _rows
from connectors.local._consent_rows import end_consent
from connectors.local._database import clear_log
from connectors.local._errors import VaultDamagedError
from connectors.local._generations import ended, granted, joined
from connectors.local._oauth_records import Consent
from connectors.local._records import ConnectionSummary, Grant, Owner, StoredConnection
from connectors.local._revocations import add_revocation
from connectors.local._sealing import Database, register_key
from connectors.local._spool import changing, current, discard
from connectors.local._tables import Row


def put_connection(database: Database, owner: Owner, grant: Grant) -> StoredConnection:
    """Keep a grant in place of the owner's earlier one."""
    with changing(database, _id(database, owner)):
        return _put(database, owner, grant, uuid.uuid4().hex)


def complete_consent(
    database: Database, consent: Consent, grant: Grant, now: float
) -> StoredConnection:
    """Keep what a consent has brought; it ends by that, or nothing is kept."""
    with changing(database, _id(database, consent.owner)):
        connection = _put(database, consent.owner, grant, consent.connection_id)
        end_consent(database, consent.state_hash, "active", None, now)
    return connection


def get_connection(database: Database, owner: Owner) -> StoredConnection | None:
    """The owner's connection with its secrets; None when there is none or it is disconnected."""
    return current(database, _rows.owned(database, owner))


def find_connection(database: Database, connection_id: str) -> StoredConnection | None:
    """The connection with an id and its secrets; None when there is none or it is disconnected."""
    return current(database, _rows.TABLE.row(database, connection_id))


def list_connections(database: Database, app_id: str) -> tuple[ConnectionSummary, ...]:
    """All connections of an app, the disconnected ones too; opens no secret."""
    where = "app_id = :app_id ORDER BY kind, name, user"
    found = _rows.TABLE.rows(database, where, {"app_id": app_id})
    return tuple(_rows.summary(database, row) for row in found)


def disconnect(database: Database, owner: Owner) -> bool:
    """Erase the secrets of the owner's connection, and whose account it was."""
    with changing(database, _id(database, owner)):
        row = _rows.owned(database, owner)
        if row is None or row["state"] == "disconnected":
            return False
        _revoke(database, row)
        _rows.write(database, ended(_rows.summary(database, row), time.time()))
    discard(database, row["id"])
    clear_log(database.connection)
    return True


def _id(database: Database, owner: Owner) -> str | None:
    row = _rows.owned(database, owner)
    return None if row is None else str(row["id"])


def _revoke(database: Database, row: Row) -> None:
    if row["source"] != "oauth" or row["state"] != "active":
        return
    # What can't be opened can't be revoked either, and is erased all the same.
    with suppress(VaultDamagedError):
        add_revocation(database, _rows.opened(database, row), time.time())


def _put(database: Database, owner: Owner, grant: Grant, new_id: str) -> StoredConnection:
    row = _rows.owned(database, owner)
    connection = granted(
        None if row is None else _rows.summary(database, row),
        owner,
        grant,
        connection_id=new_id,
        config=_config(database, row, grant),
        now=time.time(),
    )
    register_key(database)
    _rows.write(database, connection)
    # A consent to a chain that is there already gives all of it the new tokens: those of the
    # others may be dead, and must not take the place of these when they are renewed.
    for sibling in _rows.siblings(database, connection):
        _rows.write(database, joined(sibling, connection, connection.updated_at))
    return connection


def _config(database: Database, row: Row | None, grant: Grant) -> Mapping[str, str] | None:
    """The grant's configuration; a consent that brings none leaves the earlier one of its type."""
    again = row is not None and row["integration_type"] == grant.integration_type
    if not again or grant.source == "manual" or grant.connection_config is not None:
        return grant.connection_config
    assert row is not None
    return _rows.opened_config(database, row)

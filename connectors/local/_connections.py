"""The rows of connections: from a row to a value and back.

A connection's secrets are sealed for its id, owner and type at its generation. A value that is
moved to another user's row, or put back after it was replaced, does not open.
"""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from connectors.local._crypto import Place
from connectors.local._database import clear_log
from connectors.local._errors import VaultDamagedError
from connectors.local._records import (
    ConnectionConfig,
    ConnectionSummary,
    Grant,
    Owner,
    StoredConnection,
)
from connectors.local._schema import writing
from connectors.local._sealing import Database, register_key
from transports import Secret

_Row: TypeAlias = Mapping[str, Any]
_PLAIN: Final = (
    "id",
    "app_id",
    "kind",
    "name",
    "user",
    "integration_type",
    "state",
    "generation",
    "scopes",
    "account_label",
    "created_at",
    "updated_at",
)
_COLUMNS: Final = (*_PLAIN, "access_ct", "config_ct")
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM connections"  # noqa: S608 - constants.
_WRITE: Final = (
    f"INSERT INTO connections ({', '.join(_COLUMNS)})"  # noqa: S608 - constants.
    f" VALUES ({', '.join(f':{column}' for column in _COLUMNS)})"
    f" ON CONFLICT (id) DO UPDATE SET"
    f" {', '.join(f'{column} = excluded.{column}' for column in _COLUMNS)}"
)


def put_connection(database: Database, owner: Owner, grant: Grant) -> StoredConnection:
    """Keep a grant in place of the owner's earlier one."""
    with writing(database.connection, database.path):
        connection = _granted(_owned_summary(database, owner), owner, grant, time.time())
        register_key(database)
        _write(database, connection, _sealed(database, connection))
    return connection


def get_connection(database: Database, owner: Owner) -> StoredConnection | None:
    """The owner's connection with its secrets; None when there is none or it is disconnected."""
    row = _owned(database, owner)
    if row is None or row["state"] == "disconnected":
        return None
    return _opened(database, row)


def list_connections(database: Database, app_id: str) -> tuple[ConnectionSummary, ...]:
    """All connections of an app, the disconnected ones too; opens no secret."""
    found = _rows(database, "WHERE app_id = :app_id ORDER BY kind, name, user", {"app_id": app_id})
    return tuple(_summary(database, row) for row in found)


def disconnect(database: Database, owner: Owner) -> bool:
    """Erase the secrets of the owner's connection, and whose account it was."""
    with writing(database.connection, database.path):
        summary = _owned_summary(database, owner)
        if summary is None or summary.state == "disconnected":
            return False
        ended = attrs.evolve(
            summary,
            state="disconnected",
            generation=summary.generation + 1,
            scopes=(),
            account_label=None,
            updated_at=time.time(),
        )
        _write(database, ended, {"access_ct": None, "config_ct": None})
    clear_log(database.connection)
    return True


def reseal_connections(database: Database) -> None:
    """Seal all secrets with the first key; part of a transaction."""
    for row in list(_rows(database, "WHERE state = 'active'", {})):
        connection = _opened(database, row)
        _write(database, connection, _sealed(database, connection))


def _granted(
    earlier: ConnectionSummary | None, owner: Owner, grant: Grant, now: float
) -> StoredConnection:
    return StoredConnection(
        id=earlier.id if earlier else uuid.uuid4().hex,
        owner=owner,
        integration_type=grant.integration_type,
        state="active",
        generation=earlier.generation + 1 if earlier else 1,
        scopes=grant.scopes,
        account_label=grant.account_label,
        created_at=earlier.created_at if earlier else now,
        updated_at=now,
        access_token=grant.access_token,
        connection_config=grant.connection_config,
    )


def _owned(database: Database, owner: Owner) -> _Row | None:
    where = "WHERE app_id = :app_id AND kind = :kind AND name = :name AND user = :user"
    return next(_rows(database, where, _owner_columns(owner)), None)


def _owned_summary(database: Database, owner: Owner) -> ConnectionSummary | None:
    row = _owned(database, owner)
    return None if row is None else _summary(database, row)


def _rows(database: Database, where: str, values: Mapping[str, str]) -> Iterator[_Row]:
    found = database.connection.execute(f"{_SELECT} {where}", values).fetchall()
    return (dict(zip(_COLUMNS, row, strict=True)) for row in found)


def _write(
    database: Database, summary: ConnectionSummary, sealed: Mapping[str, str | None]
) -> None:
    plain = {column: getattr(summary, column, None) for column in _PLAIN}
    scopes = json.dumps(summary.scopes)
    owner = _owner_columns(summary.owner)
    database.connection.execute(_WRITE, {**plain, **owner, "scopes": scopes, **sealed})


def _owner_columns(owner: Owner) -> dict[str, str]:
    return {
        "app_id": owner.app_id,
        "kind": owner.kind,
        "name": owner.name,
        "user": owner.user or "",
    }


def _summary(database: Database, row: _Row) -> ConnectionSummary:
    try:
        return _decoded(row)
    except (TypeError, ValueError) as error:
        raise VaultDamagedError(
            database.path, f"the row of connection {row['id']} is damaged ({error})"
        ) from error


def _decoded(row: _Row) -> ConnectionSummary:
    return ConnectionSummary(
        id=row["id"],
        owner=Owner(row["app_id"], row["kind"], row["name"], row["user"] or None),
        integration_type=row["integration_type"],
        state=row["state"],
        generation=row["generation"],
        scopes=tuple(json.loads(row["scopes"])),
        account_label=row["account_label"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _opened(database: Database, row: _Row) -> StoredConnection:
    summary = _summary(database, row)
    return StoredConnection(
        **attrs.asdict(summary, recurse=False),
        access_token=_unsealed(database, row, summary, "access_ct"),
        connection_config=_config(_unsealed(database, row, summary, "config_ct")),
    )


def _unsealed(database: Database, row: _Row, summary: ConnectionSummary, field: str) -> Secret:
    return database.unseal(row[field], _place(summary, field), f"connection {summary.id}")


def _sealed(database: Database, connection: StoredConnection) -> dict[str, str]:
    # A connection without a configuration has a sealed null: one can't be taken away unnoticed.
    config = connection.connection_config
    secrets = {
        "access_ct": connection.access_token,
        "config_ct": Secret(json.dumps(None if config is None else dict(config))),
    }
    return {
        field: database.ring.seal(secret, _place(connection, field))
        for field, secret in secrets.items()
    }


def _place(summary: ConnectionSummary, field: str) -> Place:
    identity = ("connection", summary.id, *_owner_columns(summary.owner).values())
    return Place((*identity, summary.integration_type), summary.generation, field)


def _config(text: Secret) -> ConnectionConfig | None:
    values = json.loads(text.reveal())
    return None if values is None else ConnectionConfig(values)

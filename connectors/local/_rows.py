"""The rows of connections: from a row to a value and back.

A connection's secrets are sealed for its id, owner, type and chain at its generation. A value that
is moved to another user's row, or put back after it was replaced, does not open; nor does a row
that somebody has made part of another chain, so that it would get that chain's next tokens.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from connectors.local._crypto import Place
from connectors.local._errors import VaultDamagedError
from connectors.local._records import (
    ConnectionConfig,
    ConnectionSummary,
    Owner,
    Presented,
    StoredConnection,
)
from connectors.local._sealing import Database, SealedTable
from transports import Secret

Row: TypeAlias = Mapping[str, Any]

_OWNER: Final = ("app_id", "kind", "name", "user")
_VERBATIM: Final = (
    "id",
    "integration_type",
    "source",
    "state",
    "reason",
    "generation",
    "account_label",
    "obtained_at",
    "expires_at",
    "refresh_expires_at",
    "failures",
    "next_attempt_at",
    "last_error",
    "strikes",
    "first_strike_at",
    "forced_at",
    "verify",
    "created_at",
    "updated_at",
)
_MARKER: Final = (
    "presented_digest",
    "presented_at",
    "presented_outcome",
    "presented_count",
    "attempt_id",
)
_SEALED: Final = ("access_ct", "refresh_ct", "raw_ct", "config_ct")
_COLUMNS: Final = (*_VERBATIM, *_OWNER, "scopes", "lock_key", *_MARKER, *_SEALED)
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM connections"  # noqa: S608 - constants.
_WRITE: Final = (
    f"INSERT INTO connections ({', '.join(_COLUMNS)})"  # noqa: S608 - constants.
    f" VALUES ({', '.join(f':{column}' for column in _COLUMNS)})"
    f" ON CONFLICT (id) DO UPDATE SET"
    f" {', '.join(f'{column} = excluded.{column}' for column in _COLUMNS)}"
)
_MARK: Final = f"UPDATE connections SET {', '.join(f'{name} = :{name}' for name in _MARKER)}"  # noqa: S608 - constants.


def rows(database: Database, where: str, values: Mapping[str, object]) -> Iterator[Row]:
    """The rows that a condition holds for."""
    found = database.connection.execute(f"{_SELECT} WHERE {where}", values).fetchall()
    return (dict(zip(_COLUMNS, row, strict=True)) for row in found)


def owned(database: Database, owner: Owner) -> Row | None:
    """The row of an owner."""
    where = " AND ".join(f"{column} = :{column}" for column in _OWNER)
    return next(rows(database, where, owner_columns(owner)), None)


def identified(database: Database, connection_id: str) -> Row | None:
    """The row with an id."""
    return next(rows(database, "id = :id", {"id": connection_id}), None)


def owner_columns(owner: Owner) -> dict[str, str]:
    """An owner as columns have it: `user` is '' where there is none."""
    return {
        "app_id": owner.app_id,
        "kind": owner.kind,
        "name": owner.name,
        "user": owner.user or "",
    }


def write(database: Database, connection: StoredConnection) -> None:
    """Write a connection with all its secrets in place of its row; part of a transaction."""
    plain = {column: getattr(connection, column) for column in _VERBATIM}
    columns = {
        **plain,
        **owner_columns(connection.owner),
        **marker_columns(connection.presented),
        "scopes": json.dumps(connection.scopes),
        "lock_key": _shared(connection),
    }
    sealed = {
        field: None if secret is None else database.ring.seal(secret, place(columns, field))
        for field, secret in _secrets(connection).items()
    }
    database.connection.execute(_WRITE, {**columns, **sealed})


def mark(
    database: Database, presented: Presented | None, where: str, values: Mapping[str, object]
) -> None:
    """Set or clear the marker of the rows that a condition holds for; part of a transaction."""
    database.connection.execute(f"{_MARK} WHERE {where}", {**marker_columns(presented), **values})


def marker_columns(presented: Presented | None) -> dict[str, object]:
    """A marker as columns have it."""
    if presented is None:
        return {**dict.fromkeys(_MARKER), "presented_count": 0}
    values = (presented.digest, presented.at, presented.outcome, presented.count)
    return dict(zip(_MARKER, (*values, presented.attempt_id), strict=True))


def summary(database: Database, row: Row) -> ConnectionSummary:
    """All of a row but its secrets.

    Raises:
        VaultDamagedError: It has something that no vault writes.
    """
    try:
        return ConnectionSummary(**_summarised(row))
    except (TypeError, ValueError) as error:
        raise _damaged(database, row, error) from error


def opened(database: Database, row: Row) -> StoredConnection:
    """A row with its secrets.

    Raises:
        VaultDamagedError: It has something that no vault writes, or not in this place.
    """
    secrets = {field: unsealed(database, row, field) for field in _SEALED}
    try:
        return StoredConnection(
            **_summarised(row),
            access_token=secrets["access_ct"],
            refresh_token=secrets["refresh_ct"],
            raw=secrets["raw_ct"],
            connection_config=config(secrets["config_ct"]),
            lock_key=row["lock_key"] or row["id"],
            presented=_presented(row),
            strikes=row["strikes"],
            first_strike_at=row["first_strike_at"],
            forced_at=row["forced_at"],
        )
    except (TypeError, ValueError) as error:
        raise _damaged(database, row, error) from error


def unsealed(database: Database, row: Row, field: str) -> Secret | None:
    """One of a row's secrets; None when the row does not have it."""
    if row[field] is None:
        return None
    return database.unseal(row[field], place(row, field), f"connection {row['id']}")


def config(text: Secret | None) -> ConnectionConfig | None:
    """A configuration from its JSON."""
    values = None if text is None else json.loads(text.reveal())
    return None if values is None else ConnectionConfig(values)


def place(columns: Row, field: str) -> Place:
    """Where a secret of a row belongs."""
    owner = (columns[column] for column in _OWNER)
    chain = () if columns["lock_key"] is None else (columns["lock_key"],)
    identity = ("connection", columns["id"], *owner, columns["integration_type"], *chain)
    return Place(identity, columns["generation"], field)


TABLE: Final = SealedTable(
    "connections",
    key="id",
    columns=("id", *_OWNER, "integration_type", "lock_key", "generation"),
    fields=_SEALED,
    place=place,
)


def _shared(connection: StoredConnection) -> str | None:
    # A connection whose chain is its own is found by its id.
    return None if connection.lock_key == connection.id else connection.lock_key


def _secrets(connection: StoredConnection) -> dict[str, Secret | None]:
    # A connection without a configuration has a sealed null: one can't be taken away unnoticed.
    values = connection.connection_config
    text = Secret(json.dumps(None if values is None else dict(values)))
    return {
        "access_ct": connection.access_token,
        "refresh_ct": connection.refresh_token,
        "raw_ct": connection.raw,
        "config_ct": None if connection.state == "disconnected" else text,
    }


def _summarised(row: Row) -> dict[str, Any]:
    same = (field.name for field in attrs.fields(ConnectionSummary) if field.name in row)
    return {
        **{name: row[name] for name in same},
        "owner": Owner(row["app_id"], row["kind"], row["name"], row["user"] or None),
        "scopes": tuple(json.loads(row["scopes"])),
        "has_refresh_token": row["refresh_ct"] is not None,
        "verify": bool(row["verify"]),
    }


def _presented(row: Row) -> Presented | None:
    if row["presented_digest"] is None:
        return None
    return Presented(*(row[column] for column in _MARKER))


def _damaged(database: Database, row: Row, error: Exception) -> VaultDamagedError:
    return VaultDamagedError(
        database.path, f"the row of connection {row['id']} is damaged ({error})"
    )

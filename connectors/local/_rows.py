"""The rows of connections: from a row to a value and back.

A connection's secrets are sealed for its id, owner, type, chain and client at its generation. A
value that is moved to another user's row, or put back after it was replaced, does not open; nor
does a row that somebody has made part of another chain, so that it would get that chain's next
tokens, or said to be of another client, so that it would be sent with that client's secret.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import attrs

from connectors.local._crypto import Place
from connectors.local._fields import ConnectionConfig
from connectors.local._packing import packed_config, unpacked_config
from connectors.local._records import (
    ConnectionSummary,
    GrantedTo,
    Owner,
    Presented,
    StoredConnection,
)
from connectors.local._sealing import Database
from connectors.local._tables import Row, Table
from transports import Secret

OWNER: Final = ("app_id", "kind", "name", "user")
"""The columns of an owner."""

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
_CLIENT: Final = ("client_id", "redirect_uri")
_MARKER: Final = (
    "presented_digest",
    "presented_at",
    "presented_outcome",
    "presented_silences",
    "attempt_id",
)
_MARK: Final = f"UPDATE connections SET {', '.join(f'{name} = :{name}' for name in _MARKER)}"  # noqa: S608 - constants.


def _place(row: Row, field: str) -> Place:
    owner = (row[column] for column in OWNER)
    chain = () if row["lock_key"] is None else (row["lock_key"],)
    # Both or neither, so it can't be taken for a chain.
    client = () if row["client_id"] is None else (row["client_id"], row["redirect_uri"])
    identity = ("connection", row["id"], *owner, row["integration_type"], *chain, *client)
    return Place(identity, row["generation"], field)


TABLE: Final = Table(
    "connections",
    noun="connection",
    key="id",
    plain=(*_VERBATIM, *OWNER, *_CLIENT, "scopes", "asked", "lock_key", *_MARKER),
    sealed=("access_ct", "refresh_ct", "raw_ct", "config_ct"),
    place=_place,
)


def owned(database: Database, owner: Owner) -> Row | None:
    """The row of an owner."""
    where = " AND ".join(f"{column} = :{column}" for column in OWNER)
    return next(TABLE.rows(database, where, owner_columns(owner)), None)


def siblings(database: Database, connection: StoredConnection) -> list[StoredConnection]:
    """The other connections of the same chain: of the same client, in the same workspace."""
    where = (
        "lock_key = :lock_key AND id <> :id AND integration_type = :integration_type"
        " AND state = 'active'"
    )
    values = {
        "lock_key": connection.lock_key,
        "id": connection.id,
        "integration_type": connection.integration_type,
    }
    return [opened(database, row) for row in TABLE.rows(database, where, values)]


def owner_columns(owner: Owner) -> dict[str, str]:
    """An owner as columns have it: `user` is '' where there is none."""
    return {
        "app_id": owner.app_id,
        "kind": owner.kind,
        "name": owner.name,
        "user": owner.user or "",
    }


def owner_of(row: Row) -> Owner:
    """The owner that columns speak of."""
    return Owner(row["app_id"], row["kind"], row["name"], row["user"] or None)


def write(database: Database, connection: StoredConnection) -> None:
    """Write a connection with all its secrets in place of its row; part of a transaction."""
    alone = connection.lock_key == connection.id
    plain = {
        **{column: getattr(connection, column) for column in _VERBATIM},
        **owner_columns(connection.owner),
        **_client_columns(connection.client),
        **_marker(connection.presented),
        "scopes": json.dumps(connection.scopes),
        "asked": json.dumps(connection.asked),
        "lock_key": None if alone else connection.lock_key,
    }
    config = packed_config(connection.connection_config)
    secrets = {
        "access_ct": connection.access_token,
        "refresh_ct": connection.refresh_token,
        "raw_ct": connection.raw,
        "config_ct": None if connection.state == "disconnected" else config,
    }
    TABLE.write(database, plain, secrets)


def mark(
    database: Database, presented: Presented | None, where: str, values: Mapping[str, object]
) -> None:
    """Set or clear the marker of the rows that a condition holds for; part of a transaction."""
    database.connection.execute(f"{_MARK} WHERE {where}", {**_marker(presented), **values})


def summary(database: Database, row: Row) -> ConnectionSummary:
    """All of a row but its secrets.

    Raises:
        VaultDamagedError: It has something that no vault writes.
    """
    with TABLE.reading(database, row):
        return ConnectionSummary(**_summarised(row))


def opened(database: Database, row: Row) -> StoredConnection:
    """A row with its secrets.

    Raises:
        VaultDamagedError: It has something that no vault writes, or not in this place.
    """
    secrets = {field: TABLE.found(database, row, field) for field in TABLE.sealed}
    with TABLE.reading(database, row):
        return StoredConnection(
            **_summarised(row),
            access_token=secrets["access_ct"],
            refresh_token=secrets["refresh_ct"],
            raw=secrets["raw_ct"],
            connection_config=_config(secrets["config_ct"]),
            lock_key=row["lock_key"] or row["id"],
            client=_client(row),
            presented=_presented(row),
            strikes=row["strikes"],
            first_strike_at=row["first_strike_at"],
            forced_at=row["forced_at"],
        )


def opened_config(database: Database, row: Row) -> ConnectionConfig | None:
    """The configuration alone."""
    return _config(TABLE.found(database, row, "config_ct"))


def _config(packed: Secret | None) -> ConnectionConfig | None:
    return None if packed is None else unpacked_config(packed)


def _client_columns(client: GrantedTo | None) -> dict[str, object]:
    if client is None:
        return dict.fromkeys(_CLIENT)
    return dict(zip(_CLIENT, (client.client_id, client.redirect_uri), strict=True))


def _client(row: Row) -> GrantedTo | None:
    return None if row["client_id"] is None else GrantedTo(*(row[name] for name in _CLIENT))


def _marker(presented: Presented | None) -> dict[str, object]:
    if presented is None:
        return {**dict.fromkeys(_MARKER), "presented_silences": 0}
    values = (presented.digest, presented.at, presented.outcome, presented.silences)
    return dict(zip(_MARKER, (*values, presented.attempt_id), strict=True))


def _presented(row: Row) -> Presented | None:
    if row["presented_digest"] is None:
        return None
    return Presented(*(row[column] for column in _MARKER))


def _summarised(row: Row) -> dict[str, Any]:
    same = (field.name for field in attrs.fields(ConnectionSummary) if field.name in row)
    return {
        **{name: row[name] for name in same},
        "owner": owner_of(row),
        "scopes": tuple(json.loads(row["scopes"])),
        "asked": tuple(json.loads(row["asked"])),
        "has_refresh_token": row["refresh_ct"] is not None,
        "verify": bool(row["verify"]),
    }

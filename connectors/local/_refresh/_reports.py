"""What is told of a refresh to whoever operates this: no secrets, and which connection it was."""

from typing import Literal

from connectors._events import emit
from connectors.local._records import StoredConnection


def report(row: StoredConnection, outcome: str, **facts: object) -> None:
    """Tell how a refresh of a connection has gone."""
    level: Literal["info", "warning"] = "info" if outcome in {"renewed", "postponed"} else "warning"
    emit(
        level,
        "connectors.local.refresh",
        outcome=outcome,
        connection_id=row.id,
        integration_type=row.integration_type,
        generation=row.generation,
        **facts,
    )

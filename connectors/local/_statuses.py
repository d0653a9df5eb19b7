"""What is told of a connection to somebody who may not see its token."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from connectors.catalog import Integration
from connectors.local._oauth import is_renewable
from connectors.local._records import ConnectionSummary

Status: TypeAlias = Literal["active", "expired", "disconnected"]
"""The protocol's words."""


def status(connection: ConnectionSummary, catalog: Mapping[str, Integration], now: float) -> Status:
    """The status of a connection.

    It is `expired` when only its account's owner can help: a token that has ended and can be
    renewed by the next who asks for it is no reason to bother anybody.

    Args:
        connection: The connection.
        catalog: The integration types.
        now: The clock, in Unix seconds.
    """
    if connection.state == "disconnected":
        return "disconnected"
    lasts = not _is_over(connection, now) or renewable(
        connection, catalog.get(connection.integration_type), now
    )
    return "active" if connection.state == "active" and lasts else "expired"


def renewable(connection: ConnectionSummary, integration: Integration | None, now: float) -> bool:
    """Can the token of a connection of this type be renewed without its owner?"""
    return (
        connection.source == "oauth"
        and integration is not None
        and is_renewable(integration, has_refresh_token=connection.has_refresh_token)
        and not (integration.refresh.only_while_good and _is_over(connection, now))
    )


def _is_over(connection: ConnectionSummary, now: float) -> bool:
    return connection.expires_at is not None and connection.expires_at <= now

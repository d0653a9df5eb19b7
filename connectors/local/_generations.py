"""From one generation of a connection to the next: what changes, what stays. Pure.

A generation is a connection's tokens and state. With the next one everything that was known of the
refresh of the old tokens ends: it is not held against the new ones. Only that somebody wanted
others stays over a renewal, or a service that refuses every token would have each of them renewed.
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from connectors.local._fields import ConnectionConfig
from connectors.local._oauth import Tokens
from connectors.local._records import ConnectionSummary, Grant, Owner, Reason, StoredConnection

_NEVER_REFRESHED: Final[Mapping[str, Any]] = {
    "reason": None,
    "presented": None,
    "failures": 0,
    "next_attempt_at": None,
    "last_error": None,
    "strikes": 0,
    "first_strike_at": None,
    "forced_at": None,
    "verify": False,
}
_NO_TOKENS: Final[Mapping[str, Any]] = {
    "access_token": None,
    "refresh_token": None,
    "raw": None,
    "has_refresh_token": False,
    "obtained_at": None,
    "expires_at": None,
    "refresh_expires_at": None,
    "client": None,
}


def granted(
    earlier: ConnectionSummary | None,
    owner: Owner,
    grant: Grant,
    *,
    connection_id: str,
    config: Mapping[str, str] | None,
    now: float,
) -> StoredConnection:
    """A connection with a grant in place of all that it was before, but its id."""
    return StoredConnection(
        **_NEVER_REFRESHED,
        id=earlier.id if earlier else connection_id,
        owner=owner,
        integration_type=grant.integration_type,
        state="active",
        source=grant.source,
        generation=earlier.generation + 1 if earlier else 1,
        scopes=grant.scopes,
        asked=grant.asked,
        account_label=grant.account_label,
        created_at=earlier.created_at if earlier else now,
        updated_at=now,
        has_refresh_token=grant.refresh_token is not None,
        obtained_at=grant.obtained_at,
        expires_at=grant.expires_at,
        refresh_expires_at=grant.refresh_expires_at,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        raw=grant.raw,
        connection_config=config,
        lock_key=grant.lock_key or (earlier.id if earlier else connection_id),
        client=grant.client,
    )


def joined(sibling: StoredConnection, granted: StoredConnection, now: float) -> StoredConnection:
    """A connection with the tokens of a new consent to its chain: its own are over with it."""
    same = {name: getattr(granted, name) for name in _NO_TOKENS}
    return _next(sibling, now, **same, scopes=granted.scopes, asked=granted.asked)


def renewed(connection: StoredConnection, tokens: Tokens, now: float) -> StoredConnection:
    """The connection with new tokens; what their answer does not say stays as it was."""
    config = connection.connection_config
    captured = {**(config or {}), **tokens.captured}
    refresh_token = tokens.refresh_token or connection.refresh_token
    end = tokens.refresh_expires_at
    return _next(
        connection,
        now,
        access_token=tokens.access_token,
        refresh_token=refresh_token,
        raw=tokens.raw,
        forced_at=connection.forced_at,
        has_refresh_token=refresh_token is not None,
        obtained_at=tokens.obtained_at,
        expires_at=tokens.expires_at,
        refresh_expires_at=connection.refresh_expires_at if end is None else end,
        scopes=connection.scopes if tokens.scopes is None else tokens.scopes,
        connection_config=ConnectionConfig(captured) if captured else config,
    )


def failed(
    connection: StoredConnection, reason: Reason, last_error: str, now: float
) -> StoredConnection:
    """The connection without its tokens, waiting for its owner's consent."""
    why = {"state": "refresh_failed", "reason": reason, "last_error": last_error}
    return _next(connection, now, **{**_NO_TOKENS, **why})


def ended(connection: ConnectionSummary, now: float) -> StoredConnection:
    """What is left of a connection when it is over; it may be made again under the same id."""
    return StoredConnection(
        **{
            **attrs.asdict(connection, recurse=False),
            **_NEVER_REFRESHED,
            **_NO_TOKENS,
            "state": "disconnected",
            "generation": connection.generation + 1,
            "scopes": (),
            "asked": (),
            "account_label": None,
            "connection_config": None,
            "lock_key": connection.id,
            "updated_at": now,
        }
    )


def _next(connection: StoredConnection, now: float, **changes: Any) -> StoredConnection:  # noqa: ANN401 - fields of all types.
    fresh = {**_NEVER_REFRESHED, **changes, "updated_at": now}
    return attrs.evolve(connection, generation=connection.generation + 1, **fresh)

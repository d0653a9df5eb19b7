"""When a token is due for a refresh: pure, from its own times and what its provider is like.

There are two margins before the end of a token. In the soft one it is renewed in the background
and handed out meanwhile; in the hard one a caller waits for the new one. Both are fractions of the
lifetime within limits, and never so large that a new token would be due at once: a fixed quarter
of an hour would renew a token of ten minutes with every call.

Only our own clock's readings are compared with each other. A clock that was set back shows in a
token from the future: nothing is known of its end then, so it is due.
"""

import hashlib
from typing import Final, Literal, TypeAlias

import attrs

from connectors.catalog import Refresh
from connectors.local._clocks import CLOCK_SET_BACK
from connectors.local._records import ConnectionSummary

Due: TypeAlias = Literal["not_yet", "soon", "now", "expired"]
"""`soon` is the soft margin, `now` the hard one; an expired token is handed out to nobody."""

_SOFT: Final = (30.0, 900.0)
_HARD: Final = (10.0, 60.0)
_JITTER: Final = 0.1


@attrs.frozen
class Margins:
    """How long before its end a token is renewed, in seconds."""

    soft: float
    """Then it is renewed in the background."""

    hard: float
    """Then a caller waits."""


def margins(lifetime: float, refresh: Refresh, spread: float = 0.0) -> Margins:
    """The margins of a token.

    Args:
        lifetime: Seconds from the request for the token to its end.
        refresh: What is known of its provider.
        spread: From -1 to 1, fixed for a token: so that many tokens of one age, or many processes,
            don't all come at the same moment.
    """
    soft = min(_between(lifetime / 4, _SOFT) * (1 + _JITTER * spread), lifetime / 2)
    hard = refresh.hard_margin or min(_between(lifetime / 20, _HARD), lifetime / 4)
    return Margins(max(soft, hard), hard)


def due(
    *,
    obtained_at: float,
    expires_at: float | None,
    refresh: Refresh,
    now: float,
    spread: float = 0.0,
) -> Due:
    """How urgently a token has to be renewed.

    Args:
        obtained_at: When it was asked for, in Unix seconds.
        expires_at: When it ends; None when nobody has said so.
        refresh: What is known of its provider.
        now: The clock, in Unix seconds.
        spread: As for `margins`.
    """
    if obtained_at > now + CLOCK_SET_BACK:
        return "now"
    if expires_at is not None:
        left, limits = expires_at - now, margins(expires_at - obtained_at, refresh, spread)
        if left <= 0:
            return "expired"
        if left <= limits.hard:
            return "now"
        if left <= limits.soft:
            return "soon"
    old = refresh.renew_after is not None and now - obtained_at >= refresh.renew_after
    return "soon" if old else "not_yet"


def spread_of(connection_id: str, generation: int) -> float:
    """From -1 to 1, always the same for one generation of a connection."""
    digest = hashlib.sha256(f"{connection_id}/{generation}".encode()).digest()
    return int.from_bytes(digest[:4]) / 0xFFFF_FFFF * 2 - 1


def is_idle_too_long(row: ConnectionSummary, refresh: Refresh, now: float) -> bool:
    """Would a connection that nobody uses be lost, if it is not renewed soon?

    That is so when a renewal moves the end of its refresh token and less than a quarter of that
    one's life is left, and when its access token must not end and is due.
    """
    if refresh.only_while_good:
        urgency = due(
            obtained_at=row.obtained_at or 0.0,
            expires_at=row.expires_at,
            refresh=refresh,
            now=now,
        )
        return urgency not in {"not_yet", "expired"}
    return refresh.is_extended_by_use and _is_in_its_last_quarter(row, refresh, now)


def is_ending(row: ConnectionSummary, refresh: Refresh, now: float) -> bool:
    """Will the refresh token end soon, whatever is done with it?"""
    return refresh.has_fixed_end and _is_in_its_last_quarter(row, refresh, now)


def _is_in_its_last_quarter(row: ConnectionSummary, refresh: Refresh, now: float) -> bool:
    ends_at, lifetime = row.refresh_expires_at, refresh.refresh_token_lifetime
    return ends_at is not None and lifetime is not None and ends_at - now < lifetime / 4


def _between(value: float, limits: tuple[float, float]) -> float:
    least, most = limits
    return max(least, min(value, most))

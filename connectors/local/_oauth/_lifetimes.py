"""When tokens end, from what an answer says of it or else from what the catalogue knows.

All ends are on this machine's clock and counted from when the request was sent. A statement that
can't be read, or that can't be meant of a token that is just handed out, still says that there is
an end: then the usual lifetime of the type is assumed.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from connectors._errors import Json
from connectors.catalog import Refresh, TokenAnswer
from connectors.local._oauth._json_paths import at
from transports import Headers

# No token lives for less than a second or more than a hundred years; what says so means something
# else.
_SHORTEST: Final = 1.0
_LONGEST: Final = 100 * 365 * 24 * 3600.0
_TOLERATED_SKEW: Final = 60.0
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")


def clock_skew(headers: Headers, now: float) -> float:
    """The seconds that an answer's `Date` is ahead of a clock that shows `now`.

    Below a minute it is the time on the way, and a `Date` that can't be read says nothing: 0.
    """
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
        ahead = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
    return ahead if abs(ahead) > _TOLERATED_SKEW else 0.0


def end_of_access(
    refresh: Refresh, paths: TokenAnswer, data: Json, *, headers: Headers, sent_at: float
) -> float | None:
    """When an access token ends, or None if it has no end that is known.

    Args:
        refresh: What is known of the type.
        paths: Where the answer has its facts.
        data: The answer.
        headers: Its fields: its `Date` is what a moment in it is compared with.
        sent_at: When the request was sent, in Unix time.
    """
    seconds, moment = at(data, paths.expires_in), at(data, paths.expires_at)
    # A clock that is behind ours is not believed: `Date` may be a cache's, and a token that is
    # renewed too early is only a little work.
    provider_clock = sent_at + max(0.0, clock_skew(headers, sent_at))
    lifetime = _seconds(seconds) or _plausible(_unix_time(moment) - provider_clock)
    silent = seconds is None and moment is None
    if lifetime is None and not (silent and refresh.expires_in_returned):
        lifetime = refresh.access_token_lifetime
    return None if lifetime is None else sent_at + lifetime


def end_of_refresh(
    refresh: Refresh, paths: TokenAnswer, data: Json, *, sent_at: float, renewal: bool
) -> float | None:
    """When the refresh token ends, or None if the answer does not change that."""
    lifetime = _seconds(at(data, paths.refresh_expires_in))
    begins = refresh.is_extended_by_use or (refresh.has_fixed_end and not renewal)
    if lifetime is None and begins:
        lifetime = refresh.refresh_token_lifetime
    return None if lifetime is None else sent_at + lifetime


def _seconds(value: Json) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return _plausible(float(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _plausible(float(value))
    return None


def _plausible(seconds: float) -> float | None:
    return seconds if _SHORTEST <= seconds <= _LONGEST else None


def _unix_time(value: Json) -> float:
    """A moment as RFC 3339 writes it; what is none lies infinitely far back."""
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return float("-inf")

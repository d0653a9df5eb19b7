"""How patient a refresh is, and how long it leaves a provider alone after a failure.

Everything is in seconds. The delays are computed here and slept nowhere: they are kept with the
connection, so that all processes of a vault share them. What is kept outlives a clock that was
wrong, so a wait that no policy sets is none.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import attrs

from connectors.local._clocks import CLOCK_SET_BACK

Random: TypeAlias = Callable[[], float]
"""Gives a number from 0 up to 1."""

# Far above every limit of a delay, and no number is too large for it.
_MOST_DOUBLINGS: Final = 32


@attrs.frozen(kw_only=True)
class RefreshPolicy:
    """How a token is renewed."""

    deadline: float = 20.0
    """For the whole exchange with the provider."""

    slack: float = 5.0
    """What is added to the deadline before a token whose exchange had no end is presented again."""

    patience: float = 25.0
    """How long a caller waits for a token, when the one there is has expired."""

    pause: float = 5.0
    """When to come again, if nobody knows better."""

    first_delay: float = 5.0
    """The upper end of the first random delay after a failure; it doubles with each failure."""

    longest_delay: float = 900.0
    """No random delay is longer."""

    longest_retry_after: float = 3600.0
    """What a provider asks for is honoured up to this."""

    client_delay: float = 60.0
    """How long a provider is left alone that refuses the OAuth client; it doubles each time."""

    longest_client_delay: float = 3600.0
    """It is left alone for no longer."""

    force_interval: float = 60.0
    """A token that a service has refused is renewed at most this often."""

    strikes: int = 3
    """How often a provider may refuse in words that nobody knows ..."""

    strike_period: float = 3600.0
    """... over at least this time, until that ends the connection."""

    @property
    def quarantine(self) -> float:
        """After this the exchange that was begun last has certainly ended."""
        return self.deadline + self.slack

    @property
    def longest_wait(self) -> float:
        """No failure of a connection keeps it from the next attempt for longer."""
        return max(self.longest_delay, self.longest_retry_after, self.quarantine)

    def delay(self, failures: int, asked: float | None, chance: Random) -> float:
        """How long to leave the provider alone after so many failures in a row, from 1."""
        doubled = self.first_delay * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        wait = chance() * min(doubled, self.longest_delay)
        return max(wait, min(asked or 0.0, self.longest_retry_after))

    def client_pause(self, failures: int) -> float:
        """How long to leave the provider alone after it has refused the client so many times."""
        doubled = self.client_delay * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        return min(doubled, self.longest_client_delay)


def time_left(until: float | None, now: float, longest: float) -> float:
    """The seconds of a wait that are left; 0 when there is none.

    Args:
        until: When it ends, by the clock as it was when the wait began; None when there is none.
        now: The clock.
        longest: How long such a wait can be. When more than that seems to be left the clock was
            set back since, and nothing can be told from it.
    """
    left = 0.0 if until is None else max(0.0, until - now)
    return left if left <= longest + CLOCK_SET_BACK else 0.0

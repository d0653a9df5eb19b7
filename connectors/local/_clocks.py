"""What may be told from a wall clock that somebody sets."""

from typing import Final

CLOCK_SET_BACK: Final = 60.0
"""By more than so many seconds a clock is set back only when it was wrong."""

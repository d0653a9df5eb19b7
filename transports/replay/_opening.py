"""What a cassette is found to be when a transport is made for it, and what that may do with it."""

import warnings
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_bytes

import attrs

from transports.replay._errors import (
    CassetteFormatError,
    StaleCassetteError,
    StaleCassetteWarning,
)
from transports.replay._interaction import Interaction
from transports.replay._reading import read
from transports.replay._recording import NOT_OURS
from transports.replay._settings import Mode, WhenStale, effective_mode


@attrs.frozen
class Opened:
    """A cassette, and what is to be done with it."""

    path: Path
    mode: Mode
    """What holds, where a cassette that is too old may have to be recorded anew."""

    is_forced: bool
    """Does `CI` say so, and not the program?"""

    interactions: tuple[Interaction, ...]
    """What the file holds."""

    is_there: bool
    is_ours: bool
    """Is it no file of another program, whose requests nobody has scrubbed?"""

    salt: bytes = attrs.field(repr=False)
    """The key of the placeholders."""

    @property
    def records(self) -> bool:
        """May something be recorded?"""
        begins = self.mode == "once" and not self.is_there
        return begins or self.mode in {"new_episodes", "all"}

    @property
    def played(self) -> tuple[Interaction, ...]:
        """What may be played."""
        return () if self.mode == "all" else self.interactions


def opened(path: Path, mode: Mode, max_age: timedelta | None, when_stale: WhenStale) -> Opened:
    """Read a file, and decide.

    Raises:
        CassetteFormatError: It is damaged or no cassette, or of another program and would be
            written; it is as it was.
        StaleCassetteError: It is too old, and `when_stale` is `fail`.
    """
    held, allowed = read(path), effective_mode(mode)
    interactions = () if held is None else held.interactions
    renews = _is_to_be_renewed(path, interactions, allowed, max_age, when_stale)
    found = Opened(
        path,
        "all" if renews else allowed,
        is_forced=allowed != mode,
        interactions=interactions,
        is_there=held is not None,
        is_ours=held is None or held.salt is not None,
        salt=(held and held.salt) or token_bytes(16),
    )
    if found.records and not found.is_ours:
        raise CassetteFormatError(NOT_OURS.format(path))
    return found


def _is_to_be_renewed(
    path: Path,
    interactions: Collection[Interaction],
    mode: Mode,
    max_age: timedelta | None,
    when_stale: WhenStale,
) -> bool:
    age = _age_of(interactions)
    if max_age is None or age <= max_age:
        return False
    told = (
        f"The cassette {path} was recorded {_whole(age)} ago, and max_age is {_whole(max_age)}: "
        "record it anew with mode='all'."
    )
    if when_stale == "fail":
        raise StaleCassetteError(told)
    if when_stale == "record" and mode != "none":
        return True
    # Of the line that makes the transport, which is three calls from here.
    warnings.warn(told, StaleCassetteWarning, stacklevel=4)
    return False


def _age_of(interactions: Collection[Interaction]) -> timedelta:
    """The age of the oldest; what does not say when it was recorded is as old as now."""
    now = datetime.now(UTC)
    return now - min((one.recorded_at or now for one in interactions), default=now)


def _whole(time: timedelta) -> str:
    """A time in hours, minutes and seconds, with days before it."""
    return str(timedelta(seconds=round(time.total_seconds())))

"""What has happened in a sandbox, counted: for tests, and for a demo's last line."""

from collections import Counter
from typing import Final, Literal, TypeAlias, final, get_args

import attrs

Happening: TypeAlias = Literal[
    "consents",
    "denials",
    "tokens",
    "refreshes",
    "reuses",
    "revocations",
    "refusals",
    "calls",
    "unauthorized",
]


@attrs.frozen
class Stats:
    """How often each thing has happened."""

    consents: int = 0
    """Somebody allowed access."""

    denials: int = 0
    """Somebody did not."""

    tokens: int = 0
    """An access token was given out, by a renewal or otherwise."""

    refreshes: int = 0
    """One was given out by a renewal."""

    reuses: int = 0
    """A code or a refresh token came a second time, and all that it had given was revoked."""

    revocations: int = 0
    """A client revoked a token."""

    refusals: int = 0
    """A call for a token, or to revoke one, was refused; reuses are among them."""

    calls: int = 0
    """The API answered a call."""

    unauthorized: int = 0
    """The API refused the token of a call."""


_HAPPENINGS: Final[tuple[Happening, ...]] = get_args(Happening)


@final
class Tally:
    """Counts, for each type by itself."""

    def __init__(self) -> None:
        self._counted: dict[str, Counter[Happening]] = {}

    def count(self, integration_type: str, what: Happening) -> None:
        """It has happened once more."""
        self._counted.setdefault(integration_type, Counter())[what] += 1

    def stats(self, integration_type: str | None = None) -> Stats:
        """The counts of one type, or of all."""
        of_type = self._counted.get(integration_type or "", Counter())
        counted = self._counted.values() if integration_type is None else [of_type]
        return Stats(**{name: sum(counts[name] for counts in counted) for name in _HAPPENINGS})

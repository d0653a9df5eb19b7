"""What is said of a request that a cassette has no answer for: why, and how to mend it.

What is shown of recorded requests stands in the file. Of the one that is sent now not everything
that is a secret need be known as one, so nothing of it is shown that is long and no word.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from transports.replay._interaction import Interaction, RecordedRequest
from transports.replay._matching import PARTS, Fingerprint, Part, Playlist, fits, parts_of
from transports.replay._placeholders import PLACEHOLDER, alike

_NEAREST: Final = 3
_WIDEST: Final = 80
# Letters of a difference that are shown before it begins.
_BEFORE: Final = 12


@attrs.frozen
class Unmatched:
    """A request without an answer, and what is known of it."""

    request: RecordedRequest
    sought: Fingerprint
    match_on: Collection[Part]
    path: Path
    ordered: bool

    def explained(self, playlist: Playlist, advice: str) -> str:
        """Why there is no answer, and what to do."""
        return "\n".join(
            (
                f"The cassette {self.path} has no answer for",
                f"    {_veiled(line(self.request))}",
                *self._reasons(playlist),
                advice,
            )
        )

    def _reasons(self, playlist: Playlist) -> Iterator[str]:
        alike_ones = playlist.alike(self.sought)
        turn = next(playlist.unused(), None)
        if alike_ones and self.ordered and turn is not None:
            yield f"It is ordered, and the next is #{turn[0] + 1}, {line(turn[1].request)}"
        elif alike_ones:
            yield (
                f"It was recorded {_times(alike_ones)}, and each answer was given; with "
                "repeats=True the last is given again."
            )
        else:
            yield from self._nearest(playlist.interactions)

    def _nearest(self, interactions: Sequence[Interaction]) -> Iterator[str]:
        if not interactions:
            yield "It is empty."
            return
        differences = [
            (self._differences(one.request), index, one.request)
            for index, one in enumerate(interactions)
        ]
        differences.sort(key=lambda one: (len(one[0]), one[1]))
        yield f"The nearest of {len(interactions)} recorded:"
        for parts, index, request in differences[:_NEAREST]:
            yield f"    #{index + 1} {line(request)}"
            for part, recorded, sent in parts:
                yield f"        {part}: {_difference(recorded, sent)}"

    def _differences(self, recorded: RecordedRequest) -> list[tuple[Part, str, str]]:
        theirs, ours = parts_of(recorded), parts_of(self.request)
        compared = ((part, alike(theirs[part]), alike(ours[part])) for part in PARTS)
        return [one for one in compared if one[0] in self.match_on and not fits(*one)]


def line(request: RecordedRequest) -> str:
    """A request in a line, without its query."""
    place, mark, _ = request.url.partition("?")
    return f"{request.method} {place}{'?...' if mark else ''}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


_OPAQUE: Final = re.compile(
    r"(?=[^\s\"'&=,;:<>/{}\[\]]*[0-9]|[^\s\"'&=,;:<>/{}\[\]]{32})[^\s\"'&=,;:<>/{}\[\]]{16,}"
)


def _veiled(text: str) -> str:
    return _OPAQUE.sub(lambda found: found[0] if PLACEHOLDER.search(found[0]) else "...", text)


def _difference(recorded: str, sent: str) -> str:
    """Two texts from shortly before where they begin to differ."""
    pairs = enumerate(zip(recorded, sent, strict=False))
    shorter = min(len(recorded), len(sent))
    begin = max(0, next((index for index, (a, b) in pairs if a != b), shorter) - _BEFORE)
    return f"recorded {_shown(recorded, begin)}, sent {_veiled(_shown(sent, begin))}"


def _shown(text: str, begin: int) -> str:
    if not text:
        return "nothing"
    end = begin + _WIDEST
    return f"{'...' if begin else ''}{text[begin:end]!r}{'...' if text[end:] else ''}"

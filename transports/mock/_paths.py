"""Paths with places in them: `/users/{id}` and `/files/{name:path}`.

A path is compared segment by segment as it stands on the wire, so that `%2F` is never a slash; only
what a place stood for is decoded. A place is a whole segment, and one for a path is the last.
"""

import re
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final
from urllib.parse import unquote

import attrs

_PLACE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(:path)?\}")


@attrs.frozen
class Place:
    """A segment that may be anything but empty, or all that is left."""

    name: str
    takes_rest: bool


@attrs.frozen
class Template:
    """A path, cut into segments."""

    segments: tuple[str | Place, ...]

    def params(self, path: str) -> dict[str, str]:
        """What the places stand for in a path that this matches."""
        pairs = zip(self.segments, self._cut(path), strict=True)
        return {place.name: unquote(part) for place, part in pairs if isinstance(place, Place)}

    def likeness(self, path: str) -> float:
        """How near a path comes to it, from 0 to 1."""
        pairs = zip_longest(self.segments, self._cut(path), fillvalue="")
        filled = (found if isinstance(known, Place) else known for known, found in pairs)
        return SequenceMatcher(None, "/".join(filled), path, autojunk=False).ratio()

    def difference(self, path: str) -> str:
        """The first segment that is another; empty for a path that this matches."""
        asked = self._cut(path)
        for number, (known, found) in enumerate(zip(self.segments, asked, strict=False)):
            if not _takes(known, found):
                return f"segment {number} is {found!r}, the route has {_written(known)!r}"
        if len(asked) > len(self.segments):
            return f"it goes on with {asked[len(self.segments)]!r}, the route's ends there"
        if len(asked) < len(self.segments):
            return (
                f"it ends there, the route's goes on with {_written(self.segments[len(asked)])!r}"
            )
        return ""

    def _cut(self, path: str) -> list[str]:
        last = self.segments[-1]
        takes_rest = isinstance(last, Place) and last.takes_rest
        return path.split("/", len(self.segments) - 1 if takes_rest else -1)


def template(path: str) -> Template | ValueError:
    """The template that is written in a path, or what is wrong with it."""
    segments = tuple(map(_segment, path.split("/")))
    places = [segment for segment in segments if isinstance(segment, Place)]
    broken = [part for part in segments if isinstance(part, str) and re.search("[{}]", part)]
    if broken:
        return ValueError(f"A place in a path is {{name}} or {{name:path}}, not {broken[0]!r}.")
    if len({place.name for place in places}) < len(places):
        return ValueError(f"Two places in the path {path!r} have the same name.")
    if any(isinstance(part, Place) and part.takes_rest for part in segments[:-1]):
        return ValueError(f"Nothing can follow {{name:path}}, which takes all of {path!r}.")
    return Template(segments)


def _segment(text: str) -> str | Place:
    place = _PLACE.fullmatch(text)
    return Place(place[1], bool(place[2])) if place else text


def _takes(known: str | Place, found: str) -> bool:
    return known == found if isinstance(known, str) else bool(found) or known.takes_rest


def _written(segment: str | Place) -> str:
    if isinstance(segment, str):
        return segment
    return f"{{{segment.name}{':path' if segment.takes_rest else ''}}}"

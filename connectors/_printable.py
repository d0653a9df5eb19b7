"""Words of others, made fit for a terminal and a line of a log.

A server chooses what stands in an error. What it must not choose is the colour of a terminal, a
second line that looks like a log entry of its own, the direction of the text, or half of a
character, at which every encoder fails. Such characters are shown as their escapes.
"""

import re
from typing import Final

_UNPRINTABLE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f"  # Control characters.
    r"\u2028\u2029"  # Line breaks.
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # What turns the direction (UAX #9).
    r"\ud800-\udfff]"  # Lone surrogates.
)


def printable(text: str) -> str:
    """The text on one line, each character that does something to its reader as an escape."""
    return _UNPRINTABLE.sub(_escaped, text)


def _escaped(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode("ascii")

"""Words of others, made fit for a terminal and a line of a log.

A server chooses what stands in an error. What it must not choose is the colour of a terminal, a
second line that looks like a log entry of its own, the direction of the text, or half of a
character, at which every encoder fails. Such characters are shown as their escapes.
"""

import unicodedata


def printable(text: str) -> str:
    """The text on one line, as `str.isprintable` has it.

    Spaces of every width become the plain one, and any other character that can't be seen is shown
    by its escape.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")

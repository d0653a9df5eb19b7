"""Bodies as text, in the encoding that they have, and text as the JSON that it is."""

import codecs
import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

# A line of JSON, alone or as an event of a stream.
LINE: Final = re.compile(r"^((?:data:)?[ \t]*)([{\[].*[}\]])", re.MULTILINE)

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")

# How a text begins that is not in UTF-8, or says that it is: the longer mark first.
_BEGINNINGS: Final = (
    (codecs.BOM_UTF8, codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_BE, "utf-16-be"),
    *(
        (letter.encode(encoding), b"", encoding)
        for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
        for letter in "{["
    ),
)


def structure(text: str) -> list[Json] | dict[str, Json] | None:
    """The JSON object or array that a text is, if it is one."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list | dict) else None


def repeats_a_name(text: str) -> bool:
    """Has an object in a JSON text two values of the same name?"""
    repeated = False

    def look(pairs: list[tuple[str, object]]) -> None:
        nonlocal repeated
        repeated = repeated or len(dict(pairs)) < len(pairs)

    json.loads(text, object_pairs_hook=look)
    return repeated


def dumped(value: Json) -> str:
    """A JSON value as text without spaces."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half of a character can be written as an escape alone.
    return json.dumps(value, separators=(",", ":")) if _SURROGATE.search(text) else text


def recoded(raw: bytes, scrub: Callable[[str], str]) -> bytes:
    """Bytes after their text was scrubbed; what is no text is taken letter by letter."""
    for beginning, mark, encoding in _BEGINNINGS:
        if raw.startswith(beginning):
            with suppress(UnicodeDecodeError):
                text = scrub(raw[len(mark) :].decode(encoding))
                raw = mark + text.encode(encoding)
            break
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return _in_latin_1(scrub(raw.decode("latin-1")))
    return scrub(text).encode()


def _in_latin_1(text: str) -> bytes:
    with suppress(UnicodeEncodeError):
        return text.encode("latin-1")
    # Only the escapes of JSON have meant more letters than there were bytes.
    return json.dumps(json.loads(text)).encode()

"""Looks for a token in a text as somebody would who wants to have it."""

import re
from base64 import b64decode
from urllib.parse import unquote


def readings(text: str) -> list[str]:
    """The text in every way in which somebody could read it."""
    found = [text]
    for _ in range(3):
        found += [unquote(reading) for reading in found]
        found += [
            re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), reading)
            for reading in found
        ]
        found += [re.sub(r'\\(["\\/])', r"\1", reading) for reading in found]
        found = list(dict.fromkeys(found))
    return found


def in_base64(text: str) -> list[str]:
    runs = re.findall(r"[A-Za-z0-9+/]{4,}", text.replace("-", "+").replace("_", "/"))
    shifted = (run[shift:] for run in runs for shift in range(4))
    return [b64decode(run[: len(run) // 4 * 4]).decode("latin-1") for run in shifted]


def holds(text: str, token: str) -> bool:
    """Does a text hold the middle of a token, in any encoding?"""
    middle = token[2:-2]
    return any(
        middle in reading or any(middle in plain for plain in in_base64(reading))
        for reading in readings(text)
    )

"""Percent-escapes, as RFC 3986 has them in section 2.1."""

import re
from typing import Final

_BROKEN: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def has_broken_escape(path: str) -> bool:
    """Is there a percent sign that begins no escape? Readers make different things of it."""
    return _BROKEN.search(path) is not None

"""Which addresses lead to this machine."""

from typing import Final
from urllib.parse import urlsplit

from connectors.local._loopback import is_loopback

ORIGIN: Final = r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?"
"""A pattern for the beginning of a URL, with nothing before the host."""


def host_of(url: str) -> str:
    """The host of a URL; '' if it has none that can be read."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_local(url: str) -> bool:
    """Does a URL lead to this machine, whatever a name server says?"""
    return is_loopback(host_of(url))

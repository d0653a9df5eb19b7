"""Keeps tokens good: when a refresh is due, how one is done, and what a caller gets meanwhile.

A rotating refresh token is good for one use. To present it twice can end the whole grant, and so
can losing the answer. Everything here follows from that: one process at a time presents a token,
what is about to be presented is on the disk first, and so is what came back before anybody hears
of it.
"""

from connectors.local._refresh._errors import (
    ClientMissingError,
    ClientRejectedError,
    ConnectionUnusableError,
    ReconnectRequiredError,
    RefreshPostponedError,
)
from connectors.local._refresh._keeper import TokenKeeper
from connectors.local._refresh._policy import RefreshPolicy

__all__ = [
    "ClientMissingError",
    "ClientRejectedError",
    "ConnectionUnusableError",
    "ReconnectRequiredError",
    "RefreshPolicy",
    "RefreshPostponedError",
    "TokenKeeper",
]

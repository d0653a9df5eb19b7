"""Recorded replay: what a service once answered, played from a file, on asyncio and trio.

`ReplayTransport` stands under a client like every other transport. A file that it writes is fit to
be committed: it is scrubbed before it is held, and nothing is written that would hold a secret.
"""

from transports.replay._errors import (
    CassetteError,
    CassetteFormatError,
    SecretInCassetteError,
    StaleCassetteError,
    StaleCassetteWarning,
    UnrecordedRequestError,
    UnusedInteractionError,
)
from transports.replay._matching import Part
from transports.replay._settings import Mode, WhenStale
from transports.replay._transport import ReplayTransport

__all__ = [
    "CassetteError",
    "CassetteFormatError",
    "Mode",
    "Part",
    "ReplayTransport",
    "SecretInCassetteError",
    "StaleCassetteError",
    "StaleCassetteWarning",
    "UnrecordedRequestError",
    "UnusedInteractionError",
    "WhenStale",
]

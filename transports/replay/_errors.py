"""What can be wrong with a cassette.

None of these is a `TransportError`: the network is not to blame, and nothing may try it again. What
says that a test is wrong is an `AssertionError`.
"""

from transports._errors import UnmatchedRequestError


class CassetteError(Exception):
    """Raised when a cassette can't be read or written; its file is as it was."""


class CassetteFormatError(CassetteError):
    """Raised when a file is no cassette, a damaged one, or one that only others may write."""


class SecretInCassetteError(CassetteError):
    """Raised when a secret would have been written; nothing was."""


class StaleCassetteError(CassetteError):
    """Raised when a cassette is older than `max_age` allows."""


class StaleCassetteWarning(UserWarning):
    """Given when a cassette is older than `max_age` allows."""


class UnrecordedRequestError(UnmatchedRequestError):
    """Raised when a cassette has no answer for a request, or none that is left."""


class UnusedInteractionError(AssertionError):
    """Raised when a cassette holds answers that nobody asked for."""

"""Which header fields a cassette shows.

An allow-list: a deny-list forgets the one field that somebody invents next. The names of the others
are kept, their values hidden. What no longer holds once a body is decoded, or changes with every
recording, is left out.
"""

from typing import Final

_SHOWN: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "accept-ranges",
        "age",
        "allow",
        "cache-control",
        "content-disposition",
        "content-language",
        "content-location",
        "content-range",
        "content-type",
        "deprecation",
        "etag",
        "expires",
        "if-modified-since",
        "if-none-match",
        "last-modified",
        "link",
        "location",
        "range",
        "retry-after",
        "retry-after-ms",
        "server",
        "sunset",
        "user-agent",
        "vary",
        "www-authenticate",
        "x-app-id",
        "x-base44-connector-error",
        "x-data-env",
        "x-next-page",
        "x-page",
        "x-per-page",
        "x-prev-page",
        "x-request-id",
        "x-total",
        "x-total-count",
        "x-total-pages",
    }
)
_LIMITS: Final = ("ratelimit", "x-ratelimit", "x-rate-limit")
_DROPPED: Final = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "date",
        "host",
        "keep-alive",
        "set-cookie",
        "transfer-encoding",
    }
)


def is_shown(name: str) -> bool:
    """May the value of a field be read by everybody who can read the file?"""
    return name.lower() in _SHOWN or name.lower().startswith(_LIMITS)


def is_dropped(name: str) -> bool:
    """Is a field left out?"""
    return name.lower() in _DROPPED

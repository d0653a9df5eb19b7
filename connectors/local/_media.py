"""What a body is, as its header field says."""

import re
from typing import Final

from transports import Headers

_JSON: Final = re.compile(r"application/(?:[a-z0-9.+_-]+\+)?json")


def media_type(headers: Headers) -> str:
    """The media type without parameters, in small letters; '' if none is given."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json(media: str) -> bool:
    """Is this media type JSON, or JSON with a meaning (RFC 6839, section 3.1)?"""
    return _JSON.fullmatch(media) is not None

"""What became of a call, in the protocol's words, and no more than is known of it.

`not_sent` is a proof that the provider has not executed the call; everything else is none. An
answer that is too large, or is no HTTP, is one that did not come: the provider may have done what
it was asked.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from connectors._errors import Json
from connectors._json import Problem, encode_json, parsed
from connectors._redaction import Redactor
from connectors._requests import LARGEST_ENVELOPE
from connectors.catalog import Integration
from connectors.local._answers import encoded_answer
from connectors.local._media import is_json, media_type
from transports import Headers, Response, Secret, TransportError, TransportTimeoutError

_SHOWN: Final = frozenset(
    {
        "accept-ranges",
        "allow",
        "content-disposition",
        "content-language",
        "content-range",
        "date",
        "deprecation",
        "etag",
        "last-modified",
        "link",
        "location",
        "range",
        "retry-after",
        "sunset",
        "warning",
        "www-authenticate",
    }
)
_LIMITS: Final = ("ratelimit", "x-ratelimit", "x-rate-limit")
_REQUEST_IDS: Final = ("request-id", "requestid")
_USER_INFORMATION: Final = re.compile(r"//[^/?#>]*@")
# What an address is signed with that opens what it leads to, besides all that is called a token.
_SIGNATURES: Final = ("sig", "signature", "tempauth", "code", "key")


def envelope(
    result: Response | TransportError, integration: Integration, token: Secret
) -> Response:
    """How a call ended.

    Args:
        result: What came of it.
        integration: Whose API was called.
        token: The token that was sent with it.
    """
    redactor = Redactor([token])
    if isinstance(result, TransportError):
        told = {"success": False, "phase": phase(result), "detail": redactor.text(str(result))}
        return encoded_answer(_encoded({**_NOTHING, **told}))
    told = {
        **_NOTHING,
        "success": result.status // 100 == 2,  # noqa: PLR2004 - the family of successes.
        "phase": "responded",
        "status_code": result.status,
        "content_type": result.headers.get("content-type"),
        "headers": _shown(result.headers, integration, redactor),
    }
    return encoded_answer(_readable(told, result) or _encoded({**told, **_raw(result)}))


def phase(result: Response | TransportError) -> str:
    """How far a call came."""
    if isinstance(result, Response):
        return "responded"
    if not result.maybe_sent:
        return "not_sent"
    return "timed_out" if isinstance(result, TransportTimeoutError) else "sent_unconfirmed"


_NOTHING: Final[Mapping[str, object]] = {
    "status_code": None,
    "data": None,
    "data_base64": None,
    "content_type": None,
    "headers": {},
    "credits_charged": 0,
}


def _encoded(told: Mapping[str, object]) -> bytes:
    return encode_json(told, "An envelope")


def _readable(told: Mapping[str, object], response: Response) -> bytes | None:
    """The envelope with what can be read, unless it can't be written or becomes too long by it."""
    data = _data(response)
    if isinstance(data, Problem):
        return None
    try:
        encoded = _encoded({**told, "data": data})
    except ValueError:
        return None
    return encoded if len(encoded) <= LARGEST_ENVELOPE else None


def _data(response: Response) -> Json | Problem:
    media = media_type(response.headers)
    if not response.body:
        return None
    if is_json(media):
        return parsed(response.body)
    try:
        return response.body.decode("utf-8") if media.startswith("text/") else Problem("no text")
    except UnicodeDecodeError:
        return Problem("no text in UTF-8")


def _raw(response: Response) -> Mapping[str, object]:
    return {"data_base64": b64encode(response.body).decode("ascii")}


def _shown(headers: Headers, integration: Integration, redactor: Redactor) -> dict[str, str]:
    known = {name.lower() for name in integration.api.optional_headers}
    shown = {
        name: ", ".join(headers.get_all(name))
        for name in headers
        if name in known or _is_shown(name)
    }
    return {
        name: value
        for name, value in shown.items()
        if redactor.text(value) == value
        and not _USER_INFORMATION.search(value)
        and not (name == "location" and _opens(value, redactor))
    }


def _is_shown(name: str) -> bool:
    return name in _SHOWN or name.startswith(_LIMITS) or name.endswith(_REQUEST_IDS)


def _opens(address: str, redactor: Redactor) -> bool:
    """Has an address a credential in it?"""
    try:
        parts = urlsplit(address)
    except ValueError:
        return True
    values: dict[str, Json] = dict(parse_qsl(f"{parts.query}&{parts.fragment}"))
    signed = any(name.lower().endswith(_SIGNATURES) for name in values)
    return signed or redactor.json(values) != values

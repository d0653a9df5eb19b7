"""What `call_api` is answered: the service's envelope around what a provider has said."""

from base64 import b64encode
from typing import Final

import attrs

from connectors._json import Problem, encode_json, parsed
from connectors._models import ApiResponse
from transports import Response
from transports.mock import json_response

_JSON: Final = "application/json"


def data_envelope(data: object) -> Response:
    """The envelope around a provider's answer with status 200 that is this JSON."""
    return envelope(
        ApiResponse(success=True, phase="responded", status=200, data=data, content_type=_JSON)
    )


def provider_envelope(response: Response) -> Response:
    """The envelope around a provider's answer, whatever its status."""
    kind = response.headers.get("content-type")
    data = _data(response.body, kind or "")
    is_raw = isinstance(data, Problem)
    return envelope(
        ApiResponse(
            success=response.status // 100 == 2,  # noqa: PLR2004 - the family of successes.
            phase="responded",
            status=response.status,
            data=None if is_raw else data,
            data_base64=b64encode(response.body).decode("ascii") if is_raw else None,
            content_type=kind,
            headers={name: response.headers.get(name, "") for name in response.headers},
        )
    )


def envelope(told: ApiResponse) -> Response:
    """An envelope as the wire has it."""
    fields = attrs.asdict(told, recurse=False)
    status = fields.pop("status")
    return json_response({**fields, "headers": dict(told.headers), "status_code": status})


def json_problem(name: str, data: object) -> Exception | None:
    """Can this be the JSON that a connector answers?"""
    try:
        encode_json(data, f"api[{name!r}]")
    except (TypeError, ValueError) as error:
        return error.with_traceback(None)
    return None


def _data(body: bytes, kind: str) -> object:
    media = kind.partition(";")[0].strip().lower()
    if not body:
        return None
    return parsed(body) if media == _JSON or media.endswith("+json") else _text(body, media)


def _text(body: bytes, media: str) -> str | Problem:
    try:
        return body.decode() if media.startswith("text/") else Problem("no text")
    except UnicodeDecodeError:
        return Problem("no text in UTF-8")

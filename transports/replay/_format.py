"""The file: vcrpy's version 1 as JSON, which other tools read, too.

A request has the four keys that vcrpy expects and no fifth. All else stands where vcrpy tolerates
it: `salt` at the top, `recorded_at`, `elapsed` and `fault` beside an exchange. In the place of an
answer that never came there is one with the status 599, for programs that know of no fault.

JSON cannot hold bytes, so a body that is no text is in `base64_string`, beside an empty `string`.
A file is written with a line for each value and in the order of the requests: what changes from one
recording to the next is what a diff shows.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, get_args

import attrs

from transports._errors import Phase
from transports._headers import checked_headers
from transports.replay._document import Document, Place
from transports.replay._faults import FAULTS
from transports.replay._interaction import (
    Fields,
    Interaction,
    Outcome,
    RecordedFault,
    RecordedRequest,
    RecordedResponse,
)

VERSION: Final = 1
WRITER: Final = "base44-connectors"
_NO_ANSWER: Final = 599

# An array of one string, as a header field has it, takes one line. No string holds a line break.
_LONE: Final = re.compile(r'\[\n +("(?:[^"\\]|\\.)*")\n +\]')


@attrs.frozen
class Cassette:
    """What a file holds."""

    interactions: tuple[Interaction, ...] = ()
    """In the order in which they were sent."""

    salt: bytes | None = attrs.field(default=None, repr=False)
    """The key of its placeholders; None in a file of another program, which only that writes."""


def dumped(interactions: Sequence[Interaction], salt: bytes) -> str:
    """The text of a file."""
    document = {
        "version": VERSION,
        "recorded_with": WRITER,
        "salt": salt.hex(),
        "interactions": [_written(interaction) for interaction in interactions],
    }
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return _LONE.sub(r"[\1]", text) + "\n"


def _written(interaction: Interaction) -> dict[str, object]:
    outcome = interaction.outcome
    written: dict[str, object] = {
        "request": _written_request(interaction.request),
        "response": _written_response(outcome),
        "recorded_at": interaction.recorded_at and _time(interaction.recorded_at),
        "elapsed": round(interaction.elapsed, 3),
    }
    if isinstance(outcome, RecordedFault):
        written["fault"] = attrs.asdict(outcome)
    return written


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _written_request(request: RecordedRequest) -> dict[str, object]:
    body = None if request.body is None else _written_body(request.body)
    # vcrpy takes the body of a request as it stands, so text is no object with a `string`.
    text = body["string"] if body is not None and "base64_string" not in body else body
    return {
        "method": request.method,
        "uri": request.url,
        "body": text,
        "headers": _written_fields(request.headers),
    }


def _written_response(outcome: Outcome) -> dict[str, object]:
    if isinstance(outcome, RecordedFault):
        outcome = RecordedResponse(_NO_ANSWER, f"No answer: {outcome.error}")
    return {
        "status": {"code": outcome.status, "message": outcome.reason or _reason(outcome.status)},
        "headers": _written_fields(outcome.headers),
        "body": _written_body(outcome.body),
    }


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _written_fields(fields: Fields) -> dict[str, list[str]]:
    written: dict[str, list[str]] = {}
    for name, value in fields:
        written.setdefault(name.lower(), []).append(value)
    return dict(sorted(written.items()))


def _written_body(body: bytes) -> dict[str, str]:
    try:
        return {"string": body.decode()}
    except UnicodeDecodeError:
        return {"string": "", "base64_string": b64encode(body).decode()}


def read_ours(document: Document) -> Cassette:
    """The cassette of a document in version 1, by whichever program.

    Raises:
        CassetteFormatError: A value is not what it should be; the message says where.
    """
    found = document.top
    version = found.at("version").whole_number()
    if version != VERSION:
        raise found.at("version").wrong(f"a version that is known; it is {version}")
    interactions = tuple(map(_read, found.at("interactions").items()))
    ours = found.has("recorded_with") and found.at("recorded_with").text() == WRITER
    return Cassette(interactions, found.at("salt").hexadecimal() if ours else None)


def _read(place: Place) -> Interaction:
    return Interaction(
        _read_request(place.at("request")),
        _read_fault(place.at("fault"))
        if place.has("fault")
        else read_response(place.at("response")),
        place.at("recorded_at").moment() if place.has("recorded_at") else None,
        place.at("elapsed").seconds() if place.has("elapsed") else 0.0,
    )


def _read_request(place: Place) -> RecordedRequest:
    return RecordedRequest(
        place.at("method").text(),
        place.at("uri").url(),
        read_fields(place.at("headers")),
        _read_sent(place.at("body")),
    )


def _read_sent(place: Place) -> bytes | None:
    # An object is a JSON value that was sent, which may well have a `string`.
    binary = place.is_object and place.has("base64_string")
    return read_body(place) if binary else place.as_body()


def read_response(place: Place) -> RecordedResponse:
    """An answer, as all programs write it."""
    status, fields = place.at("status"), read_fields(place.at("headers"))
    if isinstance(checked_headers(fields), Exception):
        raise place.at("headers").wrong("fields that HTTP allows")
    return RecordedResponse(
        status.at("code").whole_number(),
        status.at("message").text() if status.has("message") else "",
        fields,
        read_body(place.at("body")) or b"",
    )


def _read_fault(place: Place) -> RecordedFault:
    return RecordedFault(
        place.at("error").one_of(FAULTS),
        place.at("message").text(),
        place.at("phase").one_of(get_args(Phase)),
        place.at("maybe_sent").truth(),
    )


def read_fields(place: Place) -> Fields:
    """Header fields: names with a value, or with several."""
    return tuple(
        (name, value.text())
        for name, values in place.members()
        for value in (values.items() if values.is_array else (values,))
    )


def read_body(place: Place) -> bytes | None:
    """A body: text, bytes, or an object that holds one of these, or nothing."""
    if not place.is_object:
        return place.as_body()
    if place.has("base64_string"):
        return b64decode(place.at("base64_string").base64())
    # Text is written as it was read, in the encoding that stands beside it.
    encoding = place.at("encoding").text() if place.has("encoding") else "utf-8"
    return place.at("string").as_body(encoding)


def normalised(interaction: Interaction) -> Interaction:
    """An interaction as it is when it was written and read again."""
    request, outcome = interaction.request, interaction.outcome
    if isinstance(outcome, RecordedResponse):
        outcome = attrs.evolve(
            outcome,
            reason=outcome.reason or _reason(outcome.status),
            headers=_sorted(outcome.headers),
        )
    return attrs.evolve(
        interaction,
        request=attrs.evolve(request, headers=_sorted(request.headers)),
        outcome=outcome,
        elapsed=round(interaction.elapsed, 3),
    )


def _sorted(fields: Fields) -> Fields:
    lower = ((name.lower(), value) for name, value in fields)
    return tuple(sorted(lower, key=lambda field: field[0]))

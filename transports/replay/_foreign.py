"""Files of other programs: betamax and Ruby's VCR, and vcrpy's in YAML. They are only read.

betamax and Ruby's VCR write `http_interactions`, with the encoding beside every body. All of them
may keep a body as it was compressed on the wire; here it is decoded, as a transport's answer is.
"""

import zlib
from collections.abc import Iterable
from typing import Final

import attrs

from transports.replay._document import Document, Place
from transports.replay._format import Cassette, read_body, read_fields, read_ours, read_response
from transports.replay._interaction import Fields, Interaction, RecordedRequest, RecordedResponse
from transports.replay._shown import is_dropped

# What a body may grow to.
_LARGEST: Final = 64 * 1024 * 1024
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32


def read_any(document: Document) -> Cassette:
    """The cassette of a document, by whichever program.

    Raises:
        CassetteFormatError: It is none, or a value is not what it should be.
    """
    top = document.top
    if top.is_array:
        raise top.wrong("an object with `version` and `interactions`, as vcrpy writes since 1.0")
    if not top.has("http_interactions"):
        cassette = read_ours(document)
        return cassette if cassette.salt is not None else _decoded(cassette.interactions)
    return _decoded(map(_read, top.at("http_interactions").items()))


def _read(place: Place) -> Interaction:
    request = place.at("request")
    return Interaction(
        RecordedRequest(
            request.at("method").text().upper(),
            request.at("uri").url(),
            read_fields(request.at("headers")),
            read_body(request.at("body")) or None,
        ),
        read_response(place.at("response")),
        place.at("recorded_at").moment() if place.has("recorded_at") else None,
    )


def _decoded(interactions: Iterable[Interaction]) -> Cassette:
    return Cassette(tuple(map(_with_plain_body, interactions)))


def _with_plain_body(interaction: Interaction) -> Interaction:
    outcome = interaction.outcome
    if not isinstance(outcome, RecordedResponse):
        return interaction
    body = _plain(outcome.body, outcome.headers)
    fields = tuple(pair for pair in outcome.headers if not is_dropped(pair[0]))
    return attrs.evolve(interaction, outcome=attrs.evolve(outcome, headers=fields, body=body))


def _plain(body: bytes, headers: Fields) -> bytes:
    """A body without its compression; one that is plain already, whatever its header says, is."""
    codings = [value.strip().lower() for name, value in headers if name.lower() == _CODING]
    if codings not in (["gzip"], ["x-gzip"], ["deflate"]):
        return body
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, _LARGEST)
    except zlib.error:
        return body


_CODING: Final = "content-encoding"

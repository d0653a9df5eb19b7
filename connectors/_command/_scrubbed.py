"""Where secrets were in a cassette: every placeholder, by the place in which it stands."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote_plus

from transports.replay._interaction import (
    Fields,
    Interaction,
    Outcome,
    RecordedFault,
    RecordedRequest,
    is_form,
)
from transports.replay._placeholders import PLACEHOLDER


def scrubbed(interactions: Iterable[Interaction]) -> Mapping[str, int]:
    """How many secrets were taken out of each place, such as `header authorization`."""
    counts: Counter[str] = Counter()
    for interaction in interactions:
        counts.update(_in_request(interaction.request))
        counts.update(_in_outcome(interaction.outcome))
    return dict(sorted(counts.items()))


def _in_request(request: RecordedRequest) -> Iterator[str]:
    place, _, query = request.url.partition("?")
    yield from _found("path", place)
    yield from _in_pairs("query", query)
    yield from _in_fields(request.headers)
    yield from _in_body(request.body or b"", request.headers)


def _in_outcome(outcome: Outcome) -> Iterator[str]:
    if isinstance(outcome, RecordedFault):
        yield from _found("error", outcome.message)
    else:
        yield from _in_fields(outcome.headers)
        yield from _in_body(outcome.body, outcome.headers)


def _in_fields(fields: Fields) -> Iterator[str]:
    for name, value in fields:
        yield from _found(f"header {name.lower()}", value)


def _in_body(body: bytes, headers: Fields) -> Iterator[str]:
    text = body.decode("utf-8", "replace")
    return _in_pairs("body", text) if is_form(headers) else _in_text("body", text)


def _in_pairs(place: str, text: str) -> Iterator[str]:
    for pair in text.split("&"):
        name, mark, value = map(unquote_plus, pair.partition("="))
        yield from _found(place, name)
        yield from _in_text(f"{place} {name}" if mark else place, value)


def _in_text(place: str, text: str) -> Iterator[str]:
    """Where they are in a text, which may be JSON."""
    if not PLACEHOLDER.search(text):
        return iter(())
    try:
        return _in_json(place, json.loads(text))
    except (ValueError, RecursionError):
        return _found(place, text)


def _in_json(place: str, value: object) -> Iterator[str]:
    match value:
        case str():
            yield from _in_text(place, value)
        case list():
            for item in value:
                yield from _in_json(place, item)
        case dict():
            for name, item in value.items():
                yield from _found(place, name)
                yield from _in_json(f"{place.partition(' ')[0]} {name}", item)


def _found(place: str, text: str) -> Iterator[str]:
    return (place for _ in PLACEHOLDER.finditer(text))

"""Which recorded request is the one that is sent now, and which answer is next.

Requests are compared part by part, after both were scrubbed. A test need not have the tokens of the
recording, so all placeholders are the same; and where a recorded request has one, anything may
stand, because that it was a secret may have shown itself elsewhere, and later. The answers to
requests that are the same form a queue. Where the placeholders tell them apart, the one that is
exactly the same goes first: a page that a recorded answer pointed to, or what was sent with the
same credential.

Nothing here waits, so requests get their answers in the order in which they are sent.
"""

import json
from base64 import b64encode
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, Literal, TypeAlias, TypeGuard, final, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs

from transports._checks import DEFAULT_PORTS
from transports._shapes import names_a_secret
from transports.replay._interaction import Fields, Interaction, RecordedRequest, is_form
from transports.replay._placeholders import ANY, alike

Part: TypeAlias = Literal["method", "server", "path", "query", "body"]
"""A part of a request that can be compared."""

PARTS: Final[tuple[Part, ...]] = get_args(Part)


@attrs.frozen
class Fingerprint:
    """What requests are compared by."""

    alike: tuple[str, ...] = attrs.field(repr=False)
    """The parts that count, with all placeholders the same."""

    exact: tuple[object, ...] = attrs.field(repr=False)
    """The same with the placeholders as they are, and the credentials."""

    parts: tuple[Part, ...]
    """Which parts they are."""

    def fits(self, sought: "Fingerprint") -> bool:
        """Is a recorded request the one that is sought?"""
        return all(map(fits, self.parts, self.alike, sought.alike))


def fingerprint(request: RecordedRequest, match_on: Collection[Part]) -> Fingerprint:
    """What a scrubbed request is compared by."""
    parts = parts_of(request)
    counting = tuple(part for part in PARTS if part in match_on)
    values = tuple(parts[part] for part in counting)
    credentials = (pair for pair in request.headers if names_a_secret(pair[0]))
    sent = tuple(sorted((name.lower(), value) for name, value in credentials))
    return Fingerprint(tuple(map(alike, values)), (*values, sent), counting)


def parts_of(request: RecordedRequest) -> Mapping[Part, str]:
    """The parts of a request, each in the one way in which it is compared."""
    url = urlsplit(request.url)
    port = url.port or DEFAULT_PORTS.get(url.scheme)
    query = sorted(parse_qsl(url.query, keep_blank_values=True))
    return {
        "method": request.method,
        "server": f"{url.scheme}://{url.hostname}:{port}",
        "path": url.path or "/",
        "query": urlencode(query, errors="surrogatepass"),
        "body": _body(request.body or b"", request.headers),
    }


def _body(body: bytes, headers: Fields) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return b64encode(body).decode()
    if is_form(headers):
        # As an object: so other programs record a form, with nothing that says that it was one.
        return _sorted(_joined(parse_qsl(text, keep_blank_values=True)))
    try:
        value = json.loads(text)
        return _sorted(_joined(value) if _is_pairs(value) else value)
    except (ValueError, RecursionError):
        return text


def _is_pairs(value: object) -> TypeGuard[Sequence[tuple[str, str]]]:
    """Is it a form with a name that comes twice, as other programs record it?"""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(pair, list)
            and len(pair) == len(("name", "value"))
            and set(map(type, pair)) == {str}
            for pair in value
        )
    )


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str | list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: given if len(given) > 1 else given[0] for name, given in values.items()}


def _sorted(value: object) -> str:
    return json.dumps(value, sort_keys=True)


@final
class Playlist:
    """The answers of a cassette, each given once.

    Args:
        interactions: What was recorded.
        requests: Their requests as they are compared: scrubbed.
        match_on: The parts of requests that are compared.
        ordered: May an answer be given only when it is its turn?
        repeats: May the last answer to a request be given again?
    """

    def __init__(
        self,
        interactions: Sequence[Interaction],
        requests: Iterable[RecordedRequest],
        match_on: Collection[Part],
        *,
        ordered: bool,
        repeats: bool,
    ) -> None:
        self.interactions = tuple(interactions)
        """All of them, as they were recorded."""

        self._prints = [fingerprint(request, match_on) for request in requests]
        self._ordered = ordered
        self._repeats = repeats
        self._queues: dict[tuple[str, ...], deque[int]] = {}
        for index, one in enumerate(self._prints):
            self._queues.setdefault(one.alike, deque()).append(index)
        self._last: dict[tuple[str, ...], int] = {}
        self._played: set[int] = set()
        self._first_unused = 0

    @property
    def played(self) -> int:
        """How many were given."""
        return len(self._played)

    def unused(self) -> Iterator[tuple[int, Interaction]]:
        """Those that nobody asked for, with their places, in order."""
        for index, interaction in enumerate(self.interactions):
            if index not in self._played:
                yield index, interaction

    def take(self, sought: Fingerprint) -> Interaction | None:
        """The next answer to a request; None where there is none that is left."""
        index = self._turn(sought) if self._ordered else self._next(sought)
        if index is None:
            return self._again(sought)
        key = self._prints[index].alike
        self._queues[key].remove(index)
        self._played.add(index)
        if self._ordered:
            self._last.clear()
        self._last[key] = index
        return self.interactions[index]

    def _turn(self, sought: Fingerprint) -> int | None:
        while self._first_unused in self._played:
            self._first_unused += 1
        turn = self._first_unused
        return turn if turn < len(self._prints) and self._prints[turn].fits(sought) else None

    def _next(self, sought: Fingerprint) -> int | None:
        queue: Collection[int] = self._queues.get(sought.alike, ())
        exact = (index for index in queue if self._prints[index].exact == sought.exact)
        fitting = (index for index, _ in self.unused() if self._prints[index].fits(sought))
        return next(chain(exact, queue, fitting), None)

    def _again(self, sought: Fingerprint) -> Interaction | None:
        if not self._repeats:
            return None
        fitting = (index for index in self._last.values() if self._prints[index].fits(sought))
        index = next(fitting, None)
        return None if index is None else self.interactions[index]

    def alike(self, sought: Fingerprint) -> int:
        """How many were recorded for a request, given or not."""
        return sum(one.fits(sought) for one in self._prints)


def fits(part: Part, recorded: str, sent: str) -> bool:
    """Is a part what was recorded, with any one value where a placeholder stands?"""
    first, *rest = recorded.split(ANY)
    if not rest:
        return recorded == sent
    *between, last = rest
    place = len(first)
    for piece in between:
        # The earliest place leaves the most room for what follows.
        found = sent.find(piece, place + 1)
        if found < 0 or _is_more(part, sent[place:found]):
            return False
        place = found + len(piece)
    end = len(sent) - len(last)
    if place >= end or _is_more(part, sent[place:end]):
        return False
    return sent.startswith(first) and sent.endswith(last)


def _is_more(part: Part, text: str) -> bool:
    """Does a text go on after a value: with another segment, pair of a query, or string?"""
    return any(end in text for end in ("/" if part == "path" else '&"'))

"""Take the secrets out of an exchange before it is held.

Four nets, because each has holes. Header fields are shown by an allow-list. Fields of JSON, forms
and queries are hidden by their names, at any depth, and in JSON that is a string in JSON. What
looks like a well-known token is hidden wherever it stands. And every value that was found in one of
these ways, or that the program named, is known from then on, and hidden wherever it comes back, in
whatever encoding, and where a large part of it stands alone.

So what has taught something is gone through again: what an answer shows to be a secret may stand in
its request.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias, TypeVar, final
from urllib.parse import quote_plus, unquote_plus

import attrs

from transports._secret import Secret
from transports._shapes import names_a_secret
from transports.replay._clues import (
    CREDENTIAL,
    hides_in_a_form,
    hides_in_json,
    in_cookies,
    in_credential,
    looking_like_one,
    looks_like_a_token,
)
from transports.replay._interaction import (
    Fields,
    Interaction,
    Outcome,
    RecordedFault,
    RecordedRequest,
    is_form,
)
from transports.replay._known import KnownSecrets, Sighting
from transports.replay._placeholders import PLACEHOLDER, Placeholders
from transports.replay._shown import is_dropped, is_shown
from transports.replay._texts import LINE, Json, dumped, recoded, repeats_a_name, structure

_URLS: Final = frozenset({"content-location", "location"})
_WITH_PAIRS: Final = re.compile(r"[?#][^=]*=")
_IN_A_LINK: Final = re.compile(r"(?<=<)[^<>]+(?=>)")

_T = TypeVar("_T")
_Hides: TypeAlias = Callable[[str, Json], bool]

# Deeper than this nobody looks for a field by its name; it is text then.
_DEEPEST: Final = 64
# A URL may stand in the query of one that stands in the query of another.
_DEEPEST_URL: Final = 3


@final
class Scrubber:
    """Takes the secrets out of requests and responses, and remembers them.

    Args:
        placeholders: What takes their place.
        known: The secrets that are known already; it grows.
    """

    def __init__(self, placeholders: Placeholders, known: KnownSecrets) -> None:
        self._placeholders = placeholders
        self._known = known

    def request(self, request: RecordedRequest) -> RecordedRequest:
        """A request without its secrets."""
        return self._again_if_it_taught(self._request, request)

    def interaction(self, interaction: Interaction) -> Interaction:
        """A request and what became of it, without their secrets.

        What was scrubbed before is scrubbed again of what has turned out since to be a secret.
        """
        return self._again_if_it_taught(self._interaction, interaction)

    def _again_if_it_taught(self, scrub: Callable[[_T], _T], value: _T) -> _T:
        known = len(self._known)
        scrubbed = scrub(value)
        return scrubbed if len(self._known) == known else scrub(value)

    def _interaction(self, interaction: Interaction) -> Interaction:
        return attrs.evolve(
            interaction,
            request=self._request(interaction.request),
            outcome=self._outcome(interaction.outcome),
        )

    def text(self, text: str) -> str:
        """A text without secrets."""
        found = [*self._looks_like_one(text), *self._known.all(text)]
        return _replaced(text, found, self._placeholders.of) if found else text

    def _request(self, request: RecordedRequest) -> RecordedRequest:
        body = request.body
        return RecordedRequest(
            request.method,
            self._url(request.url),
            self._fields(request.headers),
            None if body is None else self._body(body, request.headers),
        )

    def _outcome(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, RecordedFault):
            return attrs.evolve(outcome, message=self.text(outcome.message))
        headers = self._fields(outcome.headers)
        return attrs.evolve(
            outcome, headers=headers, body=self._body(outcome.body, outcome.headers)
        )

    def _fields(self, fields: Fields) -> Fields:
        for name, value in fields:
            for secret in in_cookies(name.lower(), value):
                self._known.learn(secret)
        kept = (pair for pair in fields if not is_dropped(pair[0]))
        return tuple((name, self._field(name, value)) for name, value in kept)

    def _field(self, name: str, value: str) -> str:
        if is_shown(name):
            if name.lower() == "link":
                value = _IN_A_LINK.sub(lambda url: self._url(url[0]), value)
            return self._url(value) if name.lower() in _URLS else self.text(value)
        parts = CREDENTIAL.fullmatch(value.strip())
        if parts is None or not names_a_secret(name):
            told = names_a_secret(name) or looks_like_a_token(value.strip())
            return self._hidden(value.strip(), learn=told)
        for secret in in_credential(parts["scheme"], parts["credential"]):
            self._known.learn(secret)
        return f"{parts['scheme']} {self._hidden(parts['credential'])}"

    def _url(self, url: str, depth: int = 0) -> str:
        front, sharp, fragment = url.partition("#")
        place, mark, query = front.partition("?")
        pairs = self._pairs(query, depth), self._pairs(fragment, depth)
        return f"{self.text(place)}{mark}{pairs[0]}{sharp}{pairs[1]}"

    def _pairs(self, text: str, depth: int = 0) -> str:
        """A query, a form or a fragment."""
        return "&".join(self._pair(pair, depth) for pair in text.split("&"))

    def _pair(self, pair: str, depth: int) -> str:
        name, mark, value = pair.partition("=")
        meant = unquote_plus(value)
        if meant and hides_in_a_form(unquote_plus(name), meant):
            return f"{self.text(name)}{mark}{self._hidden(meant)}"
        inside = structure(meant)
        if inside is not None:
            return f"{self.text(name)}{mark}{quote_plus(self._structure(meant, inside))}"
        if depth < _DEEPEST_URL and _WITH_PAIRS.search(meant):
            url = self._url(meant, depth + 1)
            if url != meant:
                return self.text(f"{name}{mark}{quote_plus(url)}")
        return self.text(pair)

    def _body(self, body: bytes, headers: Fields) -> bytes:
        if is_form(headers):
            return recoded(body, self._pairs)
        return recoded(body, self._document)

    def _document(self, text: str) -> str:
        value = structure(text)
        if value is None:
            return self.text(LINE.sub(self._line, text))
        return self._structure(text, value)

    def _structure(self, text: str, value: Json) -> str:
        """A JSON text without secrets; where there were none, as it stands."""
        scrubbed = self._json(value, 0)
        # Of a name that comes twice, only the last was looked at.
        return text if scrubbed == value and not repeats_a_name(text) else dumped(scrubbed)

    def _line(self, line: re.Match[str]) -> str:
        value = structure(line[2])
        return line[0] if value is None else line[1] + self._structure(line[2], value)

    def _json(self, value: Json, depth: int) -> Json:
        match value:
            case str():
                return self._document(value) if depth < _DEEPEST else self.text(value)
            case list() | dict() if depth >= _DEEPEST:
                return self.text(dumped(value))
            case list():
                return [self._json(item, depth + 1) for item in value]
            case dict():
                hides = hides_in_a_form if "grant_type" in value else hides_in_json
                return {
                    self.text(name): self._value(name, item, depth + 1, hides)
                    for name, item in value.items()
                }
            case int() | float() if not isinstance(value, bool):
                text = str(value)
                return value if self.text(text) == text else self._hidden(text)
            case _:
                return value

    def _value(self, name: str, value: Json, depth: int, hides: _Hides) -> Json:
        return self._all_hidden(value) if hides(name, value) else self._json(value, depth)

    def _all_hidden(self, value: Json) -> Json:
        match value:
            case None | bool() | "":
                return value
            case list():
                return [self._all_hidden(item) for item in value]
            case dict():
                return {self.text(name): self._all_hidden(item) for name, item in value.items()}
            case _:
                return self._hidden(str(value))

    def _hidden(self, value: str, *, learn: bool = True) -> str:
        if PLACEHOLDER.fullmatch(value):
            return value
        secret = Secret(value)
        if learn:
            self._known.learn(secret)
        return self._placeholders.of(secret)

    def _looks_like_one(self, text: str) -> Iterator[Sighting]:
        for span, secret in looking_like_one(text):
            if not PLACEHOLDER.search(secret.reveal()):
                self._known.learn(secret)
                yield Sighting(span, secret)


def _replaced(text: str, found: list[Sighting], placeholder: Callable[[Secret], str]) -> str:
    parts: list[str] = []
    kept_from = 0
    # Of those that begin at the same place, the longest first.
    for sighting in sorted(found, key=lambda one: (one.span[0], -one.span[1])):
        begin, end = sighting.span
        if begin >= kept_from:
            parts += text[kept_from:begin], placeholder(sighting.secret)
        kept_from = max(kept_from, end)
    parts.append(text[kept_from:])
    return "".join(parts)

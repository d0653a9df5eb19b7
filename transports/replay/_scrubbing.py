"""Take the secrets out of an exchange before it is held.

Four nets, because each has holes. Header fields are shown by an allow-list. Fields of JSON, forms
and queries are hidden by their names, at any depth, and in JSON that is a string in JSON. What
looks like a well-known token is hidden wherever it stands. And every value that was found in one of
these ways, or that the program named, is known from then on, and hidden wherever it comes back, in
whatever encoding, and where a large part of it stands alone.

So what has taught something is gone through again: what an answer shows to be a secret may stand in
its request.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias, TypeVar, final
from urllib.parse import quote_plus, unquote_plus

import attrs

from transports._secret import Secret
from transports._shapes import names_a_secret
from transports.replay._clues import (
    CREDENTIAL,
    TOKEN_LIKE,
    hides,
    hides_in_a_form,
    in_cookies,
    in_credential,
    looking_like_one,
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

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

_URLS: Final = frozenset({"content-location", "location"})

_T = TypeVar("_T")

# Deeper than this nobody looks for a field by its name; it is text then.
_DEEPEST: Final = 64

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


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
            return self._url(value) if name.lower() in _URLS else self.text(value)
        parts = CREDENTIAL.fullmatch(value.strip())
        if parts is None or not names_a_secret(name):
            told = names_a_secret(name) or TOKEN_LIKE.fullmatch(value.strip())
            return self._hidden(value.strip(), learn=bool(told))
        for secret in in_credential(parts["scheme"], parts["credential"]):
            self._known.learn(secret)
        return f"{parts['scheme']} {self._hidden(parts['credential'])}"

    def _url(self, url: str) -> str:
        place, mark, query = url.partition("?")
        return self.text(place) + mark + self._pairs(query)

    def _pairs(self, text: str) -> str:
        """A query or a form."""
        return "&".join(map(self._pair, text.split("&")))

    def _pair(self, pair: str) -> str:
        name, mark, value = pair.partition("=")
        meant = unquote_plus(value)
        if meant and hides_in_a_form(unquote_plus(name), meant):
            return f"{self.text(name)}{mark}{self._hidden(meant)}"
        inside = _structure(meant)
        if inside is not None:
            return f"{self.text(name)}{mark}{quote_plus(_dumped(self._json(inside, 0)))}"
        return self.text(pair)

    def _body(self, body: bytes, headers: Fields) -> bytes:
        if is_form(headers):
            return _recoded(body, self._pairs)
        return _recoded(body, self._document)

    def _document(self, text: str) -> str:
        value = _structure(text)
        if value is None:
            return self.text(text)
        # Always written anew: of a name that comes twice, only the last was looked at.
        return _dumped(self._json(value, 0))

    def _json(self, value: Json, depth: int) -> Json:
        match value:
            case str():
                return self._document(value) if depth < _DEEPEST else self.text(value)
            case list() | dict() if depth >= _DEEPEST:
                return self.text(_dumped(value))
            case list():
                return [self._json(item, depth + 1) for item in value]
            case dict():
                # A form in JSON, as some providers take one (RFC 6749, section 4.1.3).
                hidden_by = hides_in_a_form if "grant_type" in value else hides
                return {
                    self.text(name): self._all_hidden(item)
                    if hidden_by(name, item)
                    else self._json(item, depth + 1)
                    for name, item in value.items()
                }
            case int() | float() if not isinstance(value, bool):
                text = str(value)
                return value if self.text(text) == text else self._hidden(text)
            case _:
                return value

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


def _structure(text: str) -> list[Json] | dict[str, Json] | None:
    """The JSON object or array that a text is, if it is one."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list | dict) else None


def _dumped(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half of a character can be written as an escape alone.
    return json.dumps(value, separators=(",", ":")) if _SURROGATE.search(text) else text


def _recoded(raw: bytes, scrub: Callable[[str], str]) -> bytes:
    """Bytes after their text was scrubbed; what is no text is taken letter by letter."""
    try:
        return scrub(raw.decode()).encode()
    except UnicodeDecodeError:
        return scrub(raw.decode("latin-1")).encode("latin-1")


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

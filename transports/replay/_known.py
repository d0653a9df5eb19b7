"""The secrets that are known by now, and where they stand in a text.

A secret is known because the program named it, because it was sent as a credential, or because it
stood where only secrets stand. From then on it is looked for everywhere: as a whole in all its
forms, and in large parts. Of one that was split over two fields, or three, a third of it or more
stands in one of them, and what is left without that is not it.

A recording looks through many short texts for many secrets, so these are found by how they begin:
one look at every place of a text, however many are known.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, final

import attrs

from transports._secret import Secret
from transports._sightings import Span, forms, readings
from transports.replay._placeholders import PLACEHOLDER

# What is shorter is a word that stands in many places, and a test's token like `secret` is no loss.
_SHORTEST: Final = 8
_SHORTEST_PART: Final = 8
# Of a secret that is shorter, a part is a word like any other.
_LONG: Final = 16
# A part that is words, or a time, may stand anywhere: `application`, `2026-11-30T20:00`.
_WORD: Final = "[A-Z]?[a-z]{0,14}"
_WORDS: Final = re.compile(rf"{_WORD}(?:[-_./=:]{_WORD})*|[0-9TZ:.+-]+")
# By so many letters the forms are told apart.
_BEGINNING: Final = 4


@attrs.frozen
class Sighting:
    """Where a secret stands in a text."""

    span: Span
    secret: Secret


@attrs.frozen(eq=False)
class _Trace:
    """Something that a secret is recognised by."""

    secret: Secret
    form: Secret
    """What stands in the text."""

    start: int = 0
    """Where in the secret it begins, if it is a part."""

    least: int = 0
    """Letters of the secret that have to stand around it, if it is a part."""

    def span(self, text: str, begin: int) -> Span | None:
        """Where the secret, or the part, is, if it is at this place of a text."""
        if not text.startswith(self.form.reveal(), begin):
            return None
        span = begin, begin + len(self.form.reveal())
        if self.least:
            span = self._extended(text, *span)
            if _WORDS.fullmatch(text, *span):
                return None
        return span if span[1] - span[0] >= self.least else None

    def _extended(self, text: str, begin: int, end: int) -> Span:
        """As much of the secret as the text holds around a part of it."""
        secret = self.secret.reveal()
        before, after = self.start, self.start + end - begin
        while before > 0 and begin > 0 and secret[before - 1] == text[begin - 1]:
            before, begin = before - 1, begin - 1
        while after < len(secret) and end < len(text) and secret[after] == text[end]:
            after, end = after + 1, end + 1
        return begin, end


@final
class KnownSecrets:
    """A growing set of secrets.

    Args:
        named: Those that the program names.

    Raises:
        ValueError: One is so short that it is in every text.
    """

    def __init__(self, named: Iterable[Secret] = ()) -> None:
        self._secrets: set[Secret] = set()
        self._traces: dict[str, list[_Trace]] = {}
        for secret in named:
            if len(secret.reveal()) < _BEGINNING:
                raise ValueError(
                    f"A secret of fewer than {_BEGINNING} letters would be found in any text."
                )
            self._keep(secret)

    def __len__(self) -> int:
        return len(self._secrets)

    def learn(self, secret: Secret) -> None:
        """Look for this from now on, if it is long enough to be told from a word."""
        if len(secret.reveal()) >= _SHORTEST and not PLACEHOLDER.search(secret.reveal()):
            self._keep(secret)

    def _keep(self, secret: Secret) -> None:
        if secret not in self._secrets:
            self._secrets.add(secret)
            for trace in _traces(secret):
                beginning = trace.form.reveal()[:_BEGINNING]
                self._traces.setdefault(beginning, []).append(trace)

    def whole(self, text: str) -> Iterator[Sighting]:
        """Where all of a secret stands, in whatever encoding."""
        return self._sightings(text, parts=False)

    def all(self, text: str) -> Iterator[Sighting]:
        """Where a secret stands, or a large part of one."""
        return self._sightings(text, parts=True)

    def _sightings(self, text: str, *, parts: bool) -> Iterator[Sighting]:
        for reading, places in readings(text):
            ends: dict[Secret, int] = {}
            for begin in range(len(reading) - _BEGINNING + 1):
                for trace in self._traces.get(reading[begin : begin + _BEGINNING], ()):
                    if begin < ends.get(trace.form, 0) or (trace.least and not parts):
                        continue
                    span = trace.span(reading, begin)
                    if span is not None:
                        ends[trace.form] = span[1]
                        yield Sighting((places[span[0]], places[span[1]]), trace.secret)


def _traces(secret: Secret) -> Iterator[_Trace]:
    for form in dict.fromkeys((*forms(secret), *_more_forms(secret))):
        yield _Trace(secret, form)
    length = len(secret.reveal())
    if length >= _LONG:
        least = max(_SHORTEST_PART, -(-length // 3))
        # A part of that length holds one of these pieces whole, wherever it begins.
        size = (least + 1) // 2
        for start in range(0, length - size + 1, size):
            piece = Secret(secret.reveal()[start : start + size])
            yield _Trace(secret, piece, start, least)


def _more_forms(secret: Secret) -> Iterator[Secret]:
    """How a form writes a space, and how bytes look that are taken for letters."""
    spaced = secret.reveal().replace(" ", "+")
    for value in (secret.reveal(), spaced):
        yield Secret(value)
        yield Secret(value.encode("utf-8", "surrogatepass").decode("latin-1"))

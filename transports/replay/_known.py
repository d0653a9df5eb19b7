"""The secrets that are known by now, and where they stand in a text.

A secret is known because the program named it, because it was sent as a credential, or because it
stood where only secrets stand. From then on it is looked for everywhere.
"""

from collections.abc import Iterable, Iterator
from typing import Final, final

import attrs

from transports._secret import Secret
from transports._sightings import Span, forms, fragments, occurrences, readings
from transports.replay._placeholders import PLACEHOLDER

# What is shorter is a word that stands in many places, and a test's token like `secret` is no loss.
SHORTEST: Final = 8


@attrs.frozen
class Sighting:
    """Where a secret stands in a text."""

    span: Span
    secret: Secret


@final
class KnownSecrets:
    """A growing set of secrets.

    Args:
        named: Those that the program names, however short.
    """

    def __init__(self, named: Iterable[Secret] = ()) -> None:
        self._forms: dict[Secret, tuple[Secret, ...]] = {}
        for secret in named:
            self._keep(secret)

    def __len__(self) -> int:
        return len(self._forms)

    def learn(self, secret: Secret) -> None:
        """Look for this from now on, if it is long enough to be told from a word."""
        if len(secret.reveal()) >= SHORTEST and not PLACEHOLDER.search(secret.reveal()):
            self._keep(secret)

    def _keep(self, secret: Secret) -> None:
        if secret and secret not in self._forms:
            self._forms[secret] = (*forms(secret), *_more_forms(secret))

    def whole(self, text: str) -> Iterator[Sighting]:
        """Where all of a secret stands, in whatever encoding."""
        for reading, places in readings(text):
            for secret, its_forms in self._forms.items():
                for form in its_forms:
                    for begin, end in occurrences(form, reading):
                        yield Sighting((places[begin], places[end]), secret)

    def all(self, text: str) -> Iterator[Sighting]:
        """Where a secret stands, or a large part of one."""
        yield from self.whole(text)
        for reading, places in readings(text):
            for secret in self._forms:
                for begin, end in fragments(secret, reading):
                    yield Sighting((places[begin], places[end]), secret)


def _more_forms(secret: Secret) -> Iterator[Secret]:
    """How a form writes a space, and how bytes look that are taken for letters."""
    value = secret.reveal()
    if " " in value:
        yield Secret(value.replace(" ", "+"))
    if not value.isascii():
        yield Secret(value.encode("utf-8", "surrogatepass").decode("latin-1"))

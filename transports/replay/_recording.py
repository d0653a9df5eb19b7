"""What was recorded and is not yet on the disk: scrubbed when it comes, and once more when it goes.

A value may turn out to be a secret later than it was seen: a token is handed out under some name,
and then sent as a credential. So nothing is written before it is asked for, and everything is
scrubbed again then, what others have written too. At last the text itself is searched; if a secret
is still in it nothing is written, and the error says where.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, final

from transports._shapes import SHAPES
from transports.replay._errors import CassetteError, CassetteFormatError, SecretInCassetteError
from transports.replay._files import locked, write
from transports.replay._format import Cassette, dumped, normalised
from transports.replay._interaction import Interaction, Outcome, RecordedFault, RecordedRequest
from transports.replay._known import KnownSecrets
from transports.replay._matching import Part, fingerprint
from transports.replay._merging import merged
from transports.replay._placeholders import PLACEHOLDER
from transports.replay._reading import read
from transports.replay._scrubbing import Scrubber

NOT_OURS: Final = (
    "{} was written by another program and is only played. Record into a new file, or use "
    "mode='none' or 'once'."
)


@final
class Recording:
    """The interactions that one transport has recorded.

    Args:
        path: The file.
        before: What it held when it was read.
        salt: The key of the placeholders.
        scrubber: Takes the secrets out.
        known: The secrets that it knows.
        match_on: The parts by which requests are the same.
        replacing: Does what is recorded take the place of what was there before?
    """

    def __init__(
        self,
        path: Path,
        before: Sequence[Interaction],
        *,
        salt: bytes,
        scrubber: Scrubber,
        known: KnownSecrets,
        match_on: Collection[Part],
        replacing: bool,
    ) -> None:
        self._path = path
        # Of a link, the file that it leads to is replaced.
        self._file = Path(os.path.realpath(path))
        self._before = tuple(before)
        self._salt = salt
        self._scrubber = scrubber
        self._known = known
        self._match_on = match_on
        self._replacing = replacing
        self._slots: list[Interaction | None] = []
        self._written: tuple[Interaction, ...] = ()
        self._saved = True
        self._tried = True

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(one is not None for one in self._slots)

    @property
    def saved(self) -> bool:
        """Is all of it on the disk?"""
        return self._saved

    @property
    def forgotten(self) -> bool:
        """Has nobody asked for what is recorded to be written?"""
        return not self._tried

    def go_on(self) -> None:
        """Keep what the file holds: it is a part of this recording, which somebody has begun."""
        self._replacing = False

    def discard(self) -> None:
        """Forget what is not written."""
        # What is under way has its place, and ends in it.
        self._slots = [None] * len(self._slots)
        self._saved = self._tried = True

    def begin(self) -> int:
        """Keep a place for a request that is sent now: answers come in another order."""
        self._slots.append(None)
        return len(self._slots) - 1

    def end(self, place: int, sent: RecordedRequest, outcome: Outcome, elapsed: float) -> None:
        """Record what became of it, without its secrets."""
        moment = datetime.now(UTC).replace(microsecond=0)
        raw = Interaction(sent, outcome, moment, elapsed)
        self._slots[place] = self._scrubber.interaction(normalised(raw))
        self._saved = self._tried = False

    def save(self) -> None:
        """Write what was recorded; nothing, if all is written.

        Raises:
            CassetteError: It can't be, or a secret would be in it. The file is as it was.
        """
        if self._saved:
            return
        self._tried = True
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with locked(self._file.parent):
                self._write()
        except OSError as error:
            raise CassetteError(
                f"The cassette {self._path} can't be written: {error.strerror}."
            ) from error
        self._saved = True

    def _write(self) -> None:
        ours = [self._scrubber.interaction(one) for one in self._slots if one is not None]
        held = read(self._file) or Cassette(self._before, self._salt)
        if held.salt is None:
            raise CassetteFormatError(NOT_OURS.format(self._path))
        together = merged(
            held.interactions,
            ours,
            self._key,
            before=self._before,
            written=self._written,
            replacing=self._replacing,
        )
        scrubbed = tuple(map(self._scrubber.interaction, together))
        text = dumped(scrubbed, held.salt)
        self._demand_no_secret(scrubbed, text)
        write(self._file, text)
        # As they stand in the file now: what others have recorded may have shown a secret, too.
        self._written = tuple(map(self._scrubber.interaction, ours))
        self._before = tuple(map(self._scrubber.interaction, self._before))

    def _key(self, interaction: Interaction) -> object:
        return fingerprint(interaction.request, self._match_on).alike

    def _demand_no_secret(self, interactions: Sequence[Interaction], text: str) -> None:
        if not self._has_secret(text):
            return
        places = (
            f"{place} of interaction {index}"
            for index, interaction in enumerate(interactions, 1)
            for place, part in _parts(interaction)
            if self._has_secret(part)
        )
        place = next(places, "what is neither a request nor an answer")
        raise SecretInCassetteError(
            f"The cassette {self._path} was not written: a secret would stand in {place}. Send it "
            "in a field that is hidden, or name it in secrets=[...]."
        )

    def _has_secret(self, text: str) -> bool:
        shapes = (found[0] for found in SHAPES.finditer(text))
        like_one = any(not PLACEHOLDER.search(shape) for shape in shapes)
        return like_one or any(True for _ in self._known.whole(text))


def _parts(interaction: Interaction) -> Iterator[tuple[str, str]]:
    request, outcome = interaction.request, interaction.outcome
    yield "the method", request.method
    yield "the URL", request.url
    yield from map(partial(_field, "request"), request.headers)
    yield "the body of the request", (request.body or b"").decode("latin-1")
    if isinstance(outcome, RecordedFault):
        yield "the error's message", outcome.message
    else:
        yield from map(partial(_field, "answer"), outcome.headers)
        yield "the body of the answer", outcome.body.decode("latin-1")


def _field(message: str, field: tuple[str, str]) -> tuple[str, str]:
    return f"a header field of the {message}", ": ".join(field)

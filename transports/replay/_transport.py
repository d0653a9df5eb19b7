"""The transport: plays what was recorded, and records what was not, if it may.

An answer is chosen the moment `send` is called, before anything waits, so of requests that are
sent at the same time each gets the answer that its place in the order gives it. Nothing is written
before `save` or `aclose`: only then it is known what was a secret.
"""

import os
import warnings
from collections.abc import Collection, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self, final, get_args

import anyio
import anyio.lowlevel
import anyio.to_thread

from transports._attempt import Attempt
from transports._base import Request, Response, Transport
from transports._errors import BodyTooLargeError, TransportError
from transports._lifetime import Lifetime
from transports._secret import Secret
from transports.replay._errors import (
    UnrecordedRequestError,
    UnusedInteractionError,
)
from transports.replay._faults import is_recordable, raised_again
from transports.replay._interaction import (
    Interaction,
    RecordedFault,
    RecordedRequest,
    RecordedResponse,
    as_sent,
)
from transports.replay._known import KnownSecrets
from transports.replay._matching import PARTS, Part, Playlist, fingerprint
from transports.replay._mismatch import Unmatched, line
from transports.replay._opening import opened
from transports.replay._placeholders import Placeholders
from transports.replay._recording import Recording
from transports.replay._scrubbing import Scrubber
from transports.replay._settings import (
    Mode,
    WhenStale,
    checked,
    checked_age,
    checked_parts,
)


@final
class ReplayTransport:
    """Plays requests and answers from a file, and records them into it without their secrets.

    ```python
    async with (
        ReplayTransport("cassettes/slack.json", mode="once") as transport,
        Client(app_id="...", service_token="...", transport=transport) as base44,
    ):
        ...
    ```

    The file is vcrpy's version 1 as JSON. vcrpy's in YAML and those of betamax and Ruby's VCR are
    played, too, but not written; YAML needs the extra `yaml`. No code of a file is ever run.

    Where the environment variable `CI` is set, the mode is `none`. A request that has no answer is
    an `UnrecordedRequestError` then, an `AssertionError` that says what is nearest to it.

    Leaving the `async with` block writes what was recorded. If nothing else was raised, it demands
    what `assert_all_recorded` does and, where nothing was to be recorded, `assert_all_played`.

    Args:
        path: The file. The folder is made when it is written.
        mode: `none` plays; `once` records if there is no file; `new_episodes` records what has no
            answer in the file; `all` records everything anew.
        inner: What carries the requests that are recorded; it is not closed with this one. None
            makes an `AiohttpTransport` when it is needed, which is.
        match_on: The parts of requests that have to be the same: `method`, `server`, `path`,
            `query` and `body`. Without `server` a recording plays for another host or port.
        ordered: Must requests come in the order in which they were recorded?
        repeats: May the last answer to a request be given again and again?
        latency: Does an answer take as long as it took when it was recorded?
        max_age: Seconds after which a recording is too old.
        when_stale: What happens then: `warn`, `fail`, or `record` it anew where that may be.
        secrets: Values that must not be written, besides those that look like it: what stands in
            paths, above all. Give them in every mode, so that requests match.
        allow_unused: May answers be left over?

    Raises:
        CassetteFormatError: The file is damaged or no cassette; it is as it was.
        StaleCassetteError: It is too old, and `when_stale` is `fail`.
        TypeError, ValueError: An argument can't be right.

    The file is read here. It is not read again.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        mode: Mode = "none",
        inner: Transport | None = None,
        *,
        match_on: Collection[Part] = PARTS,
        ordered: bool = False,
        repeats: bool = False,
        latency: bool = False,
        max_age: float | None = None,
        when_stale: WhenStale = "warn",
        secrets: Iterable[str | Secret] = (),
        allow_unused: bool = False,
    ) -> None:
        named = _wrapped(secrets)
        del secrets  # A traceback shows the arguments of this frame.
        self._match_on = checked_parts(match_on, PARTS)
        checked("when_stale", when_stale, get_args(WhenStale))
        self._opened = opened(Path(path).absolute(), mode, checked_age(max_age), when_stale)
        self._latency = latency
        self._ordered = ordered
        self._allow_unused = allow_unused
        self._inner = inner
        self._owns_inner = inner is None
        self._unrecorded: list[str] = []
        self._lifetime = Lifetime("replay transport")
        known = KnownSecrets(named)
        self._scrubber = Scrubber(Placeholders(self._opened.salt), known)
        self._playlist = self._played_list(repeats=repeats)
        self._recording = Recording(
            self._opened.path,
            self._opened.interactions,
            salt=self._opened.salt,
            scrubber=self._scrubber,
            known=known,
            match_on=self._match_on,
            replacing=self._opened.mode == "all",
        )

    def _played_list(self, *, repeats: bool) -> Playlist:
        played = self._opened.played
        requests = [one.request for one in played]
        if not self._opened.is_ours:
            # What others have recorded is scrubbed as what is sent, or the two would not be alike.
            requests = [self._scrubber.request(request) for request in requests]
        return Playlist(played, requests, self._match_on, ordered=self._ordered, repeats=repeats)

    @property
    def path(self) -> Path:
        """The file."""
        return self._opened.path

    @property
    def mode(self) -> Mode:
        """The mode that holds, which is `none` where `CI` is set."""
        return self._opened.mode

    @property
    def records(self) -> bool:
        """May a request be sent, and recorded?"""
        return self._opened.records

    @property
    def played(self) -> int:
        """How many answers of the file were given."""
        return self._playlist.played

    @property
    def recorded(self) -> int:
        """How many answers were recorded."""
        return self._recording.count

    @property
    def unused(self) -> tuple[str, ...]:
        """The requests of the file that nobody has sent, such as `GET https://service.example/a`."""
        return tuple(line(interaction.request) for _, interaction in self._playlist.unused())

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """What was said of each request that had no answer: a program may swallow even that."""
        return tuple(self._unrecorded)

    async def send(self, request: Request, /) -> Response:
        """Play the answer to a request, or have it sent and record what comes.

        Raises:
            UnrecordedRequestError: There is no answer, or none that is left.
            TransportError: The error that was recorded, or comes now.
            BodyTooLargeError: The answer's body is larger than the request accepts.
            TransportClosedError: The transport is closed.

        Cancelled, it ends at once. A request that is cancelled while it is recorded is not in the
        recording: nobody knows what would have become of it.
        """
        sent = self._scrubber.request(as_sent(request))
        sought = fingerprint(sent, self._match_on)
        # What has ended before it begins takes no answer from those that come after it.
        over = self._lifetime.closed or request.deadline <= anyio.current_time()
        found = None if over else self._playlist.take(sought)
        if found is None and self.records:
            return await self._recorded(request)
        with self._lifetime.attempt(request) as attempt:
            await anyio.lowlevel.checkpoint()
            if found is None:
                self._unrecorded.append(self._explained(sent))
                raise UnrecordedRequestError(self._unrecorded[-1])
            return await self._play(found, attempt)
        raise self._lifetime.ending(attempt)

    def save(self) -> None:
        """Write what was recorded since the last time; this blocks while it writes.

        Raises:
            CassetteError: It can't be written, or a secret would be in it. The file is as it was.
        """
        self._recording.save()

    def discard(self) -> None:
        """Forget what was recorded and is not written yet, as what a failed test has recorded."""
        self._recording.discard()

    async def aclose(self) -> None:
        """Close the transport, end what is under way, and write what was recorded.

        A second call does nothing new. Cancelled, it writes all the same.

        Raises:
            CassetteError: As `save`.
        """
        self._lifetime.close()
        with anyio.CancelScope(shield=True):
            if self._owns_inner and self._inner is not None:
                await self._inner.aclose()
            await self._lifetime.ended()
            if not self._recording.saved:
                await anyio.to_thread.run_sync(self._recording.save)

    def assert_all_recorded(self) -> None:
        """Demand that every request had an answer, whatever has become of the error.

        Raises:
            UnrecordedRequestError: One had none.
        """
        if self._unrecorded:
            raise UnrecordedRequestError("\n".join(dict.fromkeys(self._unrecorded)))

    def assert_all_played(self) -> None:
        """Demand that every answer of the file was given.

        Raises:
            UnusedInteractionError: One was not; the message names the requests.
        """
        unused = self.unused
        if unused:
            listed = "\n".join(f"    {one}" for one in unused)
            raise UnusedInteractionError(
                f"The cassette {self.path} has answers that nobody asked for:\n{listed}\n"
                "Send these requests, record the cassette anew, or give allow_unused=True."
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
        if kind is None:
            self.assert_all_recorded()
            if not self.records and not self._allow_unused:
                self.assert_all_played()

    def __repr__(self) -> str:
        return (
            f"<ReplayTransport {str(self.path)!r} mode={self.mode!r} "
            f"played={self.played} recorded={self.recorded}>"
        )

    def __del__(self) -> None:
        recording = getattr(self, "_recording", None)
        if recording is not None and recording.forgotten:
            warnings.warn(
                f"{self!r} was never closed: what it has recorded is lost. Use `async with`.",
                ResourceWarning,
                stacklevel=1,
                source=self,
            )

    async def _play(self, interaction: Interaction, attempt: Attempt) -> Response:
        attempt.headers_leave()
        attempt.body_left()
        began = anyio.current_time()
        if self._latency:
            await anyio.sleep(interaction.elapsed)
        outcome = interaction.outcome
        if isinstance(outcome, RecordedFault):
            raise raised_again(outcome, attempt.request)
        if len(outcome.body) > attempt.request.max_body:
            raise attempt.error(BodyTooLargeError, "The body is larger than max_body", "body")
        return Response(
            outcome.status,
            outcome.headers,
            outcome.body,
            elapsed=anyio.current_time() - began,
            source="replay",
        )

    async def _recorded(self, request: Request) -> Response:
        # Without a deadline of its own: what it ends in is for the other transport to say.
        with self._lifetime.attempt(request, anyio.CancelScope()) as attempt:
            place = self._recording.begin()
            began = anyio.current_time()
            attempt.headers_leave()
            try:
                response = await self._carrier().send(request)
            except TransportError as error:
                if is_recordable(error):
                    elapsed = anyio.current_time() - began
                    self._recording.end(place, as_sent(request), _fault(error), elapsed)
                raise
            elapsed = anyio.current_time() - began
            self._recording.end(place, as_sent(request), _answer(response), elapsed)
            return response
        raise self._lifetime.ending(attempt)

    def _carrier(self) -> Transport:
        if self._inner is None:
            from transports.aiohttp import AiohttpTransport  # noqa: PLC0415 - heavy, and rare.

            self._inner = AiohttpTransport()
        return self._inner

    def _explained(self, sent: RecordedRequest) -> str:
        if not self._opened.is_there:
            return (
                f"There is no cassette {self.path}, and the mode is {self.mode!r}"
                f"{' because CI is set' if self._opened.is_forced else ''}: record one with "
                "mode='once'."
            )
        unmatched = Unmatched(
            sent,
            fingerprint(sent, self._match_on),
            self._match_on,
            self.path,
            self._ordered,
        )
        advice = (
            "Send what was recorded, or record this, too, with mode='new_episodes', or everything "
            "anew with mode='all'."
        )
        return unmatched.explained(self._playlist, advice)


def going_on(path: Path) -> ReplayTransport:
    """A transport that plays nothing and adds all that is sent to a recording that was begun.

    Raises:
        CassetteFormatError: The file is damaged or no cassette; it is as it was.
    """
    transport = ReplayTransport(path, "all")
    transport._recording.go_on()  # noqa: SLF001 - it is this module's.
    return transport


def _fault(error: TransportError) -> RecordedFault:
    message = str(error.args[0])
    return RecordedFault(type(error).__name__, message, error.phase, error.maybe_sent)


def _answer(response: Response) -> RecordedResponse:
    return RecordedResponse(response.status, headers=response.headers.fields, body=response.body)


def _wrapped(secrets: Iterable[str | Secret]) -> tuple[Secret, ...]:
    if isinstance(secrets, str | Secret):
        del secrets
        raise TypeError("secrets is a collection of strings, not one.")
    return tuple(one if isinstance(one, Secret) else Secret(one) for one in secrets)

"""What a program records because its environment says so, and who is told what was written.

`connectors record` runs a program with three variables. A mode, for all who record; the path of a
cassette, for `Client.from_env()`; and a file to which every process that has written a cassette
adds a line, so that the command can show what there is. Only what reads the environment anyway
reads them: a `Client(...)` does not.
"""

import atexit
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, final, get_args

from transports import Request, Response, Transport, UnmatchedRequestError

if TYPE_CHECKING:
    from transports.replay import Mode, ReplayTransport

MODE: Final = "BASE44_RECORD_MODE"
"""The variable with the mode; without it nothing is recorded."""

CASSETTE: Final = "BASE44_CASSETTE"
"""The variable with the path of the cassette of `Client.from_env()`."""

RECORDED: Final = "BASE44_RECORDED"
"""The variable with the path of the file that says what was written."""


def cassette_transport(environ: Mapping[str, str]) -> Transport | None:
    """The transport of the cassette that the environment names; None where it names none.

    Raises:
        CassetteError: The cassette can't be used; its file is as it was.
        ValueError: There is no such mode.
    """
    named = environ.get(CASSETTE)
    if not named:
        return None
    from transports.replay import ReplayTransport  # noqa: PLC0415 - rare.
    from transports.replay._transport import going_on  # noqa: PLC0415 - as above.

    path, mode = Path(named).absolute(), record_mode(environ)
    if mode in {"once", "all"} and _was_begun(path, environ):
        # By a client or process before this one. What that has recorded is not for it to play: the
        # tokens in there are none.
        return _Reported(going_on(path), environ)
    return _Reported(ReplayTransport(path, mode), environ)


def record_mode(environ: Mapping[str, str]) -> "Mode":
    """The mode that the environment asks for; `none` where it does not.

    Raises:
        ValueError: There is no such mode.
    """
    from transports.replay import Mode  # noqa: PLC0415 - rare.

    asked = environ.get(MODE) or "none"
    for mode in get_args(Mode):
        if mode == asked:
            found: Mode = mode
            return found
    raise ValueError(f"{MODE} must be one of {', '.join(get_args(Mode))}.")


def report(
    path: Path, environ: Mapping[str, str] = os.environ, *, problem: str | None = None
) -> None:
    """Say that a cassette was written, or why it was not, if somebody wants to know."""
    told = environ.get(RECORDED)
    if not told:
        return
    line = json.dumps([os.fspath(path.absolute()), problem]) + "\n"
    # Whoever wanted to know may have ended meanwhile. Lines of several processes don't mix.
    with suppress(OSError):
        descriptor = os.open(told, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def reported(path: Path) -> Mapping[Path, str | None]:
    """The cassettes of which a file says something, and why they were not written, if so."""
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return {Path(cassette): problem for cassette, problem in lines}


def _was_begun(path: Path, environ: Mapping[str, str]) -> bool:
    """Was a cassette written already since the recording began?"""
    told = environ.get(RECORDED)
    return bool(told) and reported(Path(told or "")).get(path, "") is None


@final
class _Reported:
    """The transport of a cassette, which says what it has written.

    A program that never closes its client loses nothing under `connectors record`, which has said
    that it would record: what is left is written when the program ends.
    """

    def __init__(self, replay: "ReplayTransport", environ: Mapping[str, str]) -> None:
        self._replay = replay
        self._environ = dict(environ)
        if environ.get(RECORDED):
            atexit.register(self._save)

    async def send(self, request: Request, /) -> Response:
        """Have the cassette answer."""
        try:
            return await self._replay.send(request)
        except UnmatchedRequestError as error:
            # The program names no mode: whoever runs it does.
            path = self._replay.path
            added = " --mode new_episodes" if path.exists() else ""
            error.add_note(f"To record it: connectors record --cassette {path}{added} -- COMMAND")
            raise

    async def aclose(self) -> None:
        """Close the cassette, which writes it. Cancelled, it writes all the same.

        Raises:
            CassetteError: It can't be written, or a secret would be in it.
        """
        atexit.unregister(self._save)
        with self._reporting():
            await self._replay.aclose()

    def __repr__(self) -> str:
        return repr(self._replay)

    def _save(self) -> None:
        from transports.replay import CassetteError  # noqa: PLC0415 - it is there already.

        # The program has ended. Who runs it shows what has become of the cassette.
        with suppress(CassetteError), self._reporting():
            self._replay.save()

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        from transports.replay import CassetteError  # noqa: PLC0415 - it is there already.

        try:
            yield
        except CassetteError as error:
            report(self._replay.path, self._environ, problem=str(error))
            raise
        if self._replay.recorded:
            report(self._replay.path, self._environ)

"""`connectors record`: a program with recording on, and what it has written."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs
import click

from connectors._command._child import run
from connectors._command._failures import FAILED, Failure
from connectors._command._options import examples
from connectors._command._output import tell
from connectors._command._scrubbed import scrubbed
from connectors._recordings import CASSETTE, MODE, RECORDED, reported
from transports.replay import CassetteError, Mode
from transports.replay._interaction import RecordedFault
from transports.replay._reading import read
from transports.replay._settings import mode_in

_MODES: Final[tuple[Mode, ...]] = ("once", "new_episodes", "all")


@click.command(
    "record",
    context_settings={"allow_interspersed_args": False},
    epilog=examples(
        "connectors record -- pytest                         the cassettes that are not there yet",
        "connectors record --mode all -- pytest -k slack     some of them anew",
        "connectors record --cassette slack.json -- python report.py",
        "BASE44_CASSETTE=slack.json python report.py         plays that without a network",
    ),
)
@click.option(
    "--mode",
    type=click.Choice(_MODES),
    default="once",
    show_default=True,
    help="Record what has no file yet, or also what a file has no answer for, or everything anew.",
)
@click.option(
    "--cassette",
    metavar="PATH",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where each Client.from_env() of the command records.",
)
@click.argument("program", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(*, mode: Mode, cassette: Path | None, program: tuple[str, ...]) -> int:
    """Run a command with recording on, and show what was written.

    Tests with the fixture connectors_cassette record into a file each, and with --cassette every
    Client.from_env() that has no transport of its own records into that one. What is shown in the
    end, on standard error: each file, how many exchanges it holds, and where secrets were taken
    out of it. The exit code is the command's, or 1 if that is 0 and a file could not be written.
    """
    if mode_in(os.environ, mode) == "none":
        raise Failure(
            "CI is set, so nothing would be recorded, and nothing was run.\n"
            "On a machine of your own: env -u CI connectors record ..."
        )
    with tempfile.TemporaryDirectory(prefix="connectors-record-") as folder:
        told = Path(folder, "recorded")
        told.touch(mode=0o600)
        wanted = _wanted(mode, cassette)
        code = run(program, {**os.environ, **wanted.variables, RECORDED: str(told)})
        cassettes = reported(told)
    for path, problem in cassettes.items():
        _show(path, problem)
    if not cassettes:
        tell(f"Nothing was recorded. {wanted.why_nothing}")
    return code or (FAILED if any(cassettes.values()) else 0)


@attrs.frozen
class _Wanted:
    """What is to be recorded."""

    mode: Mode
    cassette: Path | None
    existed: bool
    """Was the cassette there before?"""

    @property
    def variables(self) -> Mapping[str, str]:
        """What the program is told."""
        named = {} if self.cassette is None else {CASSETTE: str(self.cassette)}
        return {MODE: self.mode, **named}

    @property
    def why_nothing(self) -> str:
        """What may be the reason if nothing was written."""
        if self.existed and self.mode == "once":
            return (
                f"{self.cassette} is there already, and --mode once only plays it: "
                "--mode new_episodes adds to it, and --mode all records it anew."
            )
        if self.cassette is not None:
            return (
                "Only a Client.from_env() without a transport of its own records, when it sends "
                "something that has no answer yet."
            )
        return (
            "Without --cassette only tests with the fixture connectors_cassette record, and with "
            "--mode once only those whose file is not there yet."
        )


def _wanted(mode: Mode, cassette: Path | None) -> _Wanted:
    inherited = os.environ.get(CASSETTE)
    named = cassette or (Path(inherited) if inherited else None)
    # The program may go to another folder.
    path = named.absolute() if named else None
    return _Wanted(mode, path, existed=path is not None and path.exists())


def _show(path: Path, problem: str | None) -> None:
    if problem is not None:
        tell(problem)
        return
    try:
        cassette = read(path)
    except CassetteError as error:
        tell(str(error))
        return
    if cassette is None:
        tell(f"{path} was recorded, and is not there any more.")
        return
    faults = sum(isinstance(one.outcome, RecordedFault) for one in cassette.interactions)
    tell(f"Recorded {path}: {_held(len(cassette.interactions), faults)}.")
    places = scrubbed(cassette.interactions)
    tell("  scrubbed:" if places else "  Nothing in it had to be scrubbed.")
    for place, count in places.items():
        tell(f"    {place}: {count}")


def _held(count: int, faults: int) -> str:
    interactions = "1 interaction" if count == 1 else f"{count} interactions"
    return f"{interactions}, {faults} of them without an answer" if faults else interactions

"""From whatever a command raises to an exit code and a few lines on standard error.

The codes: 0 it worked, 1 it did not, 2 it was asked for wrongly, 130 it was interrupted. `record`
passes on the code of the program that it runs.
"""

import traceback
from collections.abc import Callable
from typing import Final

import click
from click.exceptions import NoArgsIsHelpError

from connectors._command._output import tell
from connectors._errors import ConnectorsError
from connectors._redaction import Redactor
from connectors.local import VaultError

FAILED: Final = 1
WRONG_USAGE: Final = 2
INTERRUPTED: Final = 130


class Failure(click.ClickException):
    """Raised when a command can't do what it was asked to; says what to do next."""


def exit_code(work: Callable[[], object]) -> int:
    """Do the work of a command and say what went wrong; nothing but `SystemExit` gets out."""
    try:
        done = work()
    except Exception as error:  # noqa: BLE001 - a person gets words, not a traceback.
        return _failed(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return done if isinstance(done, int) else 0


def _failed(error: Exception) -> int:
    match error:
        case click.Abort():
            # click makes it of Ctrl-C and of the end of the input alike.
            origin = error.__cause__ or error.__context__
            return INTERRUPTED if isinstance(origin, KeyboardInterrupt) else FAILED
        case NoArgsIsHelpError():
            tell(error.format_message())
            return WRONG_USAGE
        case click.UsageError():
            _tell_error(error.format_message(), _advice(error.ctx))
            return WRONG_USAGE
        case click.ClickException():
            _tell_error(error.format_message())
            return error.exit_code
        case ConnectorsError() | VaultError():
            _tell_error(str(error))
        case OSError():
            _tell_error(": ".join(filter(None, (error.filename, error.strerror or str(error)))))
        case _:
            _tell_error(*_bug(error))
    return FAILED


def _tell_error(first: str, *more: str) -> None:
    # Somebody may have typed a token where it does not belong, and an error repeats what it found.
    redacted = Redactor(()).text("\n".join((f"Error: {first}", *filter(None, more))))
    tell(redacted)


def _advice(context: click.Context | None) -> str:
    return "" if context is None else f"Try '{context.command_path} --help'."


def _bug(error: Exception) -> tuple[str, ...]:
    frames = "".join(traceback.format_exception(error)).splitlines()
    return ("this is a bug in connectors; please report it with these lines:", *frames)

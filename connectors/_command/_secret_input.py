"""How secrets come in: typed where nobody sees them, from a pipe, or from a file.

Never from the command line, which every process of the machine can read and a shell writes down.
A secret is wrapped as it is read, and what is wrong with it is said without it.
"""

import getpass
import sys
from pathlib import Path
from typing import Final

import click

from connectors._command._failures import Failure
from connectors._identity import checked_token
from transports import Secret

# Tokens have at most a few thousand bytes: what is longer is the wrong file.
_LONGEST: Final = 65536


def is_interactive() -> bool:
    """Is there a person to ask?"""
    return sys.stdin is not None and sys.stdin.isatty()


def read_token(display_name: str) -> Secret:
    """An access token, typed or from a pipe.

    Raises:
        click.UsageError: It is none.
    """
    if is_interactive():
        token = typed_secret(f"Access token of {display_name} (it is not shown): ")
    else:
        token = _without_line_end(read_piped())
    if not token:
        raise click.UsageError(
            "There is no token. It is asked for on a terminal, or read from standard input:\n"
            "  connectors connect TYPE < token.txt\n"
            "For a consent in the browser, run it on a terminal and without --with-token."
        )
    demand_short(token)
    try:
        checked_token("The token", token)
    except ValueError as error:
        raise click.UsageError(f"{error} It is the bare token, without 'Bearer'.") from error
    return token


def typed_secret(prompt: str) -> Secret:
    """One line from the terminal, which does not show it; empty at the end of the input."""
    try:
        return Secret(getpass.getpass(prompt))
    except EOFError:
        click.echo(err=True)
        return Secret("")


def secret_from_file(path: str) -> Secret:
    """What a small text file holds, without the end of its last line.

    Raises:
        click.UsageError: It holds too much.
        Failure: It can't be read.
    """
    try:
        with Path(path).open("rb") as file:
            secret = _without_line_end(_text(file.read(_LONGEST + 1)))
    except OSError as error:
        raise Failure(f"The file {path} can't be read: {error.strerror}.") from error
    demand_short(secret)
    return secret


def read_piped() -> Secret:
    """All of standard input, up to more than anything here may have; nothing if there is none."""
    return Secret("") if sys.stdin is None else _text(sys.stdin.buffer.read(_LONGEST + 1))


def demand_short(secret: Secret) -> None:
    """Refuse what is longer than any token, key or secret.

    Raises:
        click.UsageError: It is.
    """
    if len(secret.reveal()) >= _LONGEST:
        raise click.UsageError("That is too long for a token: it must be something else.")


def _text(raw: bytes) -> Secret:
    # What is no text becomes characters that no check lets pass.
    return Secret(raw.decode("utf-8", "surrogateescape"))


def _without_line_end(text: Secret) -> Secret:
    return Secret(text.reveal().removesuffix("\n").removesuffix("\r"))

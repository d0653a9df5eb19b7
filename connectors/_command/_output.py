"""What the command prints: tables and colours on a terminal, plain lines into everything else.

Whatever comes from a vault or a server is text, never markup, and what it has of control characters
is shown instead of obeyed.
"""

import errno
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import compress, count
from typing import Final, TextIO

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from connectors._printable import printable
from connectors.catalog import Integration

NOTHING: Final = "-"
"""What stands in a table where there is nothing."""

# How often a bar moves at most.
_MOVES: Final = 100


class _Closed(io.TextIOBase):
    """A standard output that the command was started without."""

    def write(self, _text: str, /) -> int:
        """Fail as a write to any other output that can't be written to."""
        raise OSError(errno.EBADF, "Standard output is closed")


def write_whatever_comes() -> None:
    """Let no character be an error: where the output can't have it, its escape is written.

    But let it be one that there is no output: then what was asked for is not there.
    """
    if sys.stdout is None:
        sys.stdout = _Closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def tell_no_events() -> None:
    """Let events of the library go unseen that nobody has asked for: the command says it itself."""
    # Without any handler, warnings would go to standard error.
    logging.getLogger("connectors").addHandler(logging.NullHandler())


def shown(value: object) -> str:
    """Text in which every character can be seen: a control character is shown by its escape."""
    return printable(str(value))


def say(text: str) -> None:
    """Print lines of what the command was asked for."""
    click.echo(_lines(text))


def tell(text: str) -> None:
    """Print lines to a person, to standard error."""
    click.echo(_lines(text), err=True)


def _lines(text: str) -> str:
    return "\n".join(shown(line).rstrip() for line in text.split("\n"))


def say_json(data: object) -> None:
    """Print a value as JSON, which in ASCII has no control character."""
    click.echo(json.dumps(data, indent=2))


def say_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: fitted to a terminal, or one line for each row."""
    cells = [tuple(shown(cell) for cell in row) for row in rows]
    if is_terminal(sys.stdout):
        _console(sys.stdout).print(_table(columns, cells))
        return
    lines = [tuple(columns), *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def time_text(seconds: float) -> str:
    """A moment in local time, with its distance from UTC."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def public_values(
    integration: Integration | None, config: Mapping[str, str]
) -> dict[str, str | None]:
    """The values of a configuration, with None for one that may be a secret."""
    fields = integration.connection_config if integration else ()
    # Only what the catalogue knows to be no secret.
    public = {field.name for field in fields if not field.secret}
    return {name: value if name in public else None for name, value in config.items()}


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Show how far something has come, on a terminal with a bar that is gone in the end.

    Yields:
        What is to be called after each step.
    """
    with counting(title) as move:
        yield steps(total, move)


def steps(total: int, move: Callable[[int, int], None]) -> Callable[[], None]:
    """What is to be called after each of so many steps, to move a bar now and then.

    To move it every time would cost more than the steps that are measured here.
    """
    numbers, stride = count(1), max(1, total // _MOVES)

    def step() -> None:
        done = next(numbers)
        if done % stride == 0 or done == total:
            move(done, total)

    move(0, total)
    return step


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far something has come that finds out itself how much there is to do.

    Yields:
        What is to be called with how much is done, and of how much.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with _live(title, *columns) as update:
        yield lambda done, total: update(completed=done, total=total)


@contextmanager
def waiting(title: str) -> Iterator[None]:
    """Show that something is waited for, on a terminal with a line that is gone in the end."""
    with _live(title, SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()):
        yield


@contextmanager
def _live(title: str, *columns: ProgressColumn) -> Iterator[Callable[..., None]]:
    """A line that is drawn again and again on a terminal, and elsewhere written once.

    Yields:
        What is to be called with what has changed in it.
    """
    if not is_terminal(sys.stderr):
        tell(f"{title} ...")
        yield _nothing
        return
    with Progress(*columns, console=_console(sys.stderr), transient=True) as live:
        yield partial(live.update, live.add_task(title, total=None))


def _nothing(**_changes: object) -> None:
    """Draw nothing where nobody looks."""


def is_terminal(stream: TextIO | None) -> bool:
    """Is somebody looking at it, with a terminal that can do more than print lines?"""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def _console(stream: TextIO) -> Console:
    # Without colours there is no bold either: who asks for NO_COLOR wants plain text.
    plain = bool(os.environ.get("NO_COLOR"))
    return Console(file=stream, color_system=None if plain else "auto", highlight=False)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    told = [any(row[index] != NOTHING for row in rows) for index in range(len(columns))]
    # A column of nothing would take its room from the others.
    heads = compress(columns, told)
    table = Table(*heads, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    # What is copied into the next command stays in one piece.
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*map(Text, compress(row, told)))
    return table

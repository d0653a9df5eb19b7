"""What a session tells at its end: of cassettes, and of connections that came between tests."""

import os
from collections.abc import Iterator, Mapping, Sequence

import pytest


def summarize(
    terminal: "pytest.TerminalReporter",
    cassettes: Sequence[Mapping[str, object]],
    strays: Sequence[str],
) -> None:
    """Write the sections that have something to tell."""
    told = sorted(cassettes, key=lambda cassette: str(cassette["path"]))
    _section(terminal, "connectors cassettes", [line for one in told for line in _lines(one)])
    _section(terminal, "real connections between the tests", strays)


def _section(terminal: "pytest.TerminalReporter", title: str, lines: Sequence[str]) -> None:
    if lines:
        terminal.section(title)
        for line in lines:
            terminal.line(line)


def _lines(cassette: Mapping[str, object]) -> Iterator[str]:
    path, unused = os.path.relpath(str(cassette["path"])), cassette["unused"]
    if cassette["recorded"]:
        lost = "" if cassette["kept"] else ", not kept: the test has not passed"
        yield f"{path}: recorded {cassette['recorded']}{lost}"
    if unused:
        assert isinstance(unused, list)
        yield f"{path}: not used: {', '.join(unused)}"

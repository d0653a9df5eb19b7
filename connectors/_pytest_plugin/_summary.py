"""What the session tells at its end of cassettes, and of connections that no test could be told of.

It is read off the reports, which are in one place also when pytest-xdist has run the tests.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

import pytest


def summarize(terminal: pytest.TerminalReporter, strays: list[str]) -> None:
    """Write the sections that have something to tell."""
    reports = [report for group in terminal.stats.values() for report in group]
    told = [getattr(report, "connectors_cassette", None) for report in reports]
    _section(terminal, "connectors cassettes", [*_lines(filter(None, told))])
    _section(terminal, "real connections between the tests", strays)


def _section(terminal: pytest.TerminalReporter, title: str, lines: Sequence[str]) -> None:
    if lines:
        terminal.section(title)
        for line in lines:
            terminal.line(line)


def _lines(cassettes: Iterator[Mapping[str, object]]) -> Iterator[str]:
    for cassette in sorted(cassettes, key=lambda cassette: str(cassette["path"])):
        path, unused = os.path.relpath(str(cassette["path"])), cassette["unused"]
        assert isinstance(unused, list)
        if cassette["recorded"]:
            yield f"{path}: recorded {cassette['recorded']}"
        if unused:
            yield f"{path}: not used: {', '.join(unused)}"

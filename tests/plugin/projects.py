"""Small projects that pytest runs in a process of their own, as their owner would run it."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Final

import attrs

LIMIT: Final = 120
"""Seconds in which such a run has ended, on the slowest machine."""

_MODES: Final = ("BASE44_RECORD_MODE", "CI")


@attrs.frozen
class Run:
    """How a run of pytest has ended."""

    code: int
    summary: str
    """What its last line counts."""

    output: str

    def counts(self, **outcomes: int) -> bool:
        """Is it just this?"""
        said = self.summary.replace("errors", "error").split(", ")
        return {*said} == {f"{number} {outcome}" for outcome, number in outcomes.items()}


@attrs.frozen
class Service:
    """Where a service is that has every connection, and how often it was asked."""

    url: str
    asked: Callable[[], int]

    @property
    def environment(self) -> Mapping[str, str]:
        return {"SERVICE": self.url}


@attrs.frozen
class Project:
    """A folder with tests."""

    folder: Path

    def write(self, name: str, source: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source))

    def run(self, *options: str, environment: Mapping[str, str] | None = None) -> Run:
        """Run it with no plugin but ours and those that are named."""
        inherited = {name: value for name, value in os.environ.items() if name not in _MODES}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-W", "error", "-p", "connectors", *options],
            capture_output=True,
            check=False,
            cwd=self.folder,
            env={**inherited, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **(environment or {})},
            text=True,
            timeout=LIMIT,
        )
        last = done.stdout.rstrip().rpartition("\n")[2].strip("= ").rpartition(" in ")[0]
        return Run(done.returncode, last, done.stdout + done.stderr)

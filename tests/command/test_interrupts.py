"""Ctrl-C ends the command without a traceback, from the first moment on."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command.support import environment

MOMENTS = ["click", "rich.console", "attr", "asyncio", "connectors.local", "connectors._command"]
"""Modules that are imported in this order, from the very beginning to the end."""


@pytest.mark.parametrize("moment", MOMENTS)
def test_while_it_is_still_being_imported(tmp_path: Path, moment: str) -> None:
    # It says in standard error what it has imported, and goes on until it waits for a token.
    command = [sys.executable, "-X", "importtime", "-m", "connectors", "connect", "slack"]
    with subprocess.Popen(
        command,
        env=environment(tmp_path / "vault.db"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.rpartition("|")[2].strip() == moment:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(60) == 130
    assert "Traceback" not in rest
    assert process.stdout is not None


def test_the_package_itself_imports_too_little_to_be_caught_at_it(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "connectors", "--version"]
    ran = subprocess.run(
        command, env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    imported = [line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()]
    before = imported[imported.index("runpy") + 1 : imported.index("connectors") + 1]
    assert before == ["connectors._version", "connectors"]
    assert [name for name in imported if name in MOMENTS] == MOMENTS

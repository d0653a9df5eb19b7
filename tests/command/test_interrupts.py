"""Ctrl-C ends the command without a traceback, from the first moment on."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command.support import environment

# Ctrl-C comes in the worst moment of an import: in a callback, where what is raised is dropped.
IN_A_CALLBACK = """
import os, signal, sys, weakref

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == moment:
            ends = weakref.ref(Finder(), lambda _: os.kill(os.getpid(), signal.SIGINT))

_, moment, *sys.argv[1:] = sys.argv
sys.meta_path.insert(0, Finder())
from connectors.__main__ import main
main()
"""

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
        assert process.stdin is not None
        assert process.stderr is not None
        for line in process.stderr:
            if line.rpartition("|")[2].strip() == moment:
                break
        process.send_signal(signal.SIGINT)
        # Python notices one that comes just before it begins to read when it has read.
        process.stdin.close()
        rest = process.stderr.read()
        assert process.wait(60) == 130
    assert "Traceback" not in rest
    assert process.stdout is not None


@pytest.mark.parametrize("moment", ["click", "connectors._command", "connectors._command._connect"])
def test_in_a_callback_of_an_import(tmp_path: Path, moment: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IN_A_CALLBACK, moment, "connect", "slack"],
        env=environment(tmp_path / "vault.db"),
        input="",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout, ran.stderr.strip()) == (130, "", "")


def test_the_package_itself_imports_too_little_to_be_caught_at_it(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "connectors", "--version"]
    ran = subprocess.run(
        command, env=environment(tmp_path), capture_output=True, text=True, check=True, timeout=60
    )
    imported = [line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()]
    before = imported[imported.index("runpy") + 1 : imported.index("connectors") + 1]
    assert before == ["connectors._version", "connectors"]
    assert [name for name in imported if name in MOMENTS] == MOMENTS

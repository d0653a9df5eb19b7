"""Opening a page, whatever there is to open it with."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command.support import ROOT

URL = "https://example.com/?state=planted"
# Where it is called, the thread that opens it ends with the program.
PROGRAM = f"""
from connectors._command._browser import _open
from transports import Secret
_open(Secret({URL!r}))
"""
_DESKTOP = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "XDG_CURRENT_DESKTOP")


def opened(folder: Path, **variables: str) -> str:
    """What the browsers of a folder have been told to open, when there are no others."""
    inherited = {name: value for name, value in os.environ.items() if name not in _DESKTOP}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**inherited, "PYTHONPATH": str(ROOT), "PATH": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    record = folder / "record"
    return record.read_text() if record.exists() else ""


def browser(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text(f'#!/bin/sh\nprintf %s "$1" > {folder}/record\n')
    path.chmod(0o755)
    return path


def test_the_browser_that_the_environment_names_is_used(tmp_path: Path) -> None:
    path = browser(tmp_path, "mine")
    assert opened(tmp_path, BROWSER=str(path)) == URL


@pytest.mark.parametrize("name", ["www-browser", "lynx", "w3m"])
def test_a_browser_that_would_take_over_the_terminal_is_not_used(tmp_path: Path, name: str) -> None:
    browser(tmp_path, name)
    assert opened(tmp_path) == ""
    assert opened(tmp_path, BROWSER=name) == URL


def test_a_browser_with_windows_of_its_own_is_used(tmp_path: Path) -> None:
    browser(tmp_path, "xdg-open")
    # It goes on by itself, so the record may come a little later than the end of the program.
    opened(tmp_path, DISPLAY=":99")
    assert wait_for(tmp_path / "record") == URL


def wait_for(record: Path) -> str:
    until = time.monotonic() + 60
    while not record.exists() or not record.read_text():
        assert time.monotonic() < until
        time.sleep(0.01)
    return record.read_text()


def test_without_a_browser_nothing_is_opened_and_nothing_said(tmp_path: Path) -> None:
    assert opened(tmp_path) == ""
    assert opened(tmp_path, BROWSER=str(tmp_path / "not-there")) == ""

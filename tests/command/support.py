"""Runs the real command: in a process, on a terminal, or here.

On a terminal it is the leader of a session that the terminal controls, as when a person starts it
there: so a hidden prompt finds its terminal, and Ctrl-C is the terminal's to send.
"""

import fcntl
import os
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import attrs
from click.testing import CliRunner

from connectors._command import run
from connectors.catalog import Integration, integrations

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "connectors")
TOKEN = "xoxb-planted-token-51f0"

_UNSET = (
    "BASE44_APP_ID",
    "BASE44_CASSETTE",
    "BASE44_RECORDED",
    "BASE44_RECORD_MODE",
    "BASE44_VAULT_KEY",
    "CI",
    "COLUMNS",
    "FORCE_COLOR",
    "LINES",
    "NO_COLOR",
)
_ANSI = re.compile(r"\x1b[\[(?][0-9;?]*[A-Za-z]")


def environment(vault: Path, **variables: str) -> dict[str, str]:
    """The environment of a command over a vault of the test's own."""
    inherited = {name: value for name, value in os.environ.items() if name not in _UNSET}
    # Where its own folder is not the current one, as for everybody who has installed it.
    return {**inherited, "PYTHONPATH": str(ROOT), "BASE44_VAULT": str(vault), **variables}


def command(
    vault: Path, *arguments: object, stdin: str = "", **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process of its own, without a terminal."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(vault, **variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def started(vault: Path, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A command that goes on until it is stopped; it is killed if the test does not stop it."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=environment(vault),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@attrs.frozen
class Ran:
    """How a command ended that was run in this process."""

    code: int
    out: str
    err: str


def here(
    vault: Path,
    *arguments: object,
    stdin: str = "",
    catalog: Callable[[], Mapping[str, Integration]] = integrations,
    **variables: str,
) -> Ran:
    """Run the command in this process, without a terminal: quick, where a process is no matter."""
    given = {**dict.fromkeys(_UNSET), "BASE44_VAULT": str(vault), **variables}
    with CliRunner().isolation(input=stdin, env=given) as (out, err, _):
        code = run([str(argument) for argument in arguments], catalog=catalog)
        return Ran(code, out.getvalue().decode(), err.getvalue().decode())


class Terminal:
    """A terminal with the command on it: see what it shows, and type."""

    def __init__(
        self,
        vault: Path,
        *arguments: object,
        columns: int = 100,
        program: Sequence[str] = COMMAND,
        **variables: str,
    ) -> None:
        self._master, slave = os.openpty()
        termios.tcsetwinsize(slave, (40, columns))
        self._process = subprocess.Popen(
            [sys.executable, __file__, *program, *map(str, arguments)],
            env=environment(vault, **{"TERM": "xterm-256color", **variables}),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.raw = ""

    @property
    def pid(self) -> int:
        """The process of the command."""
        return self._process.pid

    @property
    def text(self) -> str:
        """What it has shown so far, without the codes for colours and the cursor."""
        return _ANSI.sub("", self.raw)

    def expect(self, text: str) -> None:
        """Wait until it shows something."""
        until = time.monotonic() + 60
        while text not in self.text:
            assert self._read(until), f"{text!r} is not in {self.text!r}"

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def interrupt(self) -> int:
        """Press Ctrl-C until the command has ended, and return its exit code.

        Python notices one that comes just before it begins to read when it has read.
        """
        for _ in range(60):
            self.type("\x03")
            while self._is_readable(1):
                if not self._read(time.monotonic() + 1):
                    return self._process.wait(60)
        raise AssertionError(f"it does not end: {self.text!r}")

    def wait(self) -> int:
        """Wait until the command has ended, and return its exit code."""
        until = time.monotonic() + 60
        while self._read(until):
            pass
        return self._process.wait(60)

    def echoes(self) -> bool:
        """Does it show what is typed?"""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def _read(self, until: float) -> bool:
        seconds = max(0.0, until - time.monotonic())
        assert self._is_readable(seconds), f"nothing more came after {self.text!r}"
        try:
            read = os.read(self._master, 65536)
        except OSError:  # Linux says that nobody has the other end any more.
            read = b""
        self.raw += read.decode(errors="replace")
        return bool(read)

    def _is_readable(self, seconds: float) -> bool:
        return bool(select.select([self._master], [], [], seconds)[0])


def exported(lines: str) -> Mapping[str, str]:
    """What a shell has after it ran the lines that `connectors dev` prints."""
    script = f"{lines}\nexec env -0"
    ran = subprocess.run(["sh", "-c", script], env={}, capture_output=True, text=True, check=True)
    pairs = (line.partition("=") for line in ran.stdout.split("\0") if line)
    return {name: value for name, _, value in pairs if name.startswith("BASE44_")}


if __name__ == "__main__":
    # Makes the terminal on standard input the one that controls this session.
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.execv(sys.argv[1], sys.argv[1:])

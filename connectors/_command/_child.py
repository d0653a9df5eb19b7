"""Runs another program in the place of this one, and outlives it to say something afterwards.

Ctrl-C in a terminal goes to both, and is the other program's to handle. A signal that came to this
one alone is passed on. So it is the other program that decides when it ends.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final, final

from connectors._command._failures import Failure

_PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM)
# What a shell adds to the number of a signal that has ended a program.
_SIGNALLED: Final = 128


class _NotFoundError(Failure):
    """Raised when a program is not there; the exit code is a shell's."""

    exit_code = 127


class _NotRunError(Failure):
    """Raised when a program can't be run; the exit code is a shell's."""

    exit_code = 126


def run(program: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program until it ends and return its exit code, as a shell has it.

    Raises:
        Failure: It can't be run; the exit code is 127 or 126.
    """
    signals = _Signals()
    with signals.passed_on():
        try:
            process = subprocess.Popen(program, env=environment)  # noqa: S603 - it is asked for.
        except OSError as error:
            kind = _NotFoundError if isinstance(error, FileNotFoundError) else _NotRunError
            raise kind(f"Can't run {program[0]}: {error.strerror or error}.") from error
        with process:
            signals.go_to(process)
            code = process.wait()
    return code if code >= 0 else _SIGNALLED - code


@final
class _Signals:
    """The signals that come while a program runs."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    @contextmanager
    def passed_on(self) -> Iterator[None]:
        """Have none of them end this program."""
        # A shell lets a background process of a script ignore Ctrl-C, which is then for others.
        ours = [one for one in _PASSED_ON if signal.getsignal(one) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._came) for number in ours}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def go_to(self, process: "subprocess.Popen[bytes]") -> None:
        """Pass them on to a process, first those that came before there was one."""
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _came(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and _is_in_front():
            return
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


def _is_in_front() -> bool:
    """Does a terminal send Ctrl-C to this process and to those that it starts?"""
    if sys.platform == "win32":  # pragma: no cover - there is no Windows among the tests' machines.
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)

"""Holds Ctrl-C back while the `connectors` command is imported.

Python drops what is raised in a callback, and the import system has one that it calls for each
module: a Ctrl-C that came in that moment would be printed with a traceback, and would end nothing.
A thread or a process that is started meanwhile would hold it back for good, so nothing starts one.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held() -> Iterator[None]:
    """Have a Ctrl-C that comes meanwhile come at the end, where it raises `KeyboardInterrupt`."""
    if sys.platform == "win32":  # pragma: no cover - there is no Windows among the tests' machines.
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""The event loops that every test runs on.

Time is virtual by default: on asyncio the loop's clock jumps to the next timer when nothing is
ready, on trio it is `MockClock(autojump_threshold=0)`. uvloop has no clock to replace, so there a
sleep is real. A test that uses real sockets, threads or processes needs the real clocks: it is
marked `@on(REAL)` from `tests.loops`.
"""

import faulthandler
import os
import signal

import pytest
import structlog

from tests.loops import EVERY, backend_of

# A project of its own, which `tests/docs` runs as its author would.
collect_ignore = ["example_project"]


@pytest.fixture(params=EVERY)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return backend_of(request.param)


def pytest_configure() -> None:
    # Where it is set nothing is recorded, and some tests record.
    os.environ.pop("CI", None)
    # A shell has what it starts in the background ignore Ctrl-C, and so would every command that a
    # test presses Ctrl-C at.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    # pytest watches each test; this is for what a test has left behind that never ends.
    faulthandler.dump_traceback_later(60, exit=True)


def pytest_runtest_teardown() -> None:
    # `capture_logs` leaves structlog configured, and then events go elsewhere than by default.
    structlog.reset_defaults()

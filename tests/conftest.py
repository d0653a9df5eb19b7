"""The event loops that every test runs on.

Time is virtual by default: on asyncio the loop's clock jumps to the next timer when nothing is
ready, on trio it is `MockClock(autojump_threshold=0)`. uvloop has no clock to replace, so there a
sleep is real. A test that uses real sockets, threads or processes needs the real clocks: it is
marked `@on(REAL)` from `tests.loops`.
"""

import pytest
import structlog

from tests.loops import EVERY


@pytest.fixture(params=EVERY)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


def pytest_runtest_teardown() -> None:
    # `capture_logs` leaves structlog configured, and then events go elsewhere than by default.
    structlog.reset_defaults()

"""The event loops of the tests, as values for anyio's `anyio_backend` fixture."""

import asyncio
import selectors
from collections.abc import Sequence

import pytest
import trio.testing
import uvloop


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: what the loop would have slept is added to its clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or not timeout:
            # Without a timer there is nothing to jump to: only another thread can go on.
            return ready or super().select(timeout)
        self.skipped += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose clock stands still while it works and jumps when it would sleep."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.skipped

    async def shutdown_default_executor(self, _timeout: float | None = None) -> None:
        # Threads end in real time; in virtual time every limit for that has passed at once.
        await super().shutdown_default_executor()


def _trio_in_virtual_time() -> object:
    # A clock of its own for each test: after the sums of other tests' sleeps, ten seconds more are
    # not always ten seconds.
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


ASYNCIO = pytest.param("asyncio", id="asyncio")
UVLOOP = pytest.param(("asyncio", {"loop_factory": uvloop.new_event_loop}), id="uvloop")
TRIO = pytest.param("trio", id="trio")
ASYNCIO_VIRTUAL = pytest.param(("asyncio", {"loop_factory": VirtualTimeLoop}), id="asyncio")
TRIO_VIRTUAL = pytest.param(_trio_in_virtual_time, id="trio")

EVERY = [ASYNCIO_VIRTUAL, UVLOOP, TRIO_VIRTUAL]
"""Virtual time where the loop allows it; a test on these never sleeps for long."""

VIRTUAL = [ASYNCIO_VIRTUAL, TRIO_VIRTUAL]
"""For tests of minutes and hours."""

REAL = [ASYNCIO, UVLOOP, TRIO]
"""For tests with threads, sockets or processes."""

REAL_ASYNCIO = [ASYNCIO, UVLOOP]
"""For tests of what runs on asyncio only."""


def on(backends: Sequence[object]) -> pytest.MarkDecorator:
    """Run a test, or with `pytestmark` a whole module, on these loops."""
    return pytest.mark.parametrize("anyio_backend", backends, indirect=True)


def backend_of(param: object) -> object:
    """What anyio is given for one of the values above."""
    return param() if callable(param) else param

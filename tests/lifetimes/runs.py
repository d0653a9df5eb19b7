"""The event loops of these tests, as what a program starts by itself."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

import anyio
import pytest
import uvloop

Run: TypeAlias = Callable[..., Any]
"""Runs a coroutine function with its arguments in a new event loop."""

RUNS: Final[dict[str, Run]] = {
    "asyncio": partial(anyio.run, backend="asyncio"),
    "uvloop": partial(
        anyio.run, backend="asyncio", backend_options={"loop_factory": uvloop.new_event_loop}
    ),
    "trio": partial(anyio.run, backend="trio"),
}

each_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
each_loop = pytest.mark.parametrize("loop", RUNS)

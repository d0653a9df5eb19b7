"""The event loops of these tests, as what a program starts by itself.

Their other processes import this, so it imports little.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

import anyio
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

LIMIT: Final = 10
"""Seconds in which anything here has happened, on the slowest machine."""

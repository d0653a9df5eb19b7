"""Runs what has to run in another event loop, and never waits for it longer than is reasonable.

A new loop is of the kind of the running one. It runs in a daemon thread: what hangs there can
neither be cancelled nor waited for, but it keeps nobody from going on.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, final

import anyio
import anyio.lowlevel
import attrs

from transports._base import Request, Response, Transport
from transports._errors import TransportError
from transports.testing._promise import outcome, told

LIMIT: Final = 5.0
"""Seconds after which a transport hangs in another loop or process."""

HANGS: Final = "nothing: it keeps the loop from ending"
"""What is found when it can't even be cancelled."""

_T = TypeVar("_T")


@final
@attrs.frozen
class LoopKind:
    """How to run a loop like another one."""

    backend: str
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None

    @classmethod
    def of_the_running_one(cls) -> "LoopKind":
        """Of the loop that the caller is in."""
        loop = anyio.lowlevel.current_token().native_token
        if isinstance(loop, asyncio.AbstractEventLoop):
            return cls("asyncio", type(loop))
        return cls("trio", None)

    def run(self, main: Callable[[], Awaitable[_T]]) -> _T:
        """Run a coroutine function in a new loop, in this thread."""
        options = {"loop_factory": self.loop_factory} if self.loop_factory else {}
        return anyio.run(main, backend=self.backend, backend_options=options)


def in_a_thread(work: Callable[[], str | None], patience: float = 2 * LIMIT) -> str | None:
    """What is found in a thread of its own: what it returns, or that it raises or does not end."""
    found: list[str | None] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001 - it is told, like all that is found.
            found.append(told(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(patience)
    return found[0] if found else HANGS


async def try_in_this_loop(
    transport: Transport, urls: tuple[str, ...], refusal: type[TransportError] | None = None
) -> str | None:
    """What is wrong with a transport that has to answer here, or may refuse; None for nothing."""
    for url in urls:
        found: Response | Exception | None = None
        with anyio.move_on_after(LIMIT) as scope:
            found = await outcome(transport, Request("GET", url))
        if scope.cancelled_caught:
            return f"nothing: after {LIMIT:g} s it waits still"
        answers = isinstance(found, Response) and found.body == url.encode()
        refuses = refusal and isinstance(found, refusal) and not found.maybe_sent
        if not answers and not refuses:
            return told(found)
    return None

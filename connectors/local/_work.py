"""Work on a vault from an event loop: in worker threads, in turns, each piece whole."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar, final

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

from connectors.local._sealing import Database
from connectors.local._session import Session
from connectors.local._threads import certainly, finish

_T = TypeVar("_T")


@final
class Work:
    """Runs pieces of work on a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._limiter: RunVar[CapacityLimiter] = RunVar("connectors.local vault")

    @property
    def state(self) -> str:
        """In a word, for a repr."""
        return self._session.state

    async def run(self, work: Callable[[Database], _T]) -> _T:
        """Do a piece of work; cancelled, it is finished before the caller goes on.

        Raises:
            VaultError: The vault can't be used.
        """
        return await finish(partial(self._session.run, work), self._turns())

    async def aclose(self) -> None:
        """Close the session after the work that is under way, also when cancelled."""
        await certainly(self._session.close, self._turns())

    def _turns(self) -> CapacityLimiter:
        # Waiting for one's turn costs no thread. A limiter belongs to one event loop.
        try:
            return self._limiter.get()
        except LookupError:
            limiter = CapacityLimiter(1)
            self._limiter.set(limiter)
            return limiter

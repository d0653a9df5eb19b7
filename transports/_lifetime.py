"""Whether a transport is open, and what is under way in it.

Closing must end what is under way, and only that. So every `send` runs in a cancel scope of its
own, and closing cancels these scopes: nothing of the caller is cancelled, and what `send` then
raises is an error with a name. Like the scopes, this belongs to one event loop at a time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import anyio

from transports._attempt import Attempt
from transports._base import Request
from transports._errors import TransportClosedError, TransportError


@final
class Lifetime:
    """The attempts of one transport, which end with it.

    Args:
        name: What is said to be closed, like 'mock transport'.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._scopes: set[anyio.CancelScope] = set()
        self._ended: anyio.Event | None = None
        self.closed = False
        """Is it closed?"""

    @contextmanager
    def attempt(
        self, request: Request, scope: anyio.CancelScope | None = None
    ) -> Iterator[Attempt]:
        """Run an attempt until the request's deadline, or until this is closed.

        Args:
            request: What is sent.
            scope: The scope to run it in, with a deadline of its own.

        Code after the `with` block is reached when one of the two has happened, and raises what
        `ending` gives.
        """
        if scope is None:
            scope = anyio.CancelScope(deadline=request.deadline)
        with scope:
            attempt = Attempt(request, scope)
            if self.closed:
                raise self.ending(attempt)
            self._scopes.add(scope)
            try:
                yield attempt
            finally:
                self._scopes.discard(scope)
                if self._ended is not None and not self._scopes:
                    self._ended.set()

    def ending(self, attempt: Attempt) -> TransportError:
        """Why an attempt was ended: this is closed, or its time was over."""
        if self.closed:
            return attempt.error(
                TransportClosedError, f"The {self._name} is closed: make a new one"
            )
        return attempt.timeout()

    def close(self) -> None:
        """Refuse what is to come and end what is under way, in the loop in which it runs."""
        self.closed = True
        for scope in self._scopes:
            scope.cancel("The transport is closed")

    async def ended(self) -> None:
        """Wait until no attempt is under way."""
        if self._scopes:
            self._ended = self._ended or anyio.Event()
            await self._ended.wait()

"""What becomes of a request, whether that is an answer or a fault.

Everything that a route can give is made into an `Outcome`, so that one place asks it, waits before
it and limits it. An outcome knows the attempt: how far a request came decides which timeout ends
it and whether the server could have seen it, in a mock as over a network.
"""

import math
from collections.abc import Awaitable, Callable
from typing import final

import anyio
import attrs

from transports._attempt import Attempt
from transports._base import Request, Response
from transports._errors import ReadTimeoutError


@final
@attrs.frozen(eq=False)
class Outcome:
    """What becomes of a request; it is a handler, too, for whoever wants to call it."""

    _happens: Callable[[Attempt], Awaitable[Response]] = attrs.field(repr=False)

    _is_sent: bool = True
    """Is there a connection, and the request on it? If not, it is still being made."""

    async def of(self, attempt: Attempt, delay: float = 0.0) -> Response:
        """Let it happen, `delay` seconds after the request has come as far as it comes."""
        if self._is_sent:
            attempt.headers_leave()
            attempt.body_left()
        else:
            attempt.connection_begins()
            attempt.dials()
        await silence(attempt, delay)
        return await self._happens(attempt)

    async def __call__(self, request: Request, /) -> Response:
        """Let it happen to a request, until its deadline."""
        with anyio.CancelScope(deadline=request.deadline) as scope:
            attempt = Attempt(request, scope)
            return await self.of(attempt)
        raise attempt.timeout()


async def silence(attempt: Attempt, seconds: float) -> None:
    """Let no byte come for so long; infinity is for ever.

    Raises:
        ReadTimeoutError: It is longer than the request waits for the next bytes.
    """
    read = attempt.request.timeouts.read if attempt.maybe_sent else None
    limit = math.inf if read is None else read
    if seconds < limit:
        return await anyio.sleep(seconds)
    if limit < math.inf:
        await anyio.sleep(limit)
        raise attempt.error(ReadTimeoutError, f"No answer came within {limit} s")
    return await anyio.sleep_forever()

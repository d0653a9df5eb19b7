"""Carries requests to what answers them in this process, with the contract of every transport.

No socket and no server: what the handler answers is the answer. But the deadline, the limit of the
body and closing hold as they do on a wire, so nobody who sends can tell.
"""

from collections.abc import Awaitable, Callable
from typing import final

import anyio
import attrs

from transports import (
    BodyTooLargeError,
    PoolTimeoutError,
    Request,
    Response,
    TransportClosedError,
    within_deadline,
)


@final
class Carrier:
    """What the transports to something in this process have in common.

    Args:
        handle: What answers.
        closed: What is said to whoever sends something after closing.
    """

    def __init__(self, handle: Callable[[Request], Awaitable[Response]], closed: str) -> None:
        self._handle = handle
        self._closed_problem = closed
        self._under_way: dict[anyio.CancelScope, anyio.Event] = {}
        self.closed = False
        """Whether it takes no more requests."""

    async def send(self, request: Request) -> Response:
        """Have a request answered.

        Raises:
            BodyTooLargeError: The answer is larger than the request accepts.
            PoolTimeoutError: The deadline had passed already; nobody was asked.
            ReadTimeoutError: The deadline passed.
            TransportClosedError: It is closed, or was closed meanwhile.

        Cancelled, at the deadline or when it is closed, the handler is cancelled and waited for.
        """
        if self.closed:
            raise self._problem(request, maybe_sent=False)
        if request.deadline <= anyio.current_time():
            raise PoolTimeoutError(
                "The deadline had passed already",
                method=request.method,
                url=request.url,
                phase="pool",
                maybe_sent=False,
            )
        with anyio.CancelScope() as scope:
            self._under_way[scope] = ended = anyio.Event()
            try:
                return await within_deadline(request, self._answer(request))
            finally:
                del self._under_way[scope]
                ended.set()
        raise self._problem(request, maybe_sent=True)

    async def aclose(self) -> None:
        """End what is under way. It may be repeated."""
        self.closed = True
        under_way = tuple(self._under_way.items())
        for scope, _ in under_way:
            scope.cancel()
        for _, ended in under_way:
            await ended.wait()

    async def _answer(self, request: Request) -> Response:
        began = anyio.current_time()
        response = await self._handle(request)
        if len(response.body) > request.max_body:
            raise BodyTooLargeError(
                f"The body is larger than {request.max_body} bytes",
                method=request.method,
                url=request.url,
                phase="body",
                maybe_sent=True,
            )
        return attrs.evolve(response, elapsed=anyio.current_time() - began, source="local")

    def _problem(self, request: Request, *, maybe_sent: bool) -> TransportClosedError:
        return TransportClosedError(
            self._closed_problem,
            method=request.method,
            url=request.url,
            phase="headers" if maybe_sent else "pool",
            maybe_sent=maybe_sent,
        )

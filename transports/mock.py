"""A transport that answers from the test's own words, in memory.

It is given to a client like every other transport, so nothing is patched and all of the client
runs: encoding, coalescing, retries, errors. A request that nothing answers is an
`AssertionError`, which no retry and no `except TransportError` swallows.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import TypeAlias, final

import anyio
import anyio.lowlevel
import attrs

from transports._base import Request, Response, within_deadline, without_query
from transports._errors import TransportClosedError, UnmatchedRequestError
from transports._headers import FieldValue, Headers

Handler: TypeAlias = Callable[[Request], Response | Awaitable[Response]]
"""Answers a request, at once or as a coroutine; what it raises is raised by `send`."""

Answer: TypeAlias = Response | Exception | Handler
"""What a route gives: a response, an error to raise, or a handler."""


def json_response(
    data: object, status: int = 200, headers: Mapping[str, FieldValue] | None = None
) -> Response:
    """A response whose body is `data` as JSON."""
    fields = Headers({"content-type": "application/json"}).merged(headers or {})
    return Response(status, fields, json.dumps(data).encode(), source="mock")


@attrs.define
class Call:
    """One request that reached a mock, and how it ended; neither answer nor error: cancelled."""

    request: Request
    """What was sent, headers included."""

    response: Response | None = None
    """What was answered."""

    error: Exception | None = None
    """What was raised instead."""


@final
class MockTransport:
    """Answers requests from routes and a handler, and keeps a log of them.

    The newest route that matches answers; where none does, the handler; where there is no handler,
    `UnmatchedRequestError` says which routes there are. It runs on asyncio and trio and has the
    contract of every transport: a deadline ends a request, and after `aclose` nothing is sent.
    """

    def __init__(self, handler: Handler | None = None) -> None:
        self._handler = handler
        self._routes: dict[tuple[str, str], Answer] = {}
        self._closed = False
        self.calls: list[Call] = []
        """Every request so far, in the order in which they came."""

    def route(self, method: str, url: str, answer: Answer) -> None:
        """Answer requests of a method and URL; again for the same two replaces the answer.

        Args:
            method: The method, in capital letters.
            url: The absolute URL, or its path alone to match on every server. Percent-encoding
                and query count as they stand.
            answer: A `Response`, an exception to raise, or a function that takes the request.
        """
        self._routes.pop((method, url), None)
        self._routes[method, url] = answer

    async def send(self, request: Request, /) -> Response:
        """Answer a request and log it.

        Raises:
            UnmatchedRequestError: Nothing answers it.
            ReadTimeoutError: Its deadline passed while a handler was at work.
            TransportClosedError: The transport is closed.
        """
        if self._closed:
            raise TransportClosedError(
                "The mock transport is closed",
                method=request.method,
                url=request.url,
                phase="pool",
                maybe_sent=False,
            )
        call = Call(request)
        self.calls.append(call)
        try:
            call.response = await within_deadline(request, self._answer(request))
        except Exception as error:
            call.error = error
            raise
        return call.response

    async def aclose(self) -> None:
        """Close the transport: every later `send` fails. A second call does nothing."""
        self._closed = True

    async def _answer(self, request: Request) -> Response:
        await anyio.lowlevel.checkpoint()
        began = anyio.current_time()
        answer = self._find(request)
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, Response):
            given = answer(request)
            answer = await given if isawaitable(given) else given
        elapsed = anyio.current_time() - began
        return attrs.evolve(answer, elapsed=elapsed, source="mock")

    def _find(self, request: Request) -> Answer:
        path = "/" + request.url.split("/", 3)[3] if request.url.count("/") > 2 else "/"
        for (method, url), answer in reversed(self._routes.items()):
            if method == request.method and url in {request.url, path}:
                return answer
        if self._handler is not None:
            return self._handler
        raise UnmatchedRequestError(self._unmatched(request))

    def _unmatched(self, request: Request) -> str:
        known = "".join(f"\n  {method} {without_query(url)}" for method, url in self._routes)
        return (
            f"No route of the mock transport answers {request.method} {without_query(request.url)}."
            f" Add one with route({request.method!r}, ...). Its routes:{known or ' none'}"
        )

"""A transport that answers from the test's own words, in memory.

It is given to a client like every other transport, so nothing is patched and all of the client
runs: encoding, coalescing, retries, errors. A request that nothing answers is an
`AssertionError`, which no retry and no `except TransportError` swallows.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import TypeAlias, final
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import attrs

from transports._attempt import Attempt
from transports._base import Request, Response
from transports._checks import method_problem, url_problem, without_query
from transports._errors import BodyTooLargeError, UnmatchedRequestError
from transports._headers import FieldValue, Headers
from transports._lifetime import Lifetime

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
    `UnmatchedRequestError` names the nearest route. It runs on asyncio and trio and has the
    contract of every transport: a deadline ends a request, and so does `aclose`.
    """

    def __init__(self, handler: Handler | None = None) -> None:
        self._handler = handler
        self._routes: dict[tuple[str, str], Answer] = {}
        self._lifetime = Lifetime("mock transport")
        self.calls: list[Call] = []
        """Every request so far, in the order in which they came."""

    def route(self, method: str, url: str, answer: Answer) -> None:
        """Answer requests of a method and URL; again for the same two replaces the answer.

        Args:
            method: The method, in capital letters.
            url: The absolute URL, or its path alone to match on every server. Percent-encoding
                and query count as they stand.
            answer: A `Response`, an exception to raise, or a function that takes the request.

        Raises:
            TypeError: The answer is none of the three.
            ValueError: No request could ever match.
        """
        path_alone = isinstance(url, str) and url.startswith("/")
        problem = method_problem(method) or url_problem(f"http://host{url}" if path_alone else url)
        if problem:
            raise problem
        if isinstance(answer, type) or not (
            isinstance(answer, Response | Exception) or callable(answer)
        ):
            raise TypeError("A route answers with a Response, an exception or a function.")
        self._routes.pop((method, url), None)
        self._routes[method, url] = answer

    async def send(self, request: Request, /) -> Response:
        """Answer a request and log it.

        Raises:
            UnmatchedRequestError: Nothing answers it.
            TransportTimeoutError: Its deadline passed, before a handler was asked or while it was
                at work.
            BodyTooLargeError: The answer's body is larger than the request accepts.
            TransportClosedError: The transport is closed.
        """
        with self._lifetime.attempt(request) as attempt:
            return await self._logged(attempt)
        raise self._lifetime.ending(attempt)

    async def aclose(self) -> None:
        """Close the transport and end what is under way. A second call does nothing."""
        self._lifetime.close()

    async def _logged(self, attempt: Attempt) -> Response:
        call = Call(attempt.request)
        self.calls.append(call)
        try:
            call.response = await self._answer(attempt)
        except Exception as error:
            call.error = error
            raise
        return call.response

    async def _answer(self, attempt: Attempt) -> Response:
        await anyio.lowlevel.checkpoint()
        attempt.headers_leave()
        attempt.body_left()
        began = anyio.current_time()
        answer = self._find(attempt.request)
        if isinstance(answer, Exception):
            # One exception may be raised often: it does not carry the frames of last time.
            raise answer.with_traceback(None)
        given = answer if isinstance(answer, Response) else answer(attempt.request)
        response = given if isinstance(given, Response) else await _awaited(given)
        if len(response.body) > attempt.request.max_body:
            raise attempt.error(BodyTooLargeError, "The body is larger than max_body", "body")
        return attrs.evolve(response, elapsed=anyio.current_time() - began, source="mock")

    def _find(self, request: Request) -> Answer:
        matching = {request.url, _path(request.url)}
        for (method, url), answer in reversed(self._routes.items()):
            if method == request.method and url in matching:
                return answer
        if self._handler is not None:
            return self._handler
        raise UnmatchedRequestError(_unmatched(request, list(self._routes)))


async def _awaited(given: object) -> Response:
    response = await given if isawaitable(given) else given
    if not isinstance(response, Response):
        raise TypeError(f"A handler gives a Response, not {type(response).__name__}.")
    return response


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _unmatched(request: Request, routes: list[tuple[str, str]]) -> str:
    asked = f"{request.method} {without_query(request.url)}"
    if not routes:
        return f"The mock transport has no routes: add one for {asked}."
    method, url = max(routes, key=lambda route: len(_agreeing(request, *route)))
    agreeing = _agreeing(request, method, url)
    differing = " and ".join(part for part in _PARTS if part not in agreeing)
    return (
        f"No route of the mock transport answers {asked}. The nearest of {len(routes)}, "
        f"{method} {without_query(url)}, has another {differing}. Add a route for it."
    )


_PARTS = ("method", "server", "path", "query")


def _agreeing(request: Request, method: str, url: str) -> set[str]:
    asked, known = urlsplit(request.url), urlsplit(url)
    same = (
        method == request.method,
        not known.netloc or (known.scheme, known.netloc) == (asked.scheme, asked.netloc),
        (known.path or "/") == (asked.path or "/"),
        known.query == asked.query,
    )
    return {part for part, agrees in zip(_PARTS, same, strict=True) if agrees}

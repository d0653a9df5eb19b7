"""The mock itself: finds the answer to a request, gives it, and remembers both.

A call is logged and takes its answer in one step, so the log is the order in which answers were
given. From there on it is an attempt like any other: the deadline ends it, and so does `aclose`.
"""

import math
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, final

import anyio
import anyio.lowlevel
import attrs
from attrs import NOTHING

from transports._attempt import Attempt
from transports._base import Request, Response
from transports._checks import Problem, number_problem
from transports._errors import BodyTooLargeError, UnmatchedRequestError
from transports._headers import FieldValue
from transports._lifetime import Lifetime
from transports.mock._answers import Answer, Handler, answers_problem, outcome_of
from transports.mock._conditions import Conditions, conditions
from transports.mock._log import Call, Route
from transports.mock._messages import unkept, unmatched
from transports.mock._stubs import Stub


@final
class MockTransport:
    """Answers requests from routes and a handler, and keeps a log of them.

    The newest route that matches and is not used up answers; where none does, the handler; where
    there is no handler, `UnmatchedRequestError` names the nearest route. It runs on asyncio and
    trio and has the contract of every transport: a deadline ends a request, and so does `aclose`.

    At the end of `async with` it is closed, and `assert_all_called` is called if the block has not
    raised anything.
    """

    def __init__(self, handler: Handler | None = None) -> None:
        self._handler = handler
        self._stubs: list[Stub] = []
        self._unmatched: list[str] = []
        self._lifetime = Lifetime("mock transport")
        self.calls: list[Call] = []
        """Every request so far, in the order in which they came."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
        if error is None:
            self.assert_all_called()

    def route(
        self,
        method: str,
        url: str,
        answer: Answer | Sequence[Answer],
        *,
        query: Mapping[str, str | Sequence[str]] | None = None,
        json: object = NOTHING,
        headers: Mapping[str, FieldValue] | None = None,
        times: int | None = None,
        optional: bool = False,
        delay: float = 0.0,
    ) -> Route:
        """Answer requests that match; again for the same ones replaces the answer.

        Args:
            method: The method, in capital letters.
            url: The absolute URL, or its path alone to match on every server. Percent-encoding
                counts as it stands. In the path, `{name}` is any one segment and `{name:path}` all
                that is left. Without a query it matches only requests without one, and with `?*`
                at its end any query.
            answer: A `Response`, an exception to raise, a function that takes the request, or one
                of the `faults`; in a list or tuple, each of them is given once, in turn.
            query: The fields of the query, if they don't stand in the URL. The order of different
                names does not count.
            json: The value that the body must have.
            headers: Fields that the request must have, beside any others.
            times: How many calls there must be, and no more are answered; by default it is one at
                least.
            optional: There may be fewer.
            delay: Seconds before each answer, on the clock of the event loop; the request's
                `timeouts.read` and its deadline end it as they end a wait for a slow server.

        Raises:
            TypeError: The answer is none of these, or a condition is no JSON or no header field.
            ValueError: No request could ever match, or the numbers make no sense.
        """
        in_turn = isinstance(answer, list | tuple)
        answers = tuple(answer) if isinstance(answer, list | tuple) else (answer,)
        asked = conditions(method, url, query, json, headers or {})
        problem = (
            (None if isinstance(asked, Conditions) else asked)
            or answers_problem(answers)
            or _numbers_problem(times, delay, len(answers) if in_turn else None)
        )
        if problem:
            del url, query, json, headers
            raise problem
        assert isinstance(asked, Conditions)
        self._stubs = [stub for stub in self._stubs if stub.conditions != asked]
        route = Route(method, url, times, optional)
        self._stubs.append(Stub(route, asked, answers, in_turn, delay))
        return route

    async def send(self, request: Request, /) -> Response:
        """Answer a request and log it.

        Raises:
            UnmatchedRequestError: Nothing answers it.
            TransportTimeoutError: Its deadline passed, before it was answered or while a handler
                was at work, or a delay was longer than its limit.
            BodyTooLargeError: The answer's body is larger than the request accepts.
            TransportClosedError: The transport is closed.
        """
        call = Call(request)
        try:
            call.response = await self._attempted(call)
        except Exception as error:
            call.error = error
            raise
        return call.response

    async def aclose(self) -> None:
        """Close the transport and end what is under way. A second call does nothing."""
        self._lifetime.close()

    def assert_all_called(self) -> None:
        """Check that every request was answered and every route called as often as it should be.

        Raises:
            AssertionError: It lists what is missing, on both sides. A request that nothing answered
                is among it even if the code under test has swallowed its error.
        """
        message = unkept(self._unmatched, self._stubs)
        if message:
            raise AssertionError(message)

    async def _attempted(self, call: Call) -> Response:
        with self._lifetime.attempt(call.request) as attempt:
            self.calls.append(call)
            if anyio.current_effective_deadline() <= anyio.current_time():
                # Nobody waits for it any more: it ends here, and takes no answer from the others.
                await anyio.lowlevel.checkpoint()
            return await self._answered(attempt, *self._find(call))
        raise self._lifetime.ending(attempt)

    async def _answered(self, attempt: Attempt, answer: Answer, delay: float) -> Response:
        began = anyio.current_time()
        response = await outcome_of(answer).of(attempt, delay)
        if len(response.body) > attempt.request.max_body:
            raise attempt.error(BodyTooLargeError, "The body is larger than max_body", "body")
        return attrs.evolve(response, elapsed=anyio.current_time() - began, source="mock")

    def _find(self, call: Call) -> tuple[Answer, float]:
        for stub in reversed(self._stubs):
            if not stub.is_used_up and stub.matches(call.request):
                return stub.take(call), stub.delay
        if self._handler is not None:
            return self._handler, 0.0
        self._unmatched.append(unmatched(call.request, self._stubs))
        raise UnmatchedRequestError(self._unmatched[-1])


def _numbers_problem(times: int | None, delay: float, answers: int | None) -> Problem:
    if not (isinstance(delay, int | float) and 0 <= delay < math.inf):
        return ValueError(f"delay must be a number of seconds from 0, not {delay!r}.")
    if times is None:
        return None
    if answers not in {None, times}:
        return ValueError(f"{answers} answers, each given once, are not for {times!r} calls.")
    return number_problem("times", times, int, 1)

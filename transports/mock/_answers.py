"""What a test can answer with, and how each kind of it becomes an outcome."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from inspect import isawaitable
from typing import TypeAlias

from transports._attempt import Attempt
from transports._base import Request, Response
from transports._checks import Problem
from transports._headers import FieldValue, Headers
from transports.mock._outcomes import Outcome

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


def answers_problem(answers: Sequence[object]) -> Problem:
    """There is at least one, and each is of a kind that can be given."""
    if not answers:
        return ValueError("A sequence of answers needs one at least.")
    if all(map(_is_answer, answers)):
        return None
    return TypeError(
        "A route answers with a Response, an exception or a function, or with a list of these."
    )


def _is_answer(answer: object) -> bool:
    return not isinstance(answer, type) and (
        isinstance(answer, Response | Exception) or callable(answer)
    )


def outcome_of(answer: Answer) -> Outcome:
    """What becomes of a request that gets this answer."""
    if isinstance(answer, Outcome):
        return answer

    async def happens(attempt: Attempt) -> Response:
        if isinstance(answer, Exception):
            # One exception may be raised often: it does not carry the frames of last time.
            raise answer.with_traceback(None)
        given = answer if isinstance(answer, Response) else answer(attempt.request)
        return given if isinstance(given, Response) else await _awaited(given)

    return Outcome(happens)


async def _awaited(given: object) -> Response:
    response = await given if isawaitable(given) else given
    if not isinstance(response, Response):
        raise TypeError(f"A handler gives a Response, not {type(response).__name__}.")
    return response

"""A route with what it does: which requests it takes, and what it gives them.

A call takes its answer as it comes in, without a pause, so that calls at the same time get the
answers of a sequence in the order in which the log has them.
"""

from typing import final

import attrs

from transports._base import Request
from transports.mock._answers import Answer
from transports.mock._conditions import Conditions
from transports.mock._decoding import raw_path_of
from transports.mock._log import Call, Route


@final
@attrs.frozen(eq=False)
class Stub:
    """One route at work."""

    route: Route
    """What the test holds of it."""

    conditions: Conditions
    """What it asks of a request."""

    answers: tuple[Answer, ...]
    """What it gives."""

    in_turn: bool
    """Is each answer given once? If not, the only one is given to all."""

    delay: float
    """Seconds that every answer takes."""

    @property
    def name(self) -> str:
        """The route as the test has written it, without values."""
        query = ["query"] if self.conditions.query and "?" not in self.route.url else []
        json = ["json"] if self.conditions.json else []
        asks = ", ".join([*query, *json, *map(repr, self.conditions.headers)])
        return f"{self.route} with {asks}" if asks else str(self.route)

    @property
    def limit(self) -> int | None:
        """How many calls it takes; None is any number."""
        return len(self.answers) if self.in_turn else self.route.times

    @property
    def is_used_up(self) -> bool:
        """Has it taken all calls that it takes?"""
        return self.limit is not None and len(self.route.calls) >= self.limit

    @property
    def least(self) -> int:
        """How many calls it is to get at least."""
        return 0 if self.route.optional else self.route.times or 1

    def take(self, call: Call) -> Answer:
        """Give a call its answer."""
        answer = self.answers[len(self.route.calls) if self.in_turn else 0]
        call.route = self.route
        call.params = self.conditions.path.params(raw_path_of(call.request.url))
        self.route.calls.append(call)
        return answer

    def matches(self, request: Request) -> bool:
        """Is a request one of its, used up or not?"""
        return not self.conditions.differences(request)

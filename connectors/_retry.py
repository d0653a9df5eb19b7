"""When a request is sent again: a schedule that is pure, and one loop that sleeps.

A retry is a guess that costs somebody else. So it needs three permissions: the failure must be one
that may pass, the request must be safe to send again, which it is when the server has certainly
not seen it or when it is idempotent, and the budget of the origin must not be used up, so that an
outage is not multiplied by three. One deadline spans all attempts and the sleeps between them.

The sleep is the caller's to cancel and is never shielded. A server that asks for more patience
than there is gets no second request: the caller is told at once, and how long to wait.
"""

import math
import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias, final

import anyio
import attrs

from connectors._events import emit, is_heard
from transports import Headers, Request, Response, Transport, TransportError

Result: TypeAlias = Response | TransportError
"""How an attempt ended."""

Random: TypeAlias = Callable[[], float]
"""Gives a number from 0 up to 1."""

_BUSY: Final = frozenset({429, 503})
"""The server says that it has not done it (RFC 6585, section 4; RFC 9110, section 15.6.4)."""

_PASSING: Final = frozenset({408, 425, 500, 502, 504})
"""It may pass, and the server may have done it before it failed."""

_ORIGIN: Final = re.compile(r"[a-z]+://[^/?]*")
"""Scheme, host and port of a URL."""

_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")

# Far above every limit of a delay, and no number is too large for it.
_MOST_DOUBLINGS: Final = 64


def _some_attempts(_: object, field: "attrs.Attribute[int]", attempts: int) -> None:
    if not isinstance(attempts, int):
        raise TypeError(f"{field.name} must be an int, not {type(attempts).__name__}.")
    if attempts < 1:
        raise ValueError(f"{field.name} must be 1 or more, not {attempts}.")


def _some_time(_: object, field: "attrs.Attribute[float]", seconds: float) -> None:
    if not isinstance(seconds, int | float):
        raise TypeError(f"{field.name} must be a number, not {type(seconds).__name__}.")
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{field.name} must be a number of seconds from 0, not {seconds}.")


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often and how patiently a request is sent again. All times are in seconds."""

    attempts: int = attrs.field(default=3, validator=_some_attempts)
    """Attempts in all; 1 is no retry."""

    base_delay: float = attrs.field(default=0.25, validator=_some_time)
    """The upper end of the first random delay; it doubles with each attempt."""

    busy_delay: float = attrs.field(default=1.0, validator=_some_time)
    """The same after 429 and 503, where the server has said that it is too much."""

    max_delay: float = attrs.field(default=8.0, validator=_some_time)
    """No random delay is longer."""

    max_retry_after: float = attrs.field(default=60.0, validator=_some_time)
    """A server that asks for a longer wait gets none: the call fails with `retry_after`."""


NO_RETRY: Final = RetryPolicy(attempts=1)


@final
class RetryBudget:
    """What an origin may cost in retries: 100 tokens, 10 for a retry, 1 back for a success."""

    _FULL: Final = 100
    _PRICE: Final = 10

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}
        self._told: set[str] = set()

    def spend(self, origin: str) -> bool:
        """Take the price of a retry; False when there is too little left, logged once."""
        left = self._tokens.get(origin, self._FULL)
        if left < self._PRICE:
            self._tell(origin)
            return False
        self._tokens[origin] = left - self._PRICE
        self._told.discard(origin)
        return True

    def earn(self, origin: str) -> None:
        """Give back a little for a success."""
        if origin in self._tokens:
            self._tokens[origin] = min(self._FULL, self._tokens[origin] + 1)

    def _tell(self, origin: str) -> None:
        if origin not in self._told:
            self._told.add(origin)
            emit("warning", "connectors.retry_budget_exhausted", origin=origin)


@attrs.frozen
class Outcome:
    """How a request ended after all its attempts."""

    result: Result
    """The last answer or failure."""

    attempts: int
    """How often it was tried."""

    retry_after: float | None
    """Seconds that the server asked to wait."""


def retry_after(headers: Headers, now: float) -> float | None:
    """The seconds that a server asks to wait; what is malformed counts as not there.

    Reads `retry-after-ms`, which is the more exact, and both forms of `Retry-After` (RFC 9110,
    section 10.2.3). A date is compared with the answer's own `Date`, so that a wrong clock on this
    side does not matter. Of a field that came more than once, the longest wait holds.

    Args:
        headers: The fields of the answer.
        now: Unix time in seconds, for an answer without `Date`.
    """
    milliseconds = max(_numbers(headers, "retry-after-ms"), default=None)
    if milliseconds is not None:
        return milliseconds / 1000
    since = next(_unix_times(headers, "date"), now)
    waits = (max(0.0, until - since) for until in _unix_times(headers, "retry-after"))
    return max((*_numbers(headers, "retry-after"), *waits), default=None)


def next_delay(
    policy: RetryPolicy,
    request: Request,
    result: Result,
    *,
    attempt: int,
    asked: float | None,
    left: float,
    chance: Random,
) -> float | None:
    """The seconds until the next attempt, or None when there must be none.

    Args:
        policy: How often and how patiently.
        request: What was sent.
        result: How the attempt ended.
        attempt: Which one it was, from 1.
        asked: The seconds that the server asked to wait.
        left: The seconds until the deadline.
        chance: Spreads the callers, so that they don't come back together.
    """
    if attempt >= policy.attempts or not _may_repeat(request, result):
        return None
    base = policy.busy_delay if _status(result) in _BUSY else policy.base_delay
    delay = chance() * min(policy.max_delay, base * 2 ** min(attempt - 1, _MOST_DOUBLINGS))
    if asked is not None:
        if asked > policy.max_retry_after:
            return None
        delay = max(delay, asked * (1 + 0.1 * chance()))
    return delay if delay < left else None


async def send_with_retries(
    transport: Transport,
    request: Request,
    policy: RetryPolicy,
    budget: RetryBudget,
    *,
    request_id: str,
) -> Outcome:
    """Send a request until an attempt is final.

    What the transport raises besides `TransportError` passes through, and so does cancellation,
    which ends an attempt or a sleep at once.
    """
    origin = _origin(request.url)
    attempt = 0
    while True:
        attempt += 1
        result = await _attempt(transport, request)
        _report(request, result, attempt=attempt, request_id=request_id)
        if _status(result) // 100 == 2:  # noqa: PLR2004 - the family of successes.
            budget.earn(origin)
            return Outcome(result, attempt, None)
        asked = retry_after(result.headers, time.time()) if isinstance(result, Response) else None
        left = request.deadline - anyio.current_time()
        delay = next_delay(
            policy, request, result, attempt=attempt, asked=asked, left=left, chance=random.random
        )
        if delay is None or not budget.spend(origin):
            return Outcome(result, attempt, asked)
        _announce(request, result, attempt=attempt, request_id=request_id, delay=delay)
        await anyio.sleep(delay)


def _origin(url: str) -> str:
    found = _ORIGIN.match(url)
    assert found is not None
    return found[0]


async def _attempt(transport: Transport, request: Request) -> Result:
    try:
        return await transport.send(request)
    except TransportError as error:
        return error


def _may_repeat(request: Request, result: Result) -> bool:
    if isinstance(result, Response):
        return result.status in _BUSY or (request.idempotent and result.status in _PASSING)
    return result.retryable and (request.idempotent or not result.maybe_sent)


def _status(result: Result) -> int:
    return result.status if isinstance(result, Response) else 0


def _report(request: Request, result: Result, *, attempt: int, request_id: str) -> None:
    if not is_heard("debug"):
        return
    elapsed = round(result.elapsed, 6) if isinstance(result, Response) else None
    facts = _facts(request, result, attempt, request_id)
    emit("debug", "connectors.request", **facts, elapsed=elapsed)


def _announce(
    request: Request, result: Result, *, attempt: int, request_id: str, delay: float
) -> None:
    facts = _facts(request, result, attempt, request_id)
    emit("info", "connectors.retry", **facts, delay=round(delay, 3))


def _facts(request: Request, result: Result, attempt: int, request_id: str) -> dict[str, object]:
    failure = None if isinstance(result, Response) else type(result).__name__
    return {
        "method": request.method,
        "url": request.url.partition("?")[0],
        "attempt": attempt,
        "status": _status(result) or None,
        "failure": failure,
        "request_id": request_id,
    }


def _numbers(headers: Headers, name: str) -> Iterator[float]:
    for value in headers.get_all(name):
        number = float(value) if _NUMBER.fullmatch(value.strip()) else math.inf
        if number < math.inf:
            yield number


def _unix_times(headers: Headers, name: str) -> Iterator[float]:
    for value in headers.get_all(name):
        try:
            date = parsedate_to_datetime(value)
            # Every date in HTTP is in UTC (RFC 9110, 5.6.7), even one that forgets to say so.
            yield (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            continue

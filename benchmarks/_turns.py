"""The turns of a case, and what they say.

The order of the contenders rotates from round to round, so that none always follows the same one. A
ratio is taken within a round, so that what else the machine does falls out, and the median of the
rounds counts; its quartiles say how sure it is.
"""

import math
import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Final

import attrs

from benchmarks._cases import Case, Contender, Measurement, Target
from benchmarks._workers import Worker, WorkerMissingError, start

SECONDS: Final = 0.2
"""Of CPU that the first contender takes in a round."""

_FIRST_TRY: Final = 64
"""Calls."""


@attrs.frozen
class Spread:
    """A median between its quartiles."""

    low: float
    median: float
    high: float


@attrs.frozen
class Row:
    """A contender after all rounds."""

    name: str
    versions: Mapping[str, str]
    figures: tuple[float, ...]
    """One for each round."""

    spread: Spread
    ratio: Spread | None
    """Of the first contender's figure to this one's; None for itself."""

    target: Target | None
    met: bool | None
    """Is the target met by the median? None where nothing is promised."""


@attrs.frozen
class Outcome:
    """A case after all rounds."""

    case: Case
    calls: int
    """In a round, for each contender."""

    rows: tuple[Row, ...]
    left_out: Mapping[str, str]
    """Who could not take part, and why."""


def play(case: Case, rounds: int, progress: Callable[[str], None]) -> Outcome:
    """Run a case.

    Raises:
        WorkerMissingError: The one that it is about can't run here.
        WorkerFailedError: A worker broke down.
    """
    with ExitStack() as stack:
        workers, left_out = start(case.contenders, stack)
        first = case.contenders[0]
        if first not in workers:
            raise WorkerMissingError(f"{first.name}: {left_out[first.name]}")
        progress(f"{case.name}: warming up")
        calls = case.calls or _calibrated(workers, first)
        _round(workers, calls, 0)
        played = []
        for number in range(rounds):
            progress(f"{case.name}: round {number + 1} of {rounds}")
            played.append(_round(workers, calls, number))
        return Outcome(case, calls, _rows(case, workers, played), left_out)


def _calibrated(workers: Mapping[Contender, Worker], first: Contender) -> int:
    least = max(contender.in_flight for contender in workers)
    calls = max(_FIRST_TRY, least)
    workers[first].run(first.run, calls, first.in_flight)  # What is done once only is not a call's.
    while True:
        taken = workers[first].run(first.run, calls, first.in_flight).cpu
        if taken >= SECONDS / 4:
            return max(least, math.ceil(calls * SECONDS / taken))
        calls *= 4


def _round(
    workers: Mapping[Contender, Worker], calls: int, number: int
) -> dict[Contender, Measurement]:
    order = list(workers)
    start = number % len(order)
    return {
        contender: workers[contender].run(contender.run, calls, contender.in_flight)
        for contender in order[start:] + order[:start]
    }


def _rows(
    case: Case,
    workers: Mapping[Contender, Worker],
    played: list[dict[Contender, Measurement]],
) -> tuple[Row, ...]:
    figures = {one: [case.figure.of(turn[one]) for turn in played] for one in workers}
    first = case.contenders[0]
    return tuple(
        _row(case, one, workers[one], values, None if one is first else figures[first])
        for one, values in figures.items()
    )


def _row(
    case: Case, contender: Contender, worker: Worker, figures: list[float], ours: list[float] | None
) -> Row:
    spread = _spread(figures)
    if ours is None:
        ratio, target = None, case.limit
        met = None if target is None else target.met(spread.median)
    else:
        ratio = _spread([one / other for one, other in zip(ours, figures, strict=True)])
        target = case.targets.get(contender.name)
        met = None if target is None else target.met(ratio.median)
    return Row(contender.name, worker.versions, tuple(figures), spread, ratio, target, met)


def _spread(values: list[float]) -> Spread:
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))

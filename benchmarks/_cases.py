"""What is compared: contenders, the cases they meet in, and what is promised of them.

A case runs in turns: in a round each contender makes the same number of calls, and the figures of
one round are compared with each other only. The first contender is the one the case is about. A
promise is a bound on the ratio of its figure to that of another one, within a round.
"""

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import attrs


@attrs.frozen
class Measurement:
    """What a worker says of the calls that it was asked for."""

    calls: int
    cpu: float
    """Seconds of CPU, of all threads."""

    wall: float
    """Seconds."""

    figures: Mapping[str, float] = attrs.field(factory=dict, converter=MappingProxyType)
    """What else the run has counted, in all, by name."""


@attrs.frozen
class Figure:
    """How a measurement becomes the number that is compared."""

    unit: str
    of: Callable[[Measurement], float]


def counted(name: str, unit: str) -> Figure:
    """What a run counts itself, a call."""
    return Figure(unit, lambda measured: measured.figures[name] / measured.calls)


CPU: Final = Figure("us of CPU a call", lambda measured: measured.cpu / measured.calls * 1e6)
WALL: Final = Figure("us a call", lambda measured: measured.wall / measured.calls * 1e6)
THROUGHPUT: Final = Figure("calls a second", lambda measured: measured.calls / measured.wall)


@attrs.frozen
class Contender:
    """One way to do it, in a worker of its own."""

    name: str
    command: tuple[str, ...]
    """Starts its worker; contenders of a case with the same command share one process."""

    run: str = "call"
    """What the worker is asked to run, of what it offers."""

    in_flight: int = 1
    """Calls that are under way at once."""


def python(benchmark: str, worker: str, loop: str, *arguments: str) -> tuple[str, ...]:
    """The command for a worker of `benchmarks.BENCHMARK`: see `_worker.work`."""
    return (sys.executable, "-m", f"benchmarks.{benchmark}", "worker", worker, loop, *arguments)


@attrs.frozen
class Target:
    """A bound: on the ratio of the first contender's figure to another one's, or on its own."""

    sense: Literal["at most", "at least"]
    bound: float

    def met(self, value: float) -> bool:
        return value <= self.bound if self.sense == "at most" else value >= self.bound

    def __str__(self) -> str:
        return f"{self.sense} {self.bound:g}"


def at_most(bound: float) -> Target:
    return Target("at most", bound)


def at_least(bound: float) -> Target:
    return Target("at least", bound)


@attrs.frozen
class Case:
    """What is done by all contenders, and compared."""

    name: str
    contenders: tuple[Contender, ...]
    """The first is compared with each of the others."""

    targets: Mapping[str, Target] = attrs.field(factory=dict)
    """What is promised, by the name of whom it is promised against."""

    figure: Figure = CPU
    calls: int | None = None
    """In a round, for each; None for as many as take the first contender 0.2 s of CPU."""

    limit: Target | None = None
    """What is promised of the first contender's figure itself."""

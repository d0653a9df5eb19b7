"""The workers as the benchmark sees them: started on their core, asked in turn, and ended."""

import json
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final, final

import attrs

from benchmarks._cases import Contender, Measurement
from benchmarks._machine import WORKERS, pinned

_PATIENCE: Final = 5
"""Seconds that a worker has to end by itself."""


class WorkerMissingError(Exception):
    """Raised when what a worker would run is not on this machine."""


class WorkerFailedError(Exception):
    """Raised when a worker ends before its time; what it had to say is on stderr."""


@final
@attrs.frozen(eq=False)
class Worker:
    """A process that measures."""

    name: str
    process: subprocess.Popen[str]
    versions: Mapping[str, str]

    def run(self, name: str, calls: int, in_flight: int) -> Measurement:
        """Have it make calls, and wait for what it measured."""
        assert self.process.stdin is not None
        order = {"run": name, "calls": calls, "in_flight": in_flight}
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return Measurement(**_reply(self.name, self.process))


@contextmanager
def started(name: str, command: tuple[str, ...]) -> Iterator[Worker]:
    """A worker, ready.

    Raises:
        WorkerMissingError: It has nothing to run.
        WorkerFailedError: It did not start.
    """
    with process(command, WORKERS) as running:
        ready = _reply(name, running)
        if "missing" in ready:
            raise WorkerMissingError(ready["missing"])
        yield Worker(name, running, ready["ready"])


@contextmanager
def process(command: tuple[str, ...], place: int) -> Iterator[subprocess.Popen[str]]:
    """A process on one of the two places, which is to end when its input does.

    Raises:
        WorkerMissingError: There is no such program.
    """
    try:
        with pinned(place):
            running = subprocess.Popen(  # noqa: S603 - a benchmark's own command.
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                process_group=0,  # Ctrl-C is for the benchmark, which then ends the others.
            )
    except FileNotFoundError as missing:
        raise WorkerMissingError(f"there is no program {missing.filename}") from None
    with running:
        try:
            yield running
        except BaseException:
            running.send_signal(signal.SIGINT)  # It may be at work, and read nothing.
            raise
        finally:
            _end(running)


def _end(running: subprocess.Popen[str]) -> None:
    assert running.stdin is not None
    with suppress(BrokenPipeError):
        running.stdin.close()
    try:
        running.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        running.kill()


def start(
    contenders: Iterable[Contender], stack: ExitStack
) -> tuple[dict[Contender, Worker], dict[str, str]]:
    """The workers of those contenders that can run here, and why the others can't."""
    workers: dict[tuple[str, ...], Worker] = {}
    missing: dict[str, str] = {}
    ready: dict[Contender, Worker] = {}
    for contender in contenders:
        command = contender.command
        try:
            if command not in workers:
                workers[command] = stack.enter_context(started(contender.name, command))
            ready[contender] = workers[command]
        except WorkerMissingError as error:
            missing[contender.name] = str(error)
    return ready, missing


def _reply(name: str, process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise WorkerFailedError(f"the worker of {name} ended with {process.wait()}")
    reply: dict[str, Any] = json.loads(line)
    return reply

"""Several processes that do the same at the same time, and what is done to them meanwhile.

A work is an async context manager, named as `module:function`, that yields what is done again and
again; `workers` runs it in every process. At a point of its own choosing a process can stop or kill
itself (see `MortalTransport`), and at any moment it can be stopped, waked or killed from here.
"""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import anyio
import attrs
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.conformance.processes import running
from transports import Request, Response, Transport

Point: TypeAlias = Literal["before_sending", "after_the_answer"]
"""When a process dies: with the request still in its hands, or with the answer."""

_PATIENCE: Final = 30.0
_LONGEST_LINE: Final = 4096
_POLL: Final = 0.02


@attrs.frozen
class Trouble:
    """A turn that did not go well."""

    began: float
    """Unix time."""

    ended: float
    outcome: str
    """The name of the error, or what the work said."""

    words: str
    """The error's own."""


@attrs.frozen
class Report:
    """How it went for one process."""

    pid: int
    code: int
    """The exit code; the negative number of the signal that killed it."""

    turns: Counter[str]
    """How often what came of a turn. Of a process that was killed only the troubles are known."""

    troubles: tuple[Trouble, ...]
    slip: float
    """By how many seconds a pause was longer than it was to be, at most: what this machine is good
    for, while so much goes on."""


class Crew:
    """Processes that work."""

    def __init__(
        self, pids: tuple[int, ...], folder: Path, lines: BufferedByteReceiveStream
    ) -> None:
        self.pids = pids
        """Who they are, whether they still are or not."""
        self._folder = folder
        self._lines = lines
        self._codes: dict[int, int] = {}

    async def reports(self) -> tuple[Report, ...]:
        """Wait until all have ended, and say how it went."""
        while len(self._codes) < len(self.pids):
            pid, code = json.loads(await self._lines.receive_until(b"\n", _LONGEST_LINE))
            self._codes[pid] = code
        return tuple(_report(pid, self._codes[pid], self._folder) for pid in self.pids)

    def end(self) -> None:
        """Kill those that are still there, also if they are stopped."""
        for pid in self.pids:
            if pid not in self._codes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def crew(
    work: str,
    arguments: Mapping[str, Any],
    folder: Path,
    *,
    seconds: float,
    workers: int = 8,
    pause: float = 0.02,
) -> AsyncIterator[Crew]:
    """Let processes work for so many seconds, with a pause between two turns.

    None of them is left when this is left, also of those that were stopped.
    """
    task = {
        "work": work,
        "arguments": arguments,
        "folder": str(folder),
        "workers": workers,
        "seconds": seconds,
        "pause": pause,
    }
    command = [sys.executable, "-m", "tests.conformance.workers", json.dumps(task)]
    async with running(command) as process:
        assert process.stdout is not None
        lines = BufferedByteReceiveStream(process.stdout)
        with anyio.fail_after(_PATIENCE):
            pids = tuple(json.loads(await lines.receive_until(b"\n", _LONGEST_LINE)))
        members = Crew(pids, folder, lines)
        try:
            yield members
        finally:
            members.end()
            with anyio.move_on_after(_PATIENCE, shield=True):
                await process.wait()


def _report(pid: int, code: int, folder: Path) -> Report:
    file = folder / f"{pid}.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    ended: dict[str, Any] = {"turns": {}, "slip": 0.0}
    if lines and isinstance(lines[-1], dict):
        ended = lines.pop()
    troubles = tuple(Trouble(*line) for line in lines)
    return Report(pid, code, Counter(ended["turns"]), troubles, ended["slip"])


class MortalTransport:
    """A transport that stops or kills its process at a point of a token call: one of all, and once.

    Args:
        inner: What sends. Each request says which process it comes from, in `X-Test-Pid`.
        point: When; None for never.
        signal_number: SIGKILL or SIGSTOP.
        folder: The file `armed` in it says that it is time, and the first process that then comes
            to the point writes its id to `victim`.
    """

    def __init__(
        self, inner: Transport, *, point: Point | None, signal_number: int, folder: Path
    ) -> None:
        self._inner = inner
        self._point = point
        self._signal = signal_number
        self._armed = folder / "armed"
        self._victim = folder / "victim"

    async def send(self, request: Request) -> Response:
        """Send it, if that comes to pass."""
        headers = request.headers.merged({"x-test-pid": str(os.getpid())})
        self._reach("before_sending", request)
        response = await self._inner.send(attrs.evolve(request, headers=headers))
        self._reach("after_the_answer", request)
        return response

    async def aclose(self) -> None:
        """Close what sends."""
        await self._inner.aclose()

    def _reach(self, point: Point, request: Request) -> None:
        if point != self._point or request.method != "POST" or not self._armed.exists():
            return
        try:
            with self._victim.open("x") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            return
        os.kill(os.getpid(), self._signal)


def arm(folder: Path) -> None:
    """Let the next process die, or stop, that comes to its point."""
    (folder / "armed").touch()


async def victim_of(folder: Path) -> int:
    """Wait until a process has come to its point, and say which."""
    pid = ""
    while not pid:
        await anyio.sleep(_POLL)
        with suppress(FileNotFoundError):
            pid = await anyio.Path(folder / "victim").read_text()
    return int(pid)

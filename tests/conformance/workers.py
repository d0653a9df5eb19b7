"""The processes of a crew: `python -m tests.conformance.workers <task as JSON>`; see `crew`.

They are forked from one that has imported everything and has no thread yet, so eight of them start
in the time of one. Each takes its turns until the time is over, and writes what came of them to a
file of its own, where it is also found of a process that was killed.
"""
# ruff: noqa: T201 - what a process has to say it prints.

import importlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, TextIO, TypeAlias

import anyio

Turn: TypeAlias = Callable[[], Awaitable[str]]
"""Does the work once, and says in a word what came of it. `GOOD` is what should."""

Work: TypeAlias = Callable[[Mapping[str, Any]], AbstractAsyncContextManager[Turn]]
"""Prepares the work, from the arguments of its task."""

GOOD: Final = "good"


def main(task: Mapping[str, Any]) -> None:
    """Fork the workers, say who they are, let them begin together and wait for their ends."""
    module, _, name = task["work"].partition(":")
    work: Work = getattr(importlib.import_module(module), name)
    gate, opener = os.pipe()
    pids = [fork(work, task, gate, opener) for _ in range(task["workers"])]
    os.close(gate)
    print(json.dumps(pids), flush=True)
    os.close(opener)
    for _ in pids:
        pid, status = os.wait()
        print(json.dumps([pid, os.waitstatus_to_exitcode(status)]), flush=True)


def fork(work: Work, task: Mapping[str, Any], gate: int, opener: int) -> int:
    """Start a worker that waits at the gate."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.close(opener)
        os.read(gate, 1)
        with Path(task["folder"], f"{os.getpid()}.jsonl").open("w", buffering=1) as report:
            anyio.run(take_turns, work, task, report)
    except BaseException as error:  # noqa: BLE001 - the child must not go on as the parent.
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


async def take_turns(work: Work, task: Mapping[str, Any], report: TextIO) -> None:
    """Work until the time is over or the crew is gone; what is not good is told at once."""
    crew, until = os.getppid(), time.monotonic() + task["seconds"]
    counts: Counter[str] = Counter()
    slip = 0.0
    async with work(task["arguments"]) as turn:
        while time.monotonic() < until and os.getppid() == crew:
            began = time.time()
            outcome, words = await outcome_of(turn)
            counts[outcome] += 1
            if outcome != GOOD:
                print(json.dumps([began, time.time(), outcome, words]), file=report)
            rested = time.monotonic()
            await anyio.sleep(task["pause"])
            slip = max(slip, time.monotonic() - rested - task["pause"])
    print(json.dumps({"turns": counts, "slip": slip}), file=report)


async def outcome_of(turn: Turn) -> tuple[str, str]:
    try:
        return await turn(), ""
    except Exception as error:  # noqa: BLE001 - what is raised is what came of it.
        return type(error).__name__, str(error)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

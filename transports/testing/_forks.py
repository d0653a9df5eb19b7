"""The promise of what becomes of a transport in a forked child.

It is checked in a process of its own, which forks. Here there may be threads, and what they hold
at that moment is held for ever in a child; there are none but the transport's own.
"""

import pickle
import subprocess
import sys
from typing import Final

import anyio.to_thread

from transports.testing._elsewhere import LoopKind
from transports.testing._promise import FOREVER, Serve, Trial, promise

_LIMIT: Final = 30.0
"""Seconds after which the process is ended, which has limits of its own."""

_BEGIN: Final = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from transports.testing._forking import main
main()
"""


@promise(
    "In a forked child it works, or says that it belongs to the parent",
    "Remember os.getpid() of the first send(). In another process raise ForkedProcessError before "
    "anything else, and have aclose() leave the connections of the parent alone.",
    patience=FOREVER,
)
async def works_after_a_fork(trial: Trial) -> None:
    """Use it in a parent, a child, and the parent again."""
    kind = LoopKind.of_the_running_one()
    expected, found = await anyio.to_thread.run_sync(
        in_a_process, trial.serve, kind, abandon_on_cancel=True
    )
    trial.expect(not expected, expected, found)


def in_a_process(serve: Serve, kind: LoopKind, limit: float = _LIMIT) -> tuple[str, str]:
    """What was expected and what was found in a process that forks; blocks.

    Raises:
        RuntimeError: What went wrong there has nothing to do with the fork.
        TypeError: The process can't import what it needs.
    """
    try:
        task = pickle.dumps(sys.path) + pickle.dumps((serve, kind))
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        raise TypeError(
            "After a fork a transport is tried in a process of its own, which has to import what "
            "stands the handler behind it: give a function of a module, or skip this promise."
        ) from error
    words = [sys.executable, "-c", _BEGIN]
    try:
        done = subprocess.run(  # noqa: S603 - Python, with the words above.
            words, input=task, capture_output=True, check=False, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return "the process that has forked to end", f"that it runs after {limit:g} s"
    if done.returncode:
        raise RuntimeError(f"The process that was to fork has failed:\n{done.stderr.decode()}")
    expected, found = pickle.loads(done.stdout)  # noqa: S301 - it comes from our own process.
    return expected, found

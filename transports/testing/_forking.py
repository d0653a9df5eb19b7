"""What runs in the process that forks, and in its child.

A child has the thread that forked and no other, and that one is in the midst of a loop which is not
to be touched any more. So the child uses the transport in a thread of its own, tells what came over
a pipe, and leaves by the emergency exit.
"""

import os
import pickle
import select
import signal
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Final

import anyio.to_thread

from transports._base import Transport
from transports._errors import ForkedProcessError
from transports.testing._elsewhere import HANGS, LIMIT, LoopKind, in_a_thread, try_in_this_loop
from transports.testing._handlers import echo
from transports.testing._promise import Serve

_KEPT: Final = ("", "")


def main() -> None:
    """Read the task, do it, and write what was expected and found; nothing if it is kept."""
    report = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # Where everybody else may print.
    serve, kind = pickle.load(sys.stdin.buffer)  # noqa: S301 - it comes from our own parent.
    os.write(report, pickle.dumps(kind.run(partial(_use, serve, kind))))


async def _use(serve: Serve, kind: LoopKind) -> tuple[str, str]:
    async with serve(echo) as (transport, url):
        found = await try_in_this_loop(transport, (f"{url}/before",))
        if found:
            return "an answer before the fork", found
        urls = (f"{url}/child", f"{url}/again")
        pid, pipe = _fork(partial(_child, transport, urls, kind))
        found = await anyio.to_thread.run_sync(last_words, pid, pipe)
        if found:
            return "the right answer, or ForkedProcessError with maybe_sent=False", found
        found = await try_in_this_loop(transport, (f"{url}/after",))
        if found:
            return "an answer in the parent, when the child has closed its own", found
    return _KEPT


def _child(transport: Transport, urls: tuple[str, ...], kind: LoopKind) -> str | None:
    async def use() -> str | None:
        found = await try_in_this_loop(transport, urls, ForkedProcessError)
        with anyio.move_on_after(LIMIT) as scope:
            await transport.aclose()
        return f"{HANGS}, in aclose()" if scope.cancelled_caught else found

    return kind.run(use)


def _fork(work: Callable[[], str | None]) -> tuple[int, int]:
    """Have a child do something; its process, and the pipe that its words come through."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # A transport may have a thread, and since Python 3.12 that is warned of. Whether it bears
        # a fork all the same is the question.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        os.write(writing, f"{in_a_thread(work) or ''}\n".encode())
    finally:
        os._exit(0)


def last_words(pid: int, pipe: int, patience: float = 3 * LIMIT) -> str:
    """What a child says before it ends, which it does in any case; blocks."""
    ready, _, _ = select.select([pipe], [], [], patience)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    words = os.read(pipe, 64 * 1024).decode()
    os.close(pipe)
    os.waitpid(pid, 0)
    if words:
        return words.strip()
    return "nothing: the child has died" if ready else HANGS

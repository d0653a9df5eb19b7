"""The service of these tests: a local backend on loopback, in a thread with a loop of its own.

So it answers whatever becomes of the client's loop, and other processes reach it as well.
"""

import itertools
import math
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import anyio.from_thread
import anyio.lowlevel
import attrs
import pytest

from connectors import Client
from connectors.local import Server, serve
from tests.lifetimes.runs import LIMIT, RUNS
from tests.local.backends import APP, TOKENS, Local, local_backend
from transports import Request, Response

Started: TypeAlias = "subprocess.Popen[str]"

ROOT = Path(__file__).parents[2]
TOKEN = TOKENS["slack"]

each_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
each_loop = pytest.mark.parametrize("loop", RUNS)


@attrs.define(eq=False)
class Service:
    """Where it is, what it was asked, and a way to let its answers wait."""

    local: Local
    _portal: anyio.from_thread.BlockingPortal
    server: Server = attrs.field(init=False)
    asked: int = 0
    _changed: threading.Condition = attrs.field(init=False, factory=threading.Condition)
    _silent: float = 0
    """Up to which request."""
    _end: anyio.Event = attrs.field(init=False)

    @property
    def environment(self) -> Mapping[str, str]:
        """What `Client.from_env()` reads, for another process."""
        return {
            **os.environ,
            "BASE44_APP_ID": APP,
            "BASE44_SERVICE_TOKEN": self.local.authority.service_token.reveal(),
            "BASE44_API_KEY": self.local.authority.api_key.reveal(),
            "BASE44_API_URL": self.server.url,
        }

    def client(self, **settings: Any) -> Client:
        """A client as it is made by default: with an `AiohttpTransport` of its own."""
        authority = self.local.authority
        return Client(
            app_id=APP,
            service_token=authority.service_token,
            api_key=authority.api_key,
            server_url=self.server.url,
            **settings,
        )

    @contextmanager
    def silent(self, *, first: float = math.inf) -> Iterator[None]:
        """Let the first so many requests wait for their answers until the block ends."""
        self._end, self._silent = self._portal.call(anyio.Event), self.asked + first
        try:
            yield
        finally:
            self._silent = 0
            self._portal.call(self._end.set)

    def wait_until_asked(self, times: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.asked >= times, LIMIT), self.asked

    async def until_asked(self, times: int) -> None:
        # No thread of the loop is used for it, which a loop that is dropped would leave behind.
        with anyio.fail_after(LIMIT):
            while self.asked < times:
                await anyio.lowlevel.checkpoint()

    @contextmanager
    def started(self, name: str, *arguments: str, options: Sequence[str] = ()) -> Iterator[Started]:
        """Start one of `tests.lifetimes.programs`; it does not outlive the block."""
        with subprocess.Popen(
            [sys.executable, *options, "-m", "tests.lifetimes.programs", name, *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def connections(self) -> int:
        """How many sockets of this process lead to it."""
        return sum(self._leads_here(int(file.name)) for file in Path("/dev/fd").iterdir())

    async def until_left(self) -> None:
        """Wait until none does. A loop closes a socket some turns after it was told to."""
        with anyio.fail_after(LIMIT):
            while self.connections():
                await anyio.lowlevel.checkpoint()

    def _leads_here(self, number: int) -> bool:
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                return False
            with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as copy:
                address: object = copy.getpeername()
                return address == (self.server.host, self.server.port)
        except OSError:  # It has no other end, or is closed by now.
            return False

    async def handle(self, request: Request, /) -> Response:
        with self._changed:
            self.asked += 1
            self._changed.notify_all()
        if self.asked <= self._silent:
            await self._end.wait()
        return await self.local.backend.handle(request)


def lines(process: Started, number: int, line: str) -> list[str]:
    """What a process says to a line, as far as so many lines go; its end ends them, too."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    process.stdin.flush()
    return [said.rstrip() for said in itertools.islice(process.stdout, number)]


def told(process: Started, line: str | None = None) -> tuple[int, str, str]:
    """What a process that ends says, after a line to it: its exit code, its output, its errors."""
    output, errors = process.communicate(line, timeout=2 * LIMIT)
    return process.returncode, output, errors


@contextmanager
def running(path: Path) -> Iterator[Service]:
    with anyio.from_thread.start_blocking_portal() as portal:
        serving = portal.call(_serving, path, portal)
        with portal.wrap_async_context_manager(serving) as service:
            yield service


@asynccontextmanager
async def _serving(path: Path, portal: anyio.from_thread.BlockingPortal) -> AsyncIterator[Service]:
    async with local_backend(path) as local:
        service = Service(local, portal)
        async with serve(service) as service.server:
            yield service

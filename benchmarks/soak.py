"""Call for as long as asked a server that misbehaves at random, and end where it began.

    python benchmarks/soak.py --seconds 600 --loop trio

The server is a process of its own. A call's patience is random, too, by its timeout or by a
cancellation. Printed are the calls, how they ended, and what the process holds: resident memory,
Python objects, file descriptors, threads and tasks, at the beginning (after a while of warming up)
and at the end, both with the calls at rest. The exit status is 1 if something that is no answer and
no error of the library came out of a call, or if more is held at the end.
"""

import argparse
import asyncio
import gc
import gzip
import json
import logging
import random
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import attrs

from connectors import Client, ConnectorsError

AT_ONCE = 50
TYPES = 25
WARMING_UP = 0.25
"""The part of the time after which it counts."""

WEIGHTS = [50, 22, 21, 5, 2]
"""How often the server behaves in each of its ways."""

SLACK_BYTES = 8 * 1024 * 1024
SLACK_OBJECTS = 2_000
"""What may be held more at the end than at the beginning: caches and the allocator's leftovers."""

GOOD = json.dumps(
    {"access_token": "an-access-token", "integration_type": "slack", "connection_config": None}
).encode()


def answer(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    head = "".join(f"{field}\r\n" for field in (*fields, f"Content-Length: {len(body)}"))
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{head}\r\n".encode() + body


MISDEEDS = {
    "a server error": answer(b'{"detail": "no"}', status="500 Internal Server Error"),
    "not now": answer(b"{}", "Retry-After: 0", status="429 Too Many Requests"),
    "not connected": answer(b'{"detail": "no"}', status="404 Not Found"),
    "elsewhere": answer(b"", "Location: http://127.0.0.1:9/", status="302 Found"),
    "no JSON": answer(b"<html>"),
    "other JSON": answer(b'{"access_token": 1}'),
    "deep JSON": answer(b"[" * 100_000),
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n",
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": answer(GOOD)[:-5],
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "gzip cut off": answer(gzip.compress(GOOD)[:-6], "Content-Encoding: gzip"),
    "a bomb": answer(gzip.compress(bytes(3_000_000)), "Content-Encoding: gzip"),
    "more than was asked": answer(GOOD) * 2,
}


class Misbehaving(asyncio.Protocol):
    """Answers half of the requests, each after a moment of its own."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if b"\r\n\r\n" in data:
            moment = random.random() ** 8 / 10
            asyncio.get_running_loop().call_later(moment, self._behave)

    def _behave(self) -> None:
        way = random.choices(["well", "badly", "badly, and close", "reset", "say nothing"], WEIGHTS)
        if way == ["reset"]:
            self._transport.abort()
        elif way == ["well"]:
            self._transport.write(answer(GOOD))
        elif way != ["say nothing"]:
            self._transport.write(random.choice(list(MISDEEDS.values())))
        if way == ["badly, and close"]:
            self._transport.close()


async def serve() -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Misbehaving, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def serving() -> Iterator[str]:
    """The URL of a server in a process of its own."""
    with subprocess.Popen(  # noqa: S603 - this file, by this Python.
        [sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@attrs.frozen
class Held:
    """What the process holds."""

    memory: int
    objects: int
    descriptors: int
    threads: int
    tasks: int

    def __str__(self) -> str:
        memory = f"{self.memory / 1024 / 1024:.1f} MiB"
        rest = (f"{n} {k}" for k, n in attrs.asdict(self).items() if k != "memory")
        return ", ".join([memory, *rest])

    def excess_over(self, before: "Held") -> list[str]:
        """What is more than it was, and by more than caches explain."""
        slack = {"memory": SLACK_BYTES, "objects": SLACK_OBJECTS}
        return [
            name
            for name, now in attrs.asdict(self).items()
            if now > getattr(before, name) + slack.get(name, 0)
        ]


def held() -> Held:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Held(
        memory=pages * resource.getpagesize(),
        objects=len(gc.get_objects()),
        descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
        threads=threading.active_count(),
        tasks=len(anyio.get_running_tasks()),
    )


class Soak:
    """Calls, and how they ended."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self.calls = 0
        self.ends: Counter[str] = Counter()

    async def run(self, seconds: float) -> Held:
        """Call for so long, then close, and say what is held when all is at rest."""
        until = time.monotonic() + seconds
        async with (
            Client(
                app_id="soak", service_token="service-token", server_url=self._server_url
            ) as client,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(AT_ONCE):
                tasks.start_soon(self._go_on, client, until)
        return held()

    async def _go_on(self, client: Client, until: float) -> None:
        while time.monotonic() < until:
            self.calls += 1
            patience = 10 ** random.uniform(-3, 0.3)
            hurried = client.with_options(timeout=patience)
            name = f"connector-{random.randrange(TYPES)}"
            with anyio.move_on_after(patience * random.uniform(0.5, 3)) as scope:
                self.ends[await self._call(hurried, name)] += 1
            self.ends["cancelled"] += scope.cancelled_caught

    async def _call(self, client: Client, name: str) -> str:
        try:
            await client.as_service_role.connectors.get_connection(name)
        except ConnectorsError as error:
            return type(error).__name__
        except Exception as error:  # noqa: BLE001 - it is what must not come, and is told.
            return f"NOT OURS: {type(error).__name__}"
        return "a connection"


async def soak(server_url: str, seconds: float) -> int:
    """Soak, print, and say with which status to exit."""
    run = Soak(server_url)
    before = await run.run(seconds * WARMING_UP)
    print(f"begin: {before}", flush=True)
    after = await run.run(seconds * (1 - WARMING_UP))
    print(f"end:   {after}")
    print(f"calls: {run.calls}")
    for end, number in run.ends.most_common():
        print(f"  {number:8} {end}")
    excess = after.excess_over(before)
    foreign = [end for end in run.ends if end.startswith("NOT OURS")]
    print(f"more at the end: {', '.join(excess) or 'nothing'}")
    return 1 if excess or foreign else 0


def main() -> int:
    """Read the command line and soak."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--loop", choices=["asyncio", "uvloop", "trio"], default="asyncio")
    given = parser.parse_args()
    logging.getLogger("connectors").setLevel(logging.CRITICAL)
    with serving() as url:
        return anyio.run(
            soak,
            url,
            given.seconds,
            backend="trio" if given.loop == "trio" else "asyncio",
            backend_options={"use_uvloop": True} if given.loop == "uvloop" else {},
        )


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()) if sys.argv[1:] == ["serve"] else main())

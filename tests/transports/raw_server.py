"""A server on loopback that says exactly the bytes it is told to, and keeps what it was sent."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeAlias

import attrs

from transports import Request, Response

Fields: TypeAlias = tuple[tuple[str, str], ...]


@attrs.frozen
class Message:
    """A request as it came over the wire."""

    line: str
    fields: Fields
    body: bytes

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    def get_all(self, name: str) -> list[str]:
        return [value for field, value in self.fields if field.lower() == name.lower()]


@attrs.frozen(eq=False)
class Peer:
    """One connection, from the server's side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: "Server"

    async def message(self) -> Message:
        """Read a request; `IncompleteReadError` when the client has gone."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = head[:-4].split("\r\n")
        fields = tuple((name, value.strip()) for name, _, value in (f.partition(":") for f in rest))
        length = next((int(v) for n, v in fields if n.lower() == "content-length"), 0)
        message = Message(line, fields, await self.reader.readexactly(length))
        self.server.messages.append(message)
        self.server.came.set()
        return message

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Break the connection with RST instead of FIN where the system does so."""
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client has closed."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self.reader.read(65536):
                pass


@attrs.define(eq=False)
class Server:
    """Where it is, and what it has seen."""

    scheme: str
    port: int = 0
    host: str = "127.0.0.1"
    connections: int = 0
    messages: list[Message] = attrs.field(factory=list)
    came: asyncio.Event = attrs.field(factory=asyncio.Event, repr=False)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    async def seen(self, number: int) -> None:
        """Wait until this many requests have come."""
        while len(self.messages) < number:
            self.came.clear()
            await self.came.wait()


Script: TypeAlias = Callable[[Peer], Awaitable[None]]
"""What is done with a connection; it is closed at the end."""


@asynccontextmanager
async def serving(
    script: Script, *, tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[Server]:
    server = Server("https" if tls else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script(Peer(reader, writer, server))
        finally:
            tasks.discard(task)
            writer.close()

    listening = await asyncio.start_server(connected, server.host, port, ssl=tls, limit=2**20)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tuple(tasks):
            task.cancel()
        while tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


@contextmanager
def full() -> Iterator[str]:
    """A server whose queue of connections is full: a new one is not made and not refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        queued = [socket.socket() for _ in range(8)]
        for one in queued:
            one.setblocking(False)  # noqa: FBT003 - the socket's own way.
            one.connect_ex(listening.getsockname())
        yield "127.0.0.1:{1}".format(*listening.getsockname())
        for one in queued:
            one.close()


def saying(data: bytes) -> Script:
    """Answer the first request with these bytes, and close."""

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.say(data)

    return script


def repeating(data: bytes) -> Script:
    """Answer every request with these bytes."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.message()
            await peer.say(data)

    return script


async def silent(peer: Peer) -> None:
    """Read the request and say nothing."""
    await peer.message()
    await peer.gone()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answering(handler: Callable[[Request], Awaitable[Response]]) -> Script:
    """Serve HTTP/1.1 from a handler, one request after the other."""

    async def script(peer: Peer) -> None:
        while True:
            message = await peer.message()
            url = f"{peer.server.url}{message.target}"
            request = Request(message.method, url, message.fields, message.body)
            response = await handler(request)
            await peer.say(_written(response, message.method))

    return script


def _written(response: Response, method: str) -> bytes:
    fields = list(response.headers.fields)
    body = b"" if method == "HEAD" or response.status in {204, 304} else response.body
    if response.status not in {204, 304}:
        fields.append(("Content-Length", str(len(response.body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {response.status} X\r\n{head}\r\n".encode("latin-1") + body

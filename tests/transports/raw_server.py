"""A server on loopback that says exactly the bytes it is told to, and keeps what it was sent.

It runs in the event loop of the test, on every loop, and ends with the block that it serves in.
"""

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TypeAlias, TypeVar

import anyio
import attrs
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteStream
from anyio.streams.tls import TLSStream

from transports import Request, Response

T = TypeVar("T")

Fields: TypeAlias = tuple[tuple[str, str], ...]

BROKEN = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, ssl.SSLError)
"""What a script meets when the client has gone, or refuses the certificate."""

_LARGEST_HEAD = 2**20


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
class _Socket(ByteStream):
    """A connection that takes from the system what it is asked for, and no more.

    anyio's own reads ahead on asyncio, so a client could send for ever to who does not read.
    """

    raw: socket.socket

    async def receive(self, max_bytes: int = 65536) -> bytes:
        data = await self._when_it_can(anyio.wait_readable, lambda: self.raw.recv(max_bytes))
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        rest = memoryview(item)
        while rest:
            sent = await self._when_it_can(anyio.wait_writable, partial(self.raw.send, rest))
            rest = rest[sent:]

    async def send_eof(self) -> None:
        self.raw.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        self.raw.close()

    async def _when_it_can(
        self, ready: Callable[[socket.socket], Awaitable[None]], do: Callable[[], T]
    ) -> T:
        while True:
            await ready(self.raw)
            try:
                return do()
            except BlockingIOError:
                continue
            except OSError as error:
                raise anyio.BrokenResourceError from error


@attrs.frozen(eq=False)
class Peer:
    """One connection, from the server's side. What it does is one of `BROKEN` if that broke."""

    _raw: socket.socket
    _stream: BufferedByteStream
    server: "Server"

    async def message(self) -> Message:
        """Read a request."""
        head = await self.head()
        line, *rest = head.split("\r\n")
        fields = tuple((name, value.strip()) for name, _, value in (f.partition(":") for f in rest))
        length = next((int(v) for n, v in fields if n.lower() == "content-length"), 0)
        message = Message(line, fields, await self._stream.receive_exactly(length))
        self.server.note(message)
        return message

    async def head(self) -> str:
        """Read a request up to its body, and leave that."""
        return (await self._stream.receive_until(b"\r\n\r\n", _LARGEST_HEAD)).decode("latin-1")

    async def some(self) -> bytes:
        """Read what has come, whatever it is; at least a byte."""
        return await self._stream.receive()

    async def say(self, data: bytes) -> None:
        await self._stream.send(data)

    async def reset(self) -> None:
        """Break the connection with RST instead of FIN."""
        at_once = struct.pack("ii", 1, 0)
        self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self._raw.close()

    async def gone(self) -> None:
        """Wait until the client has closed."""
        with suppress(*BROKEN):
            while True:
                await self.some()

    async def stall(self) -> None:
        """Read nothing, so that the client cannot go on sending."""
        await anyio.sleep_forever()


@attrs.define(eq=False)
class Server:
    """Where it is, and what it has seen."""

    scheme: str
    port: int = 0
    host: str = "127.0.0.1"
    connections: int = 0
    messages: list[Message] = attrs.field(factory=list)
    _came: anyio.Event = attrs.field(factory=anyio.Event, init=False, repr=False)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def note(self, message: Message) -> None:
        self.messages.append(message)
        self._came.set()
        self._came = anyio.Event()

    async def seen(self, number: int) -> None:
        """Wait until this many requests have come."""
        while len(self.messages) < number:
            await self._came.wait()


Script: TypeAlias = Callable[[Peer], Awaitable[None]]
"""What is done with a connection; it is closed at the end."""


@asynccontextmanager
async def serving(
    script: Script, *, tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[Server]:
    """Serve while the block runs, which one task enters and leaves.

    What a script raises ends the block and comes out of it, unless the connection broke.
    """
    server = Server("https" if tls else "http")

    async def connected(raw: socket.socket) -> None:
        with raw, suppress(*BROKEN):
            raw.setblocking(False)  # noqa: FBT003 - the socket's own way.
            stream: ByteStream = _Socket(raw)
            if tls is not None:
                # Without the closing handshake: it would wait for the client's.
                stream = await TLSStream.wrap(
                    stream, server_side=True, ssl_context=tls, standard_compatible=False
                )
            await script(Peer(raw, BufferedByteStream(stream), server))

    async def accept() -> None:
        while True:
            await anyio.wait_readable(listening)
            raw, _ = listening.accept()
            server.connections += 1
            connections.start_soon(connected, raw)

    with socket.create_server((server.host, port)) as listening:
        listening.setblocking(False)  # noqa: FBT003 - the socket's own way.
        server.port = listening.getsockname()[1]
        with _one_error():
            async with anyio.create_task_group() as connections:
                connections.start_soon(accept)
                yield server
                connections.cancel_scope.cancel()


@contextmanager
def _one_error() -> Iterator[None]:
    """Let out the error of a block or of a script as it is, not the group that it comes in."""
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None


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


def holding(data: bytes) -> Script:
    """Answer the first request with these bytes, and hold the connection without another."""

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.say(data)
        await peer.gone()

    return script


silent = holding(b"")
"""Read the request and say nothing."""


def resetting(data: bytes) -> Script:
    """Answer the first request with these bytes, and reset."""

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.say(data)
        await peer.reset()

    return script


def endless(data: bytes, piece: bytes, *, every: float = 0) -> Script:
    """Answer the first request with these bytes, and then with a piece every so many seconds."""

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.say(data)
        while True:
            await anyio.sleep(every)
            await peer.say(piece)

    return script


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

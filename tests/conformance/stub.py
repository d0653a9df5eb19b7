"""A server that answers what it is told and keeps what it was sent, byte for byte.

It reads the wire itself: a library would decode the path, fold the header fields or add to the
answer, and these are what the tests look at.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import anyio
import attrs
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

_HOST: Final = "127.0.0.1"
_LONGEST_HEAD: Final = 64 * 1024


@attrs.frozen
class Sent:
    """A request as it came over the wire."""

    line: str
    """The request line: method, target and version."""

    fields: tuple[tuple[str, str], ...]
    """The header fields in the order in which they came, names in lower case."""

    body: bytes

    @property
    def json(self) -> str:
        """The body as JSON in one spelling, in which 1 and true differ; empty without a body."""
        return json.dumps(json.loads(self.body), sort_keys=True) if self.body else ""


@attrs.frozen
class Answer:
    """What the server answers; a body of bytes goes out as it is, all else as JSON."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)

    def encoded(self) -> bytes:
        """The whole message."""
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        fields = {"Content-Type": "application/json", "Content-Length": len(body), **self.headers}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body


class Stub:
    """Answers every request with `answer`, or hangs up when that is None."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answer: Answer | None = Answer()
        self.sent: list[Sent] = []

    def take(self) -> list[Sent]:
        """The requests since this was asked for the last time."""
        sent, self.sent = self.sent, []
        return sent

    async def serve(self, stream: SocketStream) -> None:
        """Serve one connection until either side has had enough."""
        async with stream:
            incoming = BufferedByteReceiveStream(stream)
            while (sent := await _read(incoming)) is not None:
                self.sent.append(sent)
                if self.answer is None:
                    break
                await stream.send(self.answer.encoded())


async def _read(incoming: BufferedByteReceiveStream) -> Sent | None:
    try:
        head = await incoming.receive_until(b"\r\n\r\n", _LONGEST_HEAD)
    except (anyio.IncompleteRead, anyio.BrokenResourceError):
        return None
    line, *lines = head.decode("latin-1").split("\r\n")
    fields = tuple(map(_field, lines))
    length = int(dict(fields).get("content-length", 0))
    return Sent(line, fields, await incoming.receive_exactly(length) if length else b"")


def _field(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name.lower(), value.strip()


@asynccontextmanager
async def stub_server() -> AsyncIterator[Stub]:
    """Serve on a free port of this machine; nothing of it is left when this is left."""
    listener = await anyio.create_tcp_listener(local_host=_HOST)
    async with listener, anyio.create_task_group() as serving:
        stub = Stub(f"http://{_HOST}:{listener.extra(SocketAttribute.local_port)}")
        serving.start_soon(listener.serve, stub.serve)
        yield stub
        serving.cancel_scope.cancel()

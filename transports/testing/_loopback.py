"""A server for tests: HTTP/1.1 on 127.0.0.1, in the test's own event loop, before a handler.

It is strict, because its clients are transports under test, and small, because it is read by those
who wonder why their transport fails. What the handler raises comes out of the `async with`, alone
and at once: a test must not wait for an answer that nobody is at work on any more.
"""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final, TypeAlias, final

import anyio
from anyio.abc import SocketListener, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from transports._base import Request, Response
from transports._errors import DisconnectedError, ProtocolError
from transports.testing._http import (
    MAX_HEAD,
    Head,
    RefusedError,
    chunk_size,
    framing,
    parsed_head,
    written,
)

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
"""Answers a request. In the place of an answer it may raise `DisconnectedError` or `ProtocolError`:
then that is what becomes of the request, and what `send` should raise."""

_LINGER: Final = 1.0
"""Seconds for the client to read a refusal, which a connection that is just closed may take back
(RFC 9112, section 9.6)."""

_HALF_AN_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh"
_NO_HTTP: Final = b"This is not HTTP.\r\n\r\n"


@asynccontextmanager
async def loopback(handler: Handler) -> AsyncIterator[str]:
    """Serve HTTP/1.1 from a handler on a free port of 127.0.0.1, and give the URL of that.

    It runs on asyncio and on trio, in the event loop and the task group of the `async with` block,
    which ends it: handlers that are at work are cancelled. Connections are kept open, and each
    has one request at a time. The body of a request may come with Content-Length or in chunks;
    what else HTTP/1.1 has in store is refused with a status and the reason as the body.

    `Content-Length` is added to an answer, and its body is left out where HTTP has none: after
    HEAD, with 204 and with 304. A handler that raises `DisconnectedError` breaks the connection,
    in the middle of an answer's body if that error's phase is 'body'; one that raises
    `ProtocolError` answers with what is not HTTP.

    Raises:
        Exception: What else a handler raises, or a `ValueError` for an answer that cannot be sent;
            the block is cancelled then.

    Leave the block in the task that entered it, as with every task group.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    server = _Server(handler)
    async with await SocketListener.from_socket(listening) as listener:
        port = listening.getsockname()[1]
        async with anyio.create_task_group() as group:
            server.give_up = group.cancel_scope.cancel
            group.start_soon(listener.serve, server.connected, group)
            try:
                yield f"http://127.0.0.1:{port}"
            except Exception as error:  # noqa: BLE001 - raised again, where no group wraps it.
                server.failure = server.failure or error
            group.cancel_scope.cancel()
    if server.failure is not None:
        raise server.failure


@final
class _Server:
    """What the connections share: the handler, and the first failure."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.failure: Exception | None = None
        self.give_up: Callable[[], None] = lambda: None

    async def connected(self, stream: SocketStream) -> None:
        """Answer what comes over a connection, until one of the two sides is done with it."""
        incoming = BufferedByteReceiveStream(stream)
        async with stream:
            # The client may go at any time; it has its reasons.
            with suppress(anyio.BrokenResourceError, anyio.EndOfStream, anyio.IncompleteRead):
                try:
                    while await self._served_one(incoming, stream):
                        pass
                except RefusedError as refusal:
                    await _refuse(stream, refusal)

    async def _served_one(self, incoming: BufferedByteReceiveStream, stream: SocketStream) -> bool:
        head = await _head(incoming)
        request = head.request(await _body(incoming, head))
        said, closing = await self._said(request, closing=head.closes)
        await stream.send(said)
        return not closing

    async def _said(self, request: Request, *, closing: bool) -> tuple[bytes, bool]:
        try:
            answer = await self._handler(request)
            return written(answer, request.method, closing=closing), closing
        except DisconnectedError as fault:
            return (_HALF_AN_ANSWER if fault.phase == "body" else b""), True
        except ProtocolError:
            return _NO_HTTP, True
        except Exception as error:  # noqa: BLE001 - raised again, where no group wraps it.
            self.failure = self.failure or error
            self.give_up()
            return b"", True


async def _head(incoming: BufferedByteReceiveStream) -> Head:
    try:
        return parsed_head(await incoming.receive_until(b"\r\n\r\n", MAX_HEAD))
    except anyio.DelimiterNotFound:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        raise RefusedError(status, f"The head has more than {MAX_HEAD} bytes") from None


async def _body(incoming: BufferedByteReceiveStream, head: Head) -> bytes | None:
    length = framing(head)
    if length == "chunked":
        return await _chunks(incoming)
    return None if length is None else await incoming.receive_exactly(length)


async def _chunks(incoming: BufferedByteReceiveStream) -> bytes:
    body = bytearray()
    while size := chunk_size(await _line(incoming)):
        body += await incoming.receive_exactly(size)
        if await _line(incoming):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "A chunk is longer than it says")
    if await _line(incoming):
        raise RefusedError(HTTPStatus.NOT_IMPLEMENTED, "No trailer fields are taken")
    return bytes(body)


async def _line(incoming: BufferedByteReceiveStream) -> bytes:
    try:
        return await incoming.receive_until(b"\r\n", MAX_HEAD)
    except anyio.DelimiterNotFound:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "A line of the body is too long") from None


async def _refuse(stream: SocketStream, refusal: RefusedError) -> None:
    answer = Response(refusal.status, {"Content-Type": "text/plain"}, str(refusal).encode())
    await stream.send(written(answer, "GET", closing=True))
    await stream.send_eof()
    with anyio.move_on_after(_LINGER):
        while True:
            await stream.receive()

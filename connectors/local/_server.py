"""HTTP/1.1 before a backend: what HTTP adds to a request and its answer is dealt with here.

What means something goes to `handle(Request) -> Response`, its path and fields exactly as they were
sent. Nothing of aiohttp's own is answered or logged: its words repeat what it could not read, and
that may be a credential.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, final

import anyio
from aiohttp import web
from aiohttp.http import HttpProcessingError, HttpVersion11

from connectors._events import emit
from connectors.local._answers import Refusal, internal_error
from connectors.local._guard import Guard
from connectors.local._redirects import CALLBACK_PATH
from connectors.local._serving import Backend, CallbackHosts
from transports import MAX_BODY, Headers, Request, Response

_HEAD_TIMEOUT: Final = 30.0
_BODY_TIMEOUT: Final = 30.0
_LIMITS: Final[Mapping[str, Any]] = {
    "max_line_size": 8190,
    "max_field_size": 8190,
    "max_headers": 100,
    # From an answer to the end of the next request's head, however much of it has come.
    "keepalive_timeout": _HEAD_TIMEOUT,
    # How long the rest of a refused body is read, so that the sender hears why.
    "lingering_time": 2.0,
    # A packed body could unpack to any size; no client of this API packs one.
    "auto_decompress": False,
}


@asynccontextmanager
async def answering(
    listener: socket.socket,
    backend: Backend,
    guard: Guard,
    callback_hosts: CallbackHosts,
    grace: float,
) -> AsyncIterator[None]:
    """Answer what comes in on a socket that listens, until the block ends.

    Then requests under way have half of the grace to be answered and the rest to end when they are
    cancelled, also when this is cancelled itself.
    """
    server = _HTTPServer(_Exchange(backend, guard, callback_hosts))
    runner = web.ServerRunner(server, shutdown_timeout=grace / 2)
    try:
        await runner.setup()
        await web.SockSite(runner, listener).start()
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


@final
class _Exchange:
    """Turns one HTTP message into a request, and its answer into another."""

    def __init__(self, backend: Backend, guard: Guard, callback_hosts: CallbackHosts) -> None:
        self._backend = backend
        self._guard = guard
        self._callback_hosts = callback_hosts

    async def __call__(self, message: web.BaseRequest) -> web.Response:
        assert isinstance(message.protocol, _Connection)
        message.protocol.head_came()
        try:
            request = await self._request(message)
            return _message(await self._backend.handle(request))
        except Refusal as refusal:
            emit("debug", "connectors.local.refused", status=refusal.response.status)
            return _last_message(refusal.response)
        except Exception as error:  # noqa: BLE001 - aiohttp would print it.
            return _last_message(internal_error(error))

    async def _request(self, message: web.BaseRequest) -> Request:
        if message.version != HttpVersion11:
            raise Refusal(505, "This server speaks HTTP/1.1")
        try:
            headers = Headers(_fields(message))
            also = await self._hosts_besides(message.raw_path, headers)
            host = self._guard.check(message.method, headers, also)
            url = f"http://{host}{message.raw_path}"
            return Request(message.method, url, headers, await _body(message))
        except ValueError:
            raise Refusal(400, "The request line or a header field is malformed") from None

    async def _hosts_besides(self, path: str, headers: Headers) -> Collection[str]:
        """The hosts of a tunnel, for whoever comes through it with a code and for nobody else."""
        if path.partition("?")[0] != CALLBACK_PATH or self._guard.knows(headers):
            return ()
        return await self._callback_hosts()


def _fields(message: web.BaseRequest) -> Iterable[tuple[str, str]]:
    # Every byte is a character of Latin-1, so nothing is lost or changed.
    pairs = message.raw_headers
    return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs)


async def _body(message: web.BaseRequest) -> bytes | None:
    if not message.body_exists:
        return None
    if (message.content_length or 0) > MAX_BODY:
        raise _too_large()
    try:
        async with asyncio.timeout(_BODY_TIMEOUT):
            await _let_it_come(message)
            return await _read(message)
    except TimeoutError:
        raise Refusal(408, "The body did not come in time") from None
    except (OSError, web.RequestPayloadError, HttpProcessingError):
        raise Refusal(400, "The body ended early, or is not framed as the header says") from None


async def _let_it_come(message: web.BaseRequest) -> None:
    expected = message.headers.get("expect", "").lower()
    if expected == "100-continue":
        await message.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    elif expected:
        raise Refusal(417, "This server meets no expectation but 100-continue")


async def _read(message: web.BaseRequest) -> bytes:
    body = bytearray()
    async for chunk in message.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            raise _too_large()
    return bytes(body)


def _too_large() -> Refusal:
    return Refusal(413, f"A body has at most {MAX_BODY} bytes")


def _message(response: Response) -> web.Response:
    fields = [*response.headers.fields, ("server", "base44-connectors")]
    return web.Response(status=response.status, body=response.body, headers=fields)


def _last_message(response: Response) -> web.Response:
    message = _message(response)
    message.force_close()
    return message


class _Connection(web.RequestHandler):
    """A connection that answers in our words to what is no HTTP, and waits for no slow head."""

    __slots__ = ("_first_head",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the head of the first request, which not every aiohttp has a limit for."""
        loop = asyncio.get_running_loop()
        self._first_head = loop.call_later(_HEAD_TIMEOUT, self.force_close)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wait for nothing more."""
        self.head_came()
        super().connection_lost(exc)

    def head_came(self) -> None:
        """Wait no longer for it: what follows has limits of its own."""
        self._first_head.cancel()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be read, and tell no more of it than what kind of error it was."""
        del request, message  # They repeat it.
        emit("debug", "connectors.local.refused", status=status, error=type(exc).__name__)
        return _last_message(Refusal(status, "The request can't be read as HTTP").response)


class _HTTPServer(web.Server):
    """Makes such connections."""

    def __call__(self) -> web.RequestHandler:
        loop = asyncio.get_running_loop()
        # aiohttp's access log would have the query and header fields.
        return _Connection(self, loop=loop, access_log=None, **_LIMITS)  # type: ignore[arg-type]

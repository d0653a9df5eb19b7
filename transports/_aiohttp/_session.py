"""aiohttp's session, set up so that one `outcome` is one attempt and nothing else happens.

aiohttp does the connections and the parsing; what its defaults would add is switched off: cookies,
redirects, the environment, decompression, the total timeout, the silent second send. What an
attempt has reached is noted in its `Attempt` by the connector and the request, because afterwards
nobody knows. aiohttp's tracing would tell, too, but makes every request a tenth dearer.
"""

import asyncio
import io
import select
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, final

import aiohttp
import anyio
import anyio.to_thread
import attrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

from transports._aiohttp._translation import translated
from transports._attempt import Attempt
from transports._base import Request, Response
from transports._body import ACCEPT_ENCODING, Body
from transports._errors import ProtocolError, TransportError
from transports._headers import Headers
from transports._lifetime import Lifetime
from transports._loops import let_cancellation_in
from transports._proxy import Proxies, Proxy

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.tracing import Trace

_PIECE: Final = 64 * 1024
"""Bytes that are read at once, and buffered for a connection."""

_TURNS: Final = 8
"""Of the loop, in which it takes a connection that the peer has closed out of use."""

_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
"""They say where a message ends, which is for its writer to say (RFC 9112, section 6)."""

_current: ContextVar[Attempt] = ContextVar("_current")
"""The attempt that aiohttp is at work for, in the task of `outcome` and in those it starts."""


@final
@attrs.define(eq=False)
class Settings:
    """What every session of a transport is made with."""

    limit: int
    """Connections in all."""

    limit_per_host: int
    """Connections to one server."""

    proxies: Proxies
    """Which request goes through which proxy."""

    ssl_context: ssl.SSLContext | None = attrs.field(repr=False)
    """How TLS is verified; None until the system's certificates were needed."""


@final
class Session:
    """The connections of a transport in one asyncio event loop, the one that it is made in."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lifetime = Lifetime("transport")
        self._reading_certificates = anyio.Lock()
        self._client = aiohttp.ClientSession(
            connector=_Connector(
                limit=settings.limit,
                limit_per_host=settings.limit_per_host,
                # The system's resolver, like that of all other programs.
                resolver=aiohttp.ThreadedResolver(),
                socket_factory=_socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(),
            auto_decompress=False,
            read_bufsize=_PIECE,
            skip_auto_headers=("User-Agent", "Content-Type"),
            middlewares=(_once,),
            request_class=_CleanRequest,
        )

    @property
    def closed(self) -> bool:
        """Is there nothing left to close?"""
        return self._client.closed

    async def outcome(
        self, request: Request, scope: anyio.CancelScope
    ) -> Response | TransportError:
        """Make one attempt and return what became of it; nothing but cancellation is raised.

        Args:
            request: What is sent.
            scope: A new one, whose deadline is the attempt's.

        Cancelled, by the scope too, it ends at once; its connection is free again or closed.
        """
        try:
            with self._lifetime.attempt(request, scope) as attempt:
                try:
                    return await self._respond(attempt)
                except _OverError as over:
                    return translated(over.error, attempt)
                except Exception as error:  # noqa: BLE001 - no other may come out of a transport.
                    return translated(error, attempt)
        except TransportError as refusal:
            return refusal.with_traceback(None)
        return self._lifetime.ending(attempt)

    async def aclose(self) -> None:
        """End what is under way, with `TransportClosedError`, and close the connections.

        Cancelled, it still closes them.
        """
        self._lifetime.close()
        try:
            await self._lifetime.ended()
        finally:
            await self._client.close()

    async def release(self) -> None:
        """Close the connections of a loop that is gone, with all that was under way in it."""
        await self._client.close()

    async def _respond(self, attempt: Attempt) -> Response:
        began = anyio.current_time()
        await let_cancellation_in(asyncio.get_running_loop())
        try:
            answer = await self._ask(attempt)
            try:
                attempt.answer_begins()
                with _ending_with_its_connection(answer):
                    return await _received(answer, attempt, began)
            finally:
                answer.close()  # A complete one has given its connection back already.
        finally:
            _cut_off(attempt.connection)

    async def _ask(self, attempt: Attempt) -> aiohttp.ClientResponse:
        request = attempt.request
        proxy = self._settings.proxies.choose(request.url)
        secure = request.url.startswith("https:") or bool(proxy and proxy.url.startswith("https:"))
        verification = await self._verification() if secure else True
        token = _current.set(attempt)
        try:
            return await self._client.request(
                request.method,
                URL(request.url, encoded=True),
                headers=_fields(request, proxy),
                data=None if request.body is None else _Upload(request.body, attempt),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_read=request.timeouts.read),
                ssl=verification,
                proxy=URL(proxy.url, encoded=True) if proxy else None,
                proxy_headers=proxy.fields() if proxy else None,
            )
        finally:
            _current.reset(token)

    async def _verification(self) -> ssl.SSLContext:
        async with self._reading_certificates:
            context: ssl.SSLContext | None = self._settings.ssl_context
            if context is None:
                # It reads the system's certificates, which takes 30 to 45 ms.
                make = _system_context
                context = await anyio.to_thread.run_sync(make, abandon_on_cancel=True)
                self._settings.ssl_context = context
            return context


def _system_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _read_what_waits(connection: asyncio.Transport) -> None:
    """Let the loop read what has come over an idle connection while nothing let it run.

    That it is closed, most of all: what is sent over such a one is lost and counts as sent. asyncio
    needs two turns to take a connection out of use, and some more with TLS.
    """
    if _is_readable(connection):
        for _ in range(_TURNS):
            await asyncio.sleep(0)


if sys.platform == "win32":  # pragma: no cover - there is no Windows among the tests' machines.

    def _is_readable(_: asyncio.Transport) -> bool:
        return True  # Nobody can be asked, so the loop always has its turns.
else:

    def _is_readable(connection: asyncio.Transport) -> bool:
        poll = select.poll()
        poll.register(connection.get_extra_info("socket"), select.POLLIN)
        return bool(poll.poll(0))


def _cut_off(connection: asyncio.Transport | None) -> None:
    """End a connection that closes: it would wait until the peer has read what it did not get."""
    if connection is not None and connection.is_closing():
        connection.abort()


class _UncleanError(Exception):
    """Raised when something waits on an idle connection before anything was asked."""


class _OverError(Exception):
    """Raised in the place of an error that aiohttp would answer by sending again."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _Connector(aiohttp.TCPConnector):
    """Notes when a connection is made, because none of the pool serves.

    The method that does it is one that aiohttp's documentation gives to subclasses.
    """

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - it is aiohttp's method.
    ) -> "ResponseHandler":
        attempt = _current.get()
        attempt.connection_begins()
        made = await super()._create_connection(req, traces, timeout)
        attempt.connection_ends()
        return made


class _CleanRequest(aiohttp.ClientRequest):
    """Is not sent where an answer waits that nobody asked for: it would be taken for its own."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        assert conn.protocol is not None
        attempt = _current.get()
        if not attempt.is_first_on_connection:
            assert conn.transport is not None
            await _read_what_waits(conn.transport)
            if conn.protocol.should_close:
                raise _UncleanError
        attempt.connection = conn.transport
        attempt.headers_leave()
        return await super().send(conn)


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    while True:
        try:
            return await handler(request)
        except _UncleanError:  # Nothing was sent, and that connection is closed now.
            continue
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise _OverError(error) from None


class _Upload(aiohttp.BytesIOPayload):
    """A body that goes out piece by piece, and says when it is out."""

    def __init__(self, body: bytes, attempt: Attempt) -> None:
        super().__init__(io.BytesIO(body))
        self._attempt = attempt

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        await super().write_with_length(writer, content_length)
        self._attempt.body_left()


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    made = socket.socket(*address[:3])
    _current.get().dials(made)
    return made


def _fields(request: Request, proxy: Proxy | None) -> CIMultiDict[str]:
    fields: CIMultiDict[str] = CIMultiDict()
    spelt: dict[str, str] = {}
    for name, value in request.headers.fields:
        if name.lower() not in _FRAMING:
            # As it was spelt first: of two spellings aiohttp would send the last one's values only.
            fields.add(spelt.setdefault(name.lower(), name), value)
    fields.setdefault("Accept-Encoding", ACCEPT_ENCODING)
    if proxy is not None and request.url.startswith("http:"):
        fields.update(proxy.fields())  # Through a tunnel, the proxy would see none of this.
    return fields


@contextmanager
def _ending_with_its_connection(answer: aiohttp.ClientResponse) -> Iterator[None]:
    """End the body when the connection is gone.

    aiohttp closes the connection where the framing of a body is wrong, and tells nobody who reads.
    """
    protocol = None if answer.connection is None else answer.connection.protocol
    closed = None if protocol is None else protocol.closed

    def end(_: object) -> None:
        why = None if protocol is None else protocol.exception()
        if not answer.content.is_eof() and answer.content.exception() is None:
            answer.content.set_exception(why or aiohttp.ServerDisconnectedError())

    if closed is None:  # It is complete, or the connection is gone already.
        end(closed)
        yield
        return
    closed.remove_done_callback(_seen)  # Of the answer before this one.
    closed.add_done_callback(_seen)
    closed.add_done_callback(end)
    try:
        yield
    finally:
        closed.remove_done_callback(end)


def _seen(closed: "asyncio.Future[None]") -> None:
    """Take the error of a connection: asyncio logs what nobody has asked for."""
    _ = closed.cancelled() or closed.exception()


async def _received(answer: aiohttp.ClientResponse, attempt: Attempt, began: float) -> Response:
    if answer.status < HTTPStatus.OK:
        raise attempt.error(ProtocolError, f"The final answer had the status {answer.status}")
    codings = answer.headers.getall("Content-Encoding", ())
    body = Body(", ".join(codings), attempt.request.max_body)
    while piece := await answer.content.read(_PIECE):
        body.feed(piece)
    fields = Headers(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers
    )
    elapsed = anyio.current_time() - began
    return Response(answer.status, fields, body.complete(), elapsed=elapsed)

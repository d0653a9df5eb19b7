"""Carries requests with aiohttp, on asyncio.

aiohttp does the connections and the parsing; what its defaults would add is switched off: cookies,
redirects, the environment, decompression, the total timeout, the silent second send. One `send` is
one attempt. Three rules hold in here:

- What an attempt has reached is noted by hooks in its `Attempt`, and every exception is translated
  once, by the table at the end, with the phase and `maybe_sent` that were noted.
- The frames and the arguments of aiohttp's exceptions hold the fields of the request. So an error
  is returned up to `send`, which raises it: no traceback goes deeper, not even a cancellation's.
- A session belongs to the process and the event loop that first used it. It is held by an async
  generator, which asyncio closes with its loop: a forgotten `aclose` leaves nothing open.
"""

import asyncio
import io
import os
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import suppress
from contextvars import ContextVar
from http import HTTPStatus
from types import SimpleNamespace
from typing import Final, TypeAlias, final

import aiohttp
import anyio
import anyio.to_thread
import attrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from transports._attempt import Attempt
from transports._base import Request, Response
from transports._body import ACCEPT_ENCODING, Body, BodyCapError, BodyError
from transports._checks import not_ascii_problem
from transports._errors import (
    BodyTooLargeError,
    ConnectError,
    DisconnectedError,
    ForkedProcessError,
    Phase,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    ResolveError,
    TLSError,
    TransportError,
    WrongEventLoopError,
)
from transports._headers import Headers
from transports._lifetime import Lifetime
from transports._proxy import Proxy, find_proxies

__all__ = ["AiohttpTransport"]

_PIECE: Final = 64 * 1024
"""Bytes that are read at once, and buffered for a connection."""

_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
"""They say where a message ends, which is for its writer to say (RFC 9112, section 6)."""

_ASYNCIO_ONLY: Final = (
    "AiohttpTransport runs on asyncio only, for now: on trio, use MockTransport in tests, and "
    "Client.local() or a transport of your own elsewhere"
)
_FORKED: Final = (
    "The transport was used before this process was forked, and its connections are the parent's: "
    "make a new one in the child"
)
_OTHER_LOOP: Final = (
    "The transport is in use in another event loop: make one for each loop, or close it there first"
)

_current: ContextVar[Attempt] = ContextVar("_current")
"""The attempt that aiohttp is at work for, in the task of `send` and in those it starts."""


@final
class AiohttpTransport:
    """Sends requests over HTTP/1.1 with aiohttp; on asyncio only, for now.

    The session is made by the first `send` and belongs to its event loop and process. In a second
    event loop `send` raises `WrongEventLoopError` as long as the first one lives; once that is
    closed, as by a second `asyncio.run`, a new session is made in the new loop. In a forked child
    it raises `ForkedProcessError`.

    One `send` is one attempt: aiohttp's silent second one after a disconnect is switched off, so
    `maybe_sent` speaks of this request, sent at most once. URL and header fields go out as they
    are given, with `Host`, `Accept`, `Accept-Encoding` and `Content-Length` added; only a lone `?`
    at the end of a URL is dropped. A body in gzip or deflate is inflated. Of `request.timeouts`,
    `connect` spans name look-up, all addresses, TLS and the proxy; the wait for a free connection
    ends at the deadline only.

    Args:
        ssl_context: How TLS is verified. By default as the system does it; that context is made
            once, in a thread, when it is first needed.
        limit: Connections in all.
        limit_per_host: Connections to one server.
        proxy: The URL of a proxy for every request, with user name and password if it needs them.
        trust_env: Without `proxy`, read `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`
            from the environment, now and once.

    Raises:
        ValueError: A limit is below 1, or a proxy is no URL of a proxy.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        limit: int = 100,
        limit_per_host: int = 32,
        proxy: str | None = None,
        trust_env: bool = False,
    ) -> None:
        proxies = find_proxies(proxy, trust_env=trust_env)
        del proxy
        if isinstance(proxies, ValueError):
            raise proxies
        if min(limit, limit_per_host) < 1:
            raise ValueError("limit and limit_per_host are numbers of connections, from 1.")
        self._proxies = proxies
        self._limits = (limit, limit_per_host)
        self._ssl_context = ssl_context
        self._lifetime = Lifetime("transport")
        self._opened: _Opened | None = None

    async def send(self, request: Request, /) -> Response:
        """Make one attempt at a request and return the complete answer.

        Raises:
            TransportError: There is no answer.
            ValueError: The value of a header field is not ASCII; aiohttp would send other bytes.

        Cancelled, it ends at once; its connection is free again or closed.
        """
        problem = not_ascii_problem(request.headers)
        if problem:
            raise problem
        try:
            outcome = await self._outcome(request)
        except BaseException as error:  # noqa: BLE001 - it is raised again.
            raise _without_frames(error) from None
        if isinstance(outcome, TransportError):
            raise outcome
        return outcome

    async def aclose(self) -> None:
        """Close the connections; what is under way ends with `TransportClosedError`.

        A second call does nothing. In another event loop than the session's it hands the closing
        over to that loop and does not wait; in a forked child it leaves the connections of the
        parent alone. Cancelled, it still closes, which takes no time.
        """
        opened = self._opened
        if self._lifetime.closed or opened is None or opened.pid != os.getpid():
            self._lifetime.closed = True
        elif opened.loop.is_closed():
            self._lifetime.closed = True
            await opened.session.close()
        elif opened.loop is _running_loop():
            await self._close(opened)
        else:
            self._lifetime.closed = True
            with suppress(RuntimeError):  # That loop is closed just now, with its connections.
                opened.loop.call_soon_threadsafe(self._close_over_there, opened)

    def __repr__(self) -> str:
        state = "closed" if self._lifetime.closed else "open" if self._opened else "not used yet"
        return f"<AiohttpTransport {state}>"

    async def _outcome(self, request: Request) -> Response | TransportError:
        with self._lifetime.attempt(request) as attempt:
            try:
                return await self._respond(attempt)
            except Exception as error:  # noqa: BLE001 - nothing else may come out of a transport.
                return _translated(error, attempt)
        return self._lifetime.ending(attempt)

    async def _respond(self, attempt: Attempt) -> Response:
        began = anyio.current_time()
        opened = await self._use(attempt)
        await _notice_closed_connections()
        answer = await self._ask(opened, attempt)
        try:
            attempt.answer_begins()
            return await _received(answer, attempt, began)
        finally:
            answer.close()  # A complete one has given its connection back already.

    async def _use(self, attempt: Attempt) -> "_Opened":
        opened, loop = self._opened, _running_loop()
        if loop is None:
            raise attempt.error(WrongEventLoopError, _ASYNCIO_ONLY)
        if opened is None or opened.loop.is_closed():
            # Nothing waits in here, so it happens once for all who come at the same time.
            if opened is not None:
                await opened.session.close()
            self._opened = opened = await _open(loop, *self._limits)
        elif opened.pid != os.getpid():
            raise attempt.error(ForkedProcessError, _FORKED)
        elif opened.loop is not loop:
            raise attempt.error(WrongEventLoopError, _OTHER_LOOP)
        return opened

    async def _ask(self, opened: "_Opened", attempt: Attempt) -> aiohttp.ClientResponse:
        request = attempt.request
        proxy = self._proxies.choose(request.url)
        secure = request.url.startswith("https:") or bool(proxy and proxy.url.startswith("https:"))
        verification = await self._verification(opened) if secure else True
        token = _current.set(attempt)
        try:
            return await opened.session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=_fields(request, proxy),
                data=None if request.body is None else _Upload(request.body, attempt),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_read=request.timeouts.read),
                ssl=verification,
                proxy=URL(proxy.url, encoded=True) if proxy else None,
                proxy_headers=proxy.fields() if proxy else None,
                trace_request_ctx=attempt,
            )
        finally:
            _current.reset(token)

    async def _verification(self, opened: "_Opened") -> ssl.SSLContext:
        if self._ssl_context is not None:
            return self._ssl_context
        async with opened.lock:
            # It reads the system's certificates, which takes 30 to 45 ms.
            context: ssl.SSLContext | None = self._ssl_context
            if context is None:
                make = _system_context
                context = await anyio.to_thread.run_sync(make, abandon_on_cancel=True)
                self._ssl_context = context
            return context

    async def _close(self, opened: "_Opened") -> None:
        self._lifetime.close()
        with anyio.CancelScope(shield=True):
            try:
                await self._lifetime.ended()
            finally:
                await opened.keeper.aclose()

    def _close_over_there(self, opened: "_Opened") -> None:
        self._closing = opened.loop.create_task(self._close(opened))


@attrs.frozen(eq=False)
class _Opened:
    """A session, and what it is bound to."""

    session: aiohttp.ClientSession
    keeper: AsyncGenerator[aiohttp.ClientSession, None]
    loop: asyncio.AbstractEventLoop
    pid: int = attrs.field(factory=os.getpid)
    lock: anyio.Lock = attrs.field(factory=anyio.Lock)


async def _open(loop: asyncio.AbstractEventLoop, limit: int, limit_per_host: int) -> _Opened:
    keeper = _kept_open(limit, limit_per_host)
    return _Opened(await anext(keeper), keeper, loop)


async def _kept_open(
    limit: int, limit_per_host: int
) -> AsyncGenerator[aiohttp.ClientSession, None]:
    """A session until this is closed: by `aclose`, or by asyncio with its loop."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=limit,
            limit_per_host=limit_per_host,
            resolver=aiohttp.ThreadedResolver(),  # The system's, like that of all other programs.
            socket_factory=_socket,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),
        auto_decompress=False,
        read_bufsize=_PIECE,
        skip_auto_headers=("User-Agent", "Content-Type"),
        trace_configs=[_hooks()],
        middlewares=(_once,),
        request_class=_CleanRequest,
    )
    try:
        yield session
    finally:
        await session.close()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _system_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _notice_closed_connections() -> None:
    """Let the loop read what has come over idle connections while nothing let it run.

    That they are closed, most of all: what is sent over such a one is lost and counts as sent.
    asyncio needs two turns to take a connection out of use, and one more with TLS.
    """
    for _ in range(3):
        await asyncio.sleep(0)


def _without_frames(error: BaseException) -> BaseException:
    """Strip a cancellation of the frames of aiohttp that it came through.

    They hold the fields of the request, and a timeout that a caller makes of a cancellation shows
    what it was made of. anyio knows its own cancellations by their contexts, so those stay.
    """
    one: BaseException | None = error
    while one is not None:
        one.__traceback__ = None
        context = one.__context__
        one.__context__ = context if isinstance(context, asyncio.CancelledError) else None
        one = one.__context__
    return error


class _UncleanError(Exception):
    """Raised when something waits on an idle connection before anything was asked."""


class _OverError(Exception):
    """Raised in the place of an error that aiohttp would answer by sending again."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _CleanRequest(aiohttp.ClientRequest):
    """Is not sent where an answer waits that nobody asked for: it would be taken for its own."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        assert conn.protocol is not None
        if conn.protocol.should_close and not _current.get().is_first_on_connection:
            raise _UncleanError
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


def _hooks() -> aiohttp.TraceConfig:
    async def begins(_: object, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.connection_begins()

    async def ends(_: object, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.connection_ends()

    async def leaves(_: object, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.headers_leave()

    hooks = aiohttp.TraceConfig()
    hooks.on_connection_create_start.append(begins)
    hooks.on_connection_create_end.append(ends)
    hooks.on_request_headers_sent.append(leaves)
    return hooks


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    made = socket.socket(*address[:3])
    _current.get().dials(made)
    return made


def _fields(request: Request, proxy: Proxy | None) -> CIMultiDict[str]:
    pairs = request.headers.fields
    fields = CIMultiDict(pair for pair in pairs if pair[0].lower() not in _FRAMING)
    fields.setdefault("Accept-Encoding", ACCEPT_ENCODING)
    if proxy is not None and request.url.startswith("http:"):
        fields.update(proxy.fields())  # Through a tunnel, the proxy would see none of this.
    return fields


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


_NO_REQUEST: Final = aiohttp.RequestInfo(URL(), "", CIMultiDictProxy(CIMultiDict()), URL())

_Row: TypeAlias = tuple[type[Exception], type[TransportError], Phase | None, str]

_ERRORS: Final[tuple[_Row, ...]] = (
    (BodyCapError, BodyTooLargeError, None, "The body is larger than max_body"),
    (BodyError, ProtocolError, None, "The body cannot be decoded"),
    (aiohttp.ClientSSLError, TLSError, "tls", "The connection could not be secured"),
    (aiohttp.ClientConnectorDNSError, ResolveError, "resolve", "The host has no address"),
    (aiohttp.InvalidURL, ResolveError, "resolve", "The host is no name that can be looked up"),
    (UnicodeError, ResolveError, None, "The host is no name that can be looked up"),
    (aiohttp.ClientProxyConnectionError, ProxyError, "connect", "The proxy could not be reached"),
    (aiohttp.ClientHttpProxyError, ProxyError, "connect", "The proxy refused to connect"),
    (aiohttp.ClientConnectorError, ConnectError, None, "No connection could be made"),
    (aiohttp.ServerTimeoutError, ReadTimeoutError, None, "Nothing more came in time"),
    (aiohttp.ClientPayloadError, DisconnectedError, None, "The connection broke in the body"),
    (aiohttp.ClientConnectionError, DisconnectedError, None, "The connection broke"),
    (aiohttp.ClientResponseError, ProtocolError, None, "What came back is not HTTP"),
    (HttpProcessingError, ProtocolError, None, "What came back is not HTTP"),
    (ValueError, ProtocolError, None, "What came back is not HTTP"),
    (OSError, DisconnectedError, None, "The connection broke"),
    (Exception, TransportError, None, "aiohttp failed"),
)
"""Which error is which of ours, the most specific first, and in which phase if not where it is."""


def _translated(error: Exception, attempt: Attempt) -> TransportError:
    if isinstance(error, _OverError):
        error = error.error
    if isinstance(error, TransportError):
        error.__context__ = None
        return error.with_traceback(None)
    _, kind, phase, sentence = next(row for row in _ERRORS if isinstance(error, row[0]))
    cause = _cause(error)
    failure = attempt.error(kind, sentence + _detail(error, cause), phase)
    failure.__cause__ = cause
    return failure


def _cause(error: BaseException) -> BaseException | None:
    """What can be chained: what the system said, or an empty error of aiohttp's class."""
    said: BaseException | None = error
    while said is not None:
        if isinstance(said, OSError) and not isinstance(said, aiohttp.ClientError):
            said.__cause__ = said.__context__ = None
            return said.with_traceback(None)
        said = getattr(said, "os_error", None) or said.__cause__
    if isinstance(error, aiohttp.ClientResponseError):
        return type(error)(_NO_REQUEST, (), status=error.status)
    if isinstance(error, aiohttp.InvalidURL):
        return type(error)("")
    if isinstance(error, aiohttp.ClientError | HttpProcessingError):
        return type(error).__new__(type(error))
    return None


def _detail(error: Exception, cause: BaseException | None) -> str:
    if isinstance(cause, OSError) and cause.strerror:
        return f": {cause.strerror}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f": it answered with status {error.status}"
    if isinstance(error, BodyError):
        return f": {error}"
    return "" if cause else f": {type(error).__name__}"

"""Carries requests with aiohttp, on asyncio and on trio.

What carries them is a session, and a session has a home: the asyncio loop that runs, or, on trio,
one in a thread of its own. Three rules hold in here:

- A home belongs to the process and the event loop that first used it, and elsewhere there is an
  error with a name.
- It is held by an async generator, which asyncio and trio close with their loop, and a transport
  that nobody holds any more has it closed: a forgotten `aclose` leaves nothing open.
- The frames of aiohttp hold the fields of the request. So an error is returned up to `send`, which
  raises it: no traceback goes deeper, not even a cancellation's.
"""

import asyncio
import os
import ssl
import threading
import warnings
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from typing import Final, final

import attrs

from transports._aiohttp._home import Here, Home
from transports._aiohttp._session import Settings
from transports._attempt import unsent
from transports._base import Request, Response
from transports._checks import not_ascii_problem
from transports._errors import (
    ForkedProcessError,
    TransportClosedError,
    TransportError,
    WrongEventLoopError,
)
from transports._loops import call_soon, current_loop, is_running, spawn
from transports._proxy import find_proxies

__all__ = ["AiohttpTransport"]

_CLOSED: Final = "The transport is closed: make a new one"
_NOT_OPENED: Final = "No connection could be made, because nothing to make it with could be started"
_FORKED: Final = (
    "The transport was used before this process was forked, and its connections are the parent's: "
    "make a new one in the child"
)
_OTHER_LOOP: Final = (
    "The transport is in use in another event loop: make one for each loop, or close it there first"
)
_FORGOTTEN: Final = (
    "An AiohttpTransport was not closed: await its aclose(), or that of the client that made it, "
    "or use the client in `async with`"
)


@final
class AiohttpTransport:
    """Sends requests over HTTP/1.1 with aiohttp, on asyncio and on trio.

    The connections are made by the first `send` and belong to its event loop and process. On trio,
    where aiohttp does not run, they live in an asyncio loop in a thread of the transport's own.
    In a second event loop `send` raises `WrongEventLoopError` as long as the first one lives; once
    that is over, as in a second `asyncio.run`, it works again. In a forked child it raises
    `ForkedProcessError`; that child must not go on in the loop that it was forked in, but end, or
    run a new one. A transport that is never closed is closed with its event loop, with a
    `ResourceWarning`.

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

    _opened: "_Opened | None" = None
    _closed = False

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
        self._settings = Settings(limit, limit_per_host, proxies, ssl_context)
        self._lock = threading.Lock()

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

        A second call does nothing. In another event loop than that of the connections it hands the
        closing over to that loop and does not wait; in a forked child it leaves the connections of
        the parent alone. Cancelled, it still closes, which takes no time.

        Only the look-up of a name can't be ended: its thread lives until the system answers.
        """
        with self._lock:
            opened, already = self._opened, self._closed
            self._closed = True
        if already or opened is None or opened.pid != os.getpid():
            return
        if opened.home.is_over:
            await opened.home.release()
        elif is_running(opened.loop):
            await opened.aclose()
        else:
            opened.close_soon()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._opened else "not used yet"
        return f"<AiohttpTransport {state}>"

    async def _outcome(self, request: Request) -> Response | TransportError:
        opened = await self._use(request)
        return opened if isinstance(opened, TransportError) else await opened.home.outcome(request)

    async def _use(self, request: Request) -> "_Opened | TransportError":
        while not self._closed:
            opened = self._opened
            if opened is None:
                try:
                    made = await _open(self._settings)
                except (OSError, RuntimeError) as error:
                    return unsent(TransportError, f"{_NOT_OPENED}: {error}", request)
                if not self._take(made):
                    await made.aclose()
            elif opened.home.is_over:
                self._let_go(opened)
                await opened.home.release()
            elif opened.pid != os.getpid():
                return unsent(ForkedProcessError, _FORKED, request)
            elif not is_running(opened.loop):
                return unsent(WrongEventLoopError, _OTHER_LOOP, request)
            else:
                return opened
        return unsent(TransportClosedError, _CLOSED, request)

    def _take(self, made: "_Opened") -> bool:
        """Keep what was opened, unless another thread has opened or closed meanwhile."""
        with self._lock:
            if self._closed or self._opened is not None:
                return False
            self._opened = made
            return True

    def _let_go(self, opened: "_Opened") -> None:
        with self._lock:
            self._opened = None if self._opened is opened else self._opened

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        opened = self._opened
        if self._closed or opened is None or opened.pid != os.getpid() or opened.home.is_over:
            return
        opened.end.is_told = True
        opened.close_soon()
        _warn(_FORGOTTEN, ResourceWarning, stacklevel=1, source=self)  # It may be an error.


@attrs.frozen(eq=False)
class _Opened:
    """The home of a session, and what it is bound to."""

    home: Home
    keeper: AsyncGenerator[None, None]
    end: "_End"
    loop: object

    @property
    def pid(self) -> int:
        """The process that it belongs to."""
        return self.end.pid

    async def aclose(self) -> None:
        try:
            await self.home.aclose()
        finally:
            with suppress(RuntimeError):  # The loop that ends is closing it already.
                await self.keeper.aclose()

    def close_soon(self) -> None:
        """Have it closed in its own loop, unless that is ending, which closes it, too."""
        call_soon(self.loop, self._begin_closing)

    def _begin_closing(self) -> None:
        try:
            spawn(self.loop, self.aclose, lambda _: None)
        except RuntimeError:
            # A run of trio that ends takes no tasks. It ends the generators that are left, so the
            # keeper must not go before.
            self.end.last = self


@attrs.define(eq=False)
class _End:
    """What the keeper is to know at the end."""

    is_told: bool = False
    """Was it said already that nobody has closed?"""

    last: _Opened | None = None
    """What has to live until then."""

    pid: int = attrs.field(factory=os.getpid)
    """The process that may close."""


async def _open(settings: Settings) -> _Opened:
    loop = current_loop()
    if isinstance(loop, asyncio.AbstractEventLoop):
        return await _opened(Here, settings, loop)
    from transports._aiohttp._thread import InAThread, uninterrupted  # noqa: PLC0415 - needs trio.

    return await uninterrupted(partial(_opened, InAThread, settings, loop))


async def _opened(make: Callable[[Settings], Home], settings: Settings, loop: object) -> _Opened:
    home, end = make(settings), _End()
    keeper = _kept(home, end)
    await anext(keeper)
    return _Opened(home, keeper, end, loop)


async def _kept(home: Home, end: _End) -> AsyncGenerator[None, None]:
    """Last until this is closed: after `aclose`, or by asyncio or trio, with the loop."""
    try:
        yield
    finally:
        if end.pid == os.getpid() and not home.is_over:
            await home.aclose()
            if not end.is_told:
                warnings.warn(_FORGOTTEN, ResourceWarning, stacklevel=1, source=home)


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

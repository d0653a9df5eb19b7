"""The way of a call: coalesced, then retried, then sent; encoded before and decoded after.

Coalescing is outside retrying, so a herd shares one sequence of attempts and one decoding. An
engine belongs to a client and all the views derived from it; what differs between views comes with
each call. It opens no task group, so it may be closed in another task than it was made in.
"""

import os
from collections.abc import Callable
from functools import partial
from secrets import token_hex
from typing import TypeAlias, TypeVar, final

import anyio
import anyio.lowlevel
import attrs

from connectors._coalescer import (
    Coalescer,
    CoalescerClosedError,
    FetchCancelledError,
    ReentrantFetchError,
)
from connectors._errors import (
    ClientClosedError,
    ClientUsageError,
    ConnectorsError,
    InterruptedCallError,
)
from connectors._events import emit
from connectors._models import Connection
from connectors._recent import Recent
from connectors._redaction import Redactor
from connectors._refusals import error_of, error_without_answer
from connectors._retry import Outcome, RetryBudget, RetryPolicy, send_with_retries
from connectors._wire import decode
from transports import Request, Response, Transport, TransportError
from transports._loops import call_soon, current_loop, current_time, is_running

T = TypeVar("T")


@attrs.frozen
class Options:
    """How patient a call is."""

    timeout: float
    """Seconds for all attempts of a call and the sleeps between them."""

    retry: RetryPolicy
    """When it is tried again."""


# A coalesced call is looked up half a dozen times.
@attrs.frozen(cache_hash=True)
class Call:
    """A request with all that belongs to it."""

    request: Request
    options: Options
    redactor: Redactor = attrs.field(eq=False)
    """Hides the credentials of the request; two equal requests have the same."""


@attrs.frozen(eq=False)
class _Alone:
    """A call that is shared with nobody, under way."""

    loop: object
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    done: anyio.Event = attrs.field(factory=anyio.Event)
    pid: int = attrs.field(factory=os.getpid)

    def cancel(self) -> None:
        """Cancel it from whatever thread. Its loop may be gone, and then there is nothing to do."""
        if is_running(self.loop):
            self.scope.cancel()
        elif self.pid == os.getpid():
            # In a forked child, one of its locks may be held by a thread that stayed behind.
            call_soon(self.loop, self.scope.cancel)


Decoder: TypeAlias = Callable[[Response, Request, str], T]
"""Takes the answer, the request and the call's id; returns the value or raises."""


@final
class Engine:
    """Sends the calls of a client and its views through one transport."""

    def __init__(self, transport: Transport, *, owns_transport: bool) -> None:
        self._transport = transport
        self._owns_transport = owns_transport
        self._coalescer = Coalescer[Call, Connection]()
        self._budget = RetryBudget()
        self._recent = Recent()
        self._alone = set[_Alone]()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Has `aclose` been called?"""
        return self._closed

    async def connection(
        self, call: Call, asked: Call, *, max_age: float | None, rejected: Connection | None
    ) -> Connection:
        """A connection, fetched together with everybody who asks for the same one now.

        Args:
            call: What is wanted: the same whichever connection was rejected, so that all find what
                one of them has fetched.
            asked: What is sent for it.
            max_age: How old a connection may be that was fetched before.
            rejected: The one that it must not be.

        Raises:
            ConnectorsError: There is none; each caller gets an error of its own.

        Cancelled, it ends at once; the fetch goes on while somebody else waits for it.
        """
        self._check_open()
        if max_age is not None or rejected is not None:
            known = self._recent.find(call, max_age=max_age, rejected=rejected)
            if known is not None:
                await anyio.lowlevel.checkpoint()
                return known
        try:
            return await self._coalescer.run(
                asked, partial(self._fetch, call, asked), on_join=partial(_coalesced, asked.request)
            )
        except CoalescerClosedError:
            raise _closed() from None
        except ReentrantFetchError as error:
            raise ClientUsageError(str(error)) from error
        except FetchCancelledError as error:
            raise _interrupted(asked.request) from error

    async def alone(self, call: Call, decoder: Decoder[T]) -> T:
        """One call that is shared with nobody.

        Raises:
            ConnectorsError: It failed.

        Cancelled, it ends at once; whether the service has executed it is then not known.
        """
        self._check_open()
        alone = _Alone(current_loop())
        with alone.scope:
            self._alone.add(alone)
            try:
                return await self._exchange(call, decoder)
            finally:
                self._alone.remove(alone)
                alone.done.set()
        raise _closed()

    async def aclose(self) -> None:
        """End every call with `ClientClosedError`, wait for them, and free the transport.

        A second call does nothing new. Calls in other event loops end without being waited for.
        Cancelled, it still closes a transport that is its own.
        """
        self._closed = True
        self._recent.clear()
        try:
            under_way = tuple(self._alone)
            for alone in under_way:
                alone.cancel()
            await self._coalescer.aclose()
            for alone in under_way:
                if is_running(alone.loop):
                    await alone.done.wait()
        finally:
            if self._owns_transport:
                with anyio.CancelScope(shield=True):
                    await self._transport.aclose()

    async def _fetch(self, call: Call, asked: Call) -> Connection:
        began = current_time()
        connection = await self._exchange(asked, _decoded_connection)
        self._recent.remember(call, connection, began)
        return connection

    async def _exchange(self, call: Call, decoder: Decoder[T]) -> T:
        request_id = call.request.headers.get("x-request-id") or token_hex(16)
        deadline = current_time() + call.options.timeout
        outcome = await send_with_retries(
            self._transport,
            call.request.until(deadline),
            call.options.retry,
            self._budget,
            request_id=request_id,
        )
        try:
            return _settled(call, outcome, decoder, request_id)
        except ConnectorsError as error:
            _report(error, outcome)
            raise

    def _check_open(self) -> None:
        if self._closed:
            raise _closed()


def _settled(call: Call, outcome: Outcome, decoder: Decoder[T], request_id: str) -> T:
    result = outcome.result
    if isinstance(result, TransportError):
        raise error_without_answer(result, request_id=request_id) from result
    if result.status // 100 == 2:  # noqa: PLR2004 - the family of successes.
        return decoder(result, call.request, request_id)
    raise error_of(
        result,
        call.request,
        redactor=call.redactor,
        retry_after=outcome.retry_after,
        request_id=request_id,
    )


def _decoded_connection(response: Response, request: Request, request_id: str) -> Connection:
    return decode(response, request, Connection, request_id=request_id)


def _closed() -> ClientClosedError:
    return ClientClosedError("The client is closed; make a new one, or close it later")


def _interrupted(request: Request) -> InterruptedCallError:
    return InterruptedCallError(
        "The request was cancelled by somebody other than those who shared it, as by an event loop "
        "that shuts down",
        method=request.method,
        url=request.url,
    )


def _coalesced(request: Request) -> None:
    emit("debug", "connectors.coalesced", method=request.method, url=request.url)


def _report(error: ConnectorsError, outcome: Outcome) -> None:
    emit(
        "info",
        "connectors.error",
        error=type(error).__name__,
        method=error.method,
        url=error.url,
        status=error.status,
        code=error.code,
        attempts=outcome.attempts,
        request_id=error.request_id,
    )

"""A promise of every transport, as a value: it has a name, and can be checked.

A check gets nothing but a way to stand a handler behind the transport, so it sees what a user of
the transport sees and no more. What it finds it says in full: nobody rewrites the asserts of a
library, so expected and found stand in the message, and what to do about it.
"""

import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, NoReturn, TypeAlias, TypeVar, final

import anyio
import attrs

from transports._base import Request, Response, Transport
from transports._errors import TransportError
from transports.testing._loopback import Handler

Serve: TypeAlias = Callable[[Handler], AbstractAsyncContextManager[tuple[Transport, str]]]
"""Stands a handler behind a new transport; gives the transport and the URL that the handler is at.

The transport should have one connection at most, if it has any: then a promise that a connection is
free again can fail. Leaving the context closes the transport."""

PATIENCE: Final = 10.0
"""Seconds after which something that should have ended long ago is said to hang."""

_KNOWN: Final = frozenset({"builtins", "transports"})

_E = TypeVar("_E", bound=TransportError)


class BrokenPromiseError(AssertionError):
    """Raised when a transport does not keep a promise."""

    promise: str
    """The promise, in words."""

    expected: str
    """What should have come."""

    found: str
    """What came instead."""

    advice: str
    """What to do about it."""

    def __init__(self, promise: str, expected: str, found: str, advice: str) -> None:
        super().__init__(promise, expected, found, advice)
        self.promise = promise
        self.expected = expected
        self.found = found
        self.advice = advice

    def __str__(self) -> str:
        return (
            f"The transport breaks a promise: {self.promise}.\n"
            f"  Expected: {self.expected}.\n"
            f"  Found:    {self.found}.\n"
            f"  To do:    {self.advice}"
        )


@final
@attrs.frozen(eq=False)
class Promise:
    """What every transport keeps, whatever carries its requests."""

    name: str
    """The promise, as a sentence without its full stop; `str(promise)` is that too."""

    advice: str = attrs.field(repr=False)
    """What to do about a transport that breaks it."""

    needs_wire: bool = attrs.field(repr=False)
    """Is it a promise only of what opens connections? Leave those out for a transport in memory."""

    _keep: Callable[["Trial"], Awaitable[None]] = attrs.field(repr=False)
    _patience: float = attrs.field(repr=False)

    async def check(self, serve: Serve, /) -> None:
        """Put a transport to the test.

        It runs in any event loop that the transport runs in, with real time, or with a virtual one
        for a transport that waits for nothing outside.

        Args:
            serve: Stands a handler behind a new transport. After a fork the promise is checked in
                a process of its own, which has to import it: a function of a module, no lambda.

        Raises:
            BrokenPromiseError: The transport does not keep the promise.

        Cancelled, it ends as soon as the transport does; a thread or process that it has started
        is left to itself and ends within half a minute.
        """
        trial = Trial(self, serve)
        try:
            with anyio.move_on_after(self._patience) as scope:
                await self._keep(trial)
        except BaseExceptionGroup as group:
            # `serve` may hold a task group, and that wraps the verdict.
            broken, others = group.split(BrokenPromiseError)
            if broken is None or others is not None:
                raise
            alone = _only(broken)
            raise alone from alone.__cause__
        if scope.cancelled_caught:
            trial.fail("it to be done in no time", f"nothing: after {PATIENCE:g} s it waits still")

    def __str__(self) -> str:
        return self.name


def promise(
    name: str, advice: str, *, needs_wire: bool = False, patience: float = PATIENCE
) -> Callable[[Callable[["Trial"], Awaitable[None]]], Promise]:
    """Make a promise of the coroutine function that checks it."""

    def made(keep: Callable[[Trial], Awaitable[None]]) -> Promise:
        return Promise(name, advice, needs_wire, keep, patience)

    return made


FOREVER: Final = math.inf
"""The patience with a check that waits for threads, which a virtual clock knows nothing of."""


@final
@attrs.frozen(eq=False)
class Trial:
    """One check of one promise: the way to the transport, and the verdict."""

    _promise: Promise

    serve: Serve
    """Stands a handler behind a new transport."""

    def fail(self, expected: str, found: object) -> NoReturn:
        """Say that the promise is broken.

        Raises:
            BrokenPromiseError: Always.
        """
        __tracebackhide__ = True  # What failed is in the message; pytest shows the rest.
        cause = found if isinstance(found, Exception) else None
        raise BrokenPromiseError(
            self._promise.name, expected, told(found), self._promise.advice
        ) from cause

    def expect(self, kept: object, expected: str, found: object) -> None:
        """Fail unless something holds."""
        __tracebackhide__ = True
        if not kept:
            self.fail(expected, found)

    def expect_answer(
        self, found: object, status: int = 200, body: bytes | None = None
    ) -> Response:
        """Fail unless an answer came, with that status and, if one is named, that body."""
        __tracebackhide__ = True
        said = f"an answer with status {status}"
        said += "" if body is None else f" and the body {_start(body)}"
        if not isinstance(found, Response):
            self.fail(said, found)
        kept = found.status == status and body in {None, found.body}
        self.expect(kept, said, found)
        return found

    def expect_error(self, found: object, kind: type[_E], *, maybe_sent: bool | None = None) -> _E:
        """Fail unless an error of that kind came with this `maybe_sent`, if one is named."""
        __tracebackhide__ = True
        said = kind.__name__
        said += "" if maybe_sent is None else f" with maybe_sent={maybe_sent}"
        if not isinstance(found, kind):
            self.fail(said, found)
        self.expect(maybe_sent in {None, found.maybe_sent}, said, found)
        return found

    async def close(self, transport: Transport) -> None:
        """Close a transport, which must not fail."""
        try:
            await transport.aclose()
        except Exception as error:  # noqa: BLE001 - whatever it is, it should not be.
            self.fail("aclose() to return", error)


def told(found: object) -> str:
    """What came, in a line."""
    match found:
        case Response():
            return f"{found!r} with the body {_start(found.body)}"
        case Exception():
            # Other libraries have a ConnectError, too.
            kind = type(found)
            origin = kind.__module__.partition(".")[0]
            said = kind.__name__ if origin in _KNOWN else f"{origin}.{kind.__name__}"
            return f"{said}: {found}"
        case None:
            return "nothing"
        case _:
            return str(found)


def _start(body: bytes) -> str:
    most = 60
    return repr(body) if len(body) <= most else f"{body[:most]!r}... of {len(body)} bytes"


def _only(group: BaseExceptionGroup[BrokenPromiseError]) -> BrokenPromiseError:
    first = group.exceptions[0]
    return first if isinstance(first, BrokenPromiseError) else _only(first)


async def outcome(transport: Transport, request: Request) -> Response | Exception:
    """What `send` returns or raises; only cancellation passes."""
    try:
        return await transport.send(request)
    except Exception as error:  # noqa: BLE001 - what it may be is for the promise to say.
        return error

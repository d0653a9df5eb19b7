"""How far one attempt over a network came, and what it failed of.

The phase decides which timeout it is, and whether the server could have seen the request decides
who may send it again. Both are noted as they happen, because afterwards nobody knows. In doubt,
the request counts as sent.
"""

import asyncio
import socket
from typing import Final, final

import anyio
import attrs

from transports._base import Request
from transports._errors import (
    ConnectTimeoutError,
    Phase,
    PoolTimeoutError,
    ReadTimeoutError,
    TransportError,
    TransportTimeoutError,
)

_TIMEOUTS: Final[dict[Phase, tuple[type[TransportTimeoutError], str]]] = {
    "pool": (PoolTimeoutError, "No connection became free"),
    "resolve": (ConnectTimeoutError, "The server's name was not looked up"),
    "connect": (ConnectTimeoutError, "No connection was made"),
    "tls": (ConnectTimeoutError, "The connection was not secured"),
    "send": (ReadTimeoutError, "The request was not sent"),
    "headers": (ReadTimeoutError, "No answer came"),
    "body": (ReadTimeoutError, "The answer was not complete"),
}


@final
@attrs.define(eq=False)
class Attempt:
    """One attempt: its request, the scope that limits it, and where it is."""

    request: Request
    """What is sent."""

    scope: anyio.CancelScope = attrs.field(repr=False)
    """Ends it. Its deadline is nearer while a connection is made."""

    deadline: float = attrs.field(init=False, repr=False)
    """When it must have ended, on the clock of the loop that it runs in."""

    maybe_sent: bool = False
    """Could the server have seen the request?"""

    is_first_on_connection: bool = False
    """Was its connection made for it?"""

    connection: asyncio.Transport | None = attrs.field(default=None, repr=False)
    """What it is sent over."""

    _phase: Phase = "pool"
    _dialled: list[socket.socket] = attrs.field(factory=list, init=False, repr=False)

    @deadline.default
    def _deadline_of_the_scope(self) -> float:
        return self.scope.deadline

    @property
    def phase(self) -> Phase:
        """Where it is. TLS begins when the first of the sockets has its other end."""
        secure = self.request.url.startswith("https:")
        if self._phase == "connect" and secure and any(map(_has_peer, self._dialled)):
            return "tls"
        return self._phase

    def connection_begins(self) -> None:
        """No connection of the pool serves; a new one is made, name look-up first."""
        self._phase = "resolve"
        if self.request.timeouts.connect is not None:
            limit = anyio.current_time() + self.request.timeouts.connect
            self.scope.deadline = min(self.deadline, limit)

    def dials(self, *socks: socket.socket) -> None:
        """The name is known; an address of it is tried, over a socket if it is a real one."""
        self._phase = "connect"
        self._dialled.extend(socks)

    def connection_ends(self) -> None:
        """The connection is there, secured if it has to be."""
        self._phase = "send"
        self.is_first_on_connection = True
        self.scope.deadline = self.deadline
        self._dialled.clear()

    def headers_leave(self) -> None:
        """The request begins to go out; from here on the server may see it."""
        self.maybe_sent = True
        self._phase = "headers" if self.request.body is None else "send"

    def body_left(self) -> None:
        """The request is out. An answer that came first has set a later phase."""
        if self._phase == "send":
            self._phase = "headers"

    def answer_begins(self) -> None:
        """Status and header fields are there."""
        self._phase = "body"

    def error(
        self, kind: type[TransportError], message: str, phase: Phase | None = None
    ) -> TransportError:
        """An error of this attempt."""
        return kind(
            message,
            method=self.request.method,
            url=self.request.url,
            phase=phase or self.phase,
            maybe_sent=self.maybe_sent,
        )

    def timeout(self) -> TransportError:
        """The error for the limit or the deadline that passed here."""
        kind, what = _TIMEOUTS[self.phase]
        at_the_deadline = self.scope.deadline == self.deadline
        limit = f"within {self.request.timeouts.connect} s"
        return self.error(kind, f"{what} {'before the deadline' if at_the_deadline else limit}")


def unsent(kind: type[TransportError], message: str, request: Request) -> TransportError:
    """The error of a request for which no attempt begins."""
    return kind(message, method=request.method, url=request.url, phase="pool", maybe_sent=False)


def _has_peer(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:  # Not connected yet, or closed already.
        return False
    return True

"""Refuses connections to other machines while a test runs, and remembers who tried.

It listens to what Python itself tells of its sockets (PEP 578), so nothing is patched and every
library is heard that goes through the module `socket`, in whatever thread. The program may swallow
the error that it gets, so the attempt is kept until the test is told of it. A hook can't be taken
back: there is one for the process, added with the first guard, which looks for the one that is on.

What goes past that module is not heard. uvloop's `create_connection`, look-ups and datagrams are
libuv's, so httpx and `asyncio.open_connection` are not heard there; aiohttp is, when it connects,
because it makes its sockets itself. Windows' proactor loop connects by itself, too, but it looks up
names as all do. Other processes are out of reach.
"""

import os
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Final, TypeAlias, final

from connectors._pytest_plugin._hosts import Hosts

_WHAT_TO_DO: Final = (
    "A test talks to this machine only. Answer from memory with the fixture mock_connectors or a "
    "MockTransport, or record a cassette with the fixture connectors_cassette and "
    "--connectors-record=once. If it has to be so, there are @pytest.mark.connectors_allow_network "
    "for the test, and in the configuration of pytest connectors_allow_hosts for the host and "
    "connectors_guard for all"
)


class RealConnectionError(AssertionError):
    """Raised when a test opens a connection to another machine, or looks its name up."""


@final
class Guard:
    """Watches the tests of a session, one at a time.

    Args:
        hosts: What may be reached.
        root: The folder of the project, to name the line that connects.
    """

    def __init__(self, hosts: Hosts, root: str) -> None:
        self._hosts = hosts
        self._root = os.path.join(root, "")  # noqa: PTH118 - a prefix of paths, as text.
        self._test = "Before the first test something"
        self._attempts: deque[str] = deque()
        self._strays: list[str] = []
        self.open = False
        """May everything be reached?"""

    @contextmanager
    def on(self) -> Iterator[None]:
        """Be the guard of this process."""
        _add_hook()
        before, _state.guard = _state.guard, self
        try:
            yield
        finally:
            _state.guard = before

    def begin(self, test: str, *, is_open: bool) -> None:
        """Watch a test.

        Args:
            test: Its name.
            is_open: Let it reach everything.
        """
        self._strays += self._taken()
        self._test = test
        self.open = is_open

    def end(self) -> None:
        """Say of what comes now that the test is over."""
        self._test = f"After {self._test} something"

    def take(self) -> RealConnectionError | None:
        """What the test has tried since this was asked for the last time."""
        attempts = self._taken()
        return RealConnectionError("\n".join([*attempts, _WHAT_TO_DO])) if attempts else None

    def take_strays(self) -> list[str]:
        """What was tried when no test was there to be told of it."""
        strays, self._strays = [*self._strays, *self._taken()], []
        return strays

    def _taken(self) -> list[str]:
        taken: dict[str, None] = {}
        while self._attempts:
            taken[self._attempts.popleft()] = None
        return list(taken)

    def check(self, event: str, arguments: "_Arguments") -> None:
        """Refuse what an event of a socket says, if it leads to another machine.

        Raises:
            RealConnectionError: It does.
        """
        __tracebackhide__ = True
        what, host, is_refused = _EVENTS[event](self._hosts, arguments)
        if not is_refused:
            return
        thread = threading.current_thread()
        beside = "" if thread is threading.main_thread() else f" in the thread {thread.name!r}"
        place = _place(sys._getframe(), self._root)  # noqa: SLF001 - there is no other way.
        attempt = f"{self._test} {what} {host}{place}{beside}."
        self._attempts.append(attempt)
        raise RealConnectionError(f"{attempt} {_WHAT_TO_DO}")


_Arguments: TypeAlias = tuple[object, ...]
_Reading: TypeAlias = tuple[str, str, bool]
"""What is done, to which host, and whether it is refused."""


def _connecting(hosts: Hosts, arguments: _Arguments) -> _Reading:
    sock, address = arguments
    # Without an address it goes where the socket is connected to.
    if getattr(sock, "family", None) not in _FAMILIES or not isinstance(address, tuple):
        return "", "", False
    host = _text(address[0]) or ""
    return "connects to", f"{host} port {address[1]}", not hosts.may_connect(host)


def _looking_up(hosts: Hosts, arguments: _Arguments) -> _Reading:
    name = _text(arguments[0])
    if name is None:
        return "", "", False
    return "looks up the name", name, not hosts.may_look_up(name)


def _text(host: object) -> str | None:
    """The name of a host, which may be in bytes."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes | bytearray) else host
    return text if isinstance(text, str) else None


_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6})
_EVENTS: Final[Mapping[str, Callable[[Hosts, _Arguments], _Reading]]] = {
    "socket.connect": _connecting,
    "socket.sendto": _connecting,
    "socket.sendmsg": _connecting,
    "socket.getaddrinfo": _looking_up,
    "socket.gethostbyname": _looking_up,
    "socket.gethostbyaddr": _looking_up,
}


def _place(frame: FrameType | None, root: str) -> str:
    """The nearest line of the project on the stack; there is none in a thread of a look-up."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(root) and "site-packages" not in file and file not in _OURS:
            return f" at {file.removeprefix(root)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


_OURS: Final = frozenset({__file__})


@final
class _State:
    guard: Guard | None = None
    is_listening = False


_state: Final = _State()


def _add_hook() -> None:
    if not _state.is_listening:
        _state.is_listening = True
        sys.addaudithook(_heard)


def _heard(
    event: str,
    arguments: _Arguments,
    # Bound here: the names of a module are gone before the last events of a process.
    _events: Mapping[str, object] = _EVENTS,
    _state: _State = _state,
) -> None:
    __tracebackhide__ = True
    if event in _events and _state.guard is not None and not _state.guard.open:
        _state.guard.check(event, arguments)

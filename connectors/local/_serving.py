"""Where a local backend listens, and for how long: on the loopback, unless somebody says otherwise.

The tokens that it hands out are worth as much as the accounts they open, and cross the network as
they are. So whoever lets other machines in has to name the address, and is told loudly.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Protocol, TypeAlias, final

import attrs

from connectors._events import emit
from connectors.local._guard import Guard
from connectors.local._loopback import in_url
from transports import Request, Response

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""An address as the socket module has it."""

CallbackHosts: TypeAlias = Callable[[], Awaitable[Collection[str]]]
"""Tells the hosts under which a provider sends people back, such as that of a tunnel."""


class Backend(Protocol):
    """What a server serves; a `LocalBackend` is one."""

    async def handle(self, request: Request, /) -> Response:
        """Answer a request, whatever it is."""
        ...


@final
@attrs.frozen
class Server:
    """A server that is running."""

    host: str
    """The name or address by which this machine reaches it."""

    port: int
    """The port on which it listens."""

    exposed: bool
    """Can other machines reach it?"""

    @property
    def url(self) -> str:
        """What a client takes as its `server_url`."""
        return f"http://{in_url(self.host)}:{self.port}"


@final
@attrs.frozen(eq=False)
class Listener:
    """A socket on which a server is going to listen: its port is taken, and known."""

    socket: socket.socket
    """The socket, which listens."""

    host: str
    """The address or name that was asked for."""

    @property
    def server(self) -> Server:
        """The server that there will be."""
        address, port = self.socket.getsockname()[:2]
        bound, host = ip_address(address.partition("%")[0]), self.host
        if bound.is_unspecified:
            host = "127.0.0.1" if bound.version == 4 else "::1"  # noqa: PLR2004 - of the protocol.
        return Server(host, port, exposed=not bound.is_loopback)


async def listen(host: str, port: int) -> Listener:
    """Take a port; 0 takes a free one.

    Raises:
        OSError: The host is not known, or the port is taken.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, address = preferred((entry[0], entry[4]) for entry in found)
    return Listener(socket.create_server(address, family=family), host)


@asynccontextmanager
async def serve(
    backend: Backend,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    listener: Listener | None = None,
    allowed_hosts: Iterable[str] = (),
    callback_hosts: CallbackHosts | None = None,
    grace: float = 5.0,
) -> AsyncIterator[Server]:
    """Serve a backend over HTTP while the `async with` block runs; asyncio only.

    It answers under `localhost`, `127.0.0.1`, `[::1]`, the given host and the allowed ones, each
    with its port, and no web page of another origin. When other machines can reach it, it says so
    in the event `connectors.local.exposed`, a warning.

    At the end it stops listening. Requests under way have half of the grace to be answered, and the
    rest of it to end when they are cancelled; being cancelled itself does not shorten that.

    Args:
        backend: What answers.
        host: The address or name to listen on; of several addresses one, IPv4 before IPv6.
        port: The port; 0 takes a free one, and the `Server` tells which.
        listener: What to listen on instead, for whoever has to know the port before; it is closed.
        allowed_hosts: More names under which clients reach it, such as that of a container. One
            that has a port of its own is taken with that alone.
        callback_hosts: Is asked for the hosts under which `/oauth/callback` is answered, too:
            `LocalBackend.callback_hosts`, if a tunnel leads here.
        grace: Seconds that requests under way have at the end.

    Raises:
        OSError: The host is not known, or the port is taken.
    """
    # aiohttp is heavy, and a backend in process does without.
    from connectors.local._server import answering  # noqa: PLC0415

    listener = listener or await listen(host, port)
    with listener.socket:
        server = listener.server
        guard = Guard((listener.host, *allowed_hosts), server.port)
        hosts = callback_hosts or _no_hosts
        async with answering(listener.socket, backend, guard, hosts, grace):
            if server.exposed:
                _warn(listener)
            yield server


async def _no_hosts() -> Collection[str]:
    """Nobody comes through a tunnel."""
    return ()


def _warn(listener: Listener) -> None:
    address, port = listener.socket.getsockname()[:2]
    emit(
        "warning",
        "connectors.local.exposed",
        address=address,
        port=port,
        problem="other machines can reach this backend, and tokens cross the network unsealed",
    )


def preferred(addresses: Iterable[tuple[int, Address]]) -> tuple[int, Address]:
    """The address to listen on: where a name has both, IPv4 is what every program can speak."""
    return min(addresses, key=lambda address: address[0] != socket.AF_INET)

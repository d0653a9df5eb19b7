"""The sandbox on a port, or in its client's process; never where another machine can reach it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import final

from connectors.local._carrying import Carrier
from connectors.local._loopback import is_loopback
from connectors.local._sandbox._provider import SandboxProvider
from connectors.local._serving import Server, serve
from transports import Request, Response


@asynccontextmanager
async def serve_sandbox(
    provider: SandboxProvider, *, host: str = "127.0.0.1", port: int = 0, grace: float = 5.0
) -> AsyncIterator[Server]:
    """Serve a sandbox over HTTP while the `async with` block runs; asyncio only.

    See `connectors.local.serve`, which this is but for one thing: it stays on the loopback.

    Raises:
        OSError: The port is taken.
        ValueError: The host is not of the loopback.
    """
    if not is_loopback(host):
        raise ValueError(f"A sandbox listens on this machine only, not on {host!r:.80}.")
    async with serve(provider, host=host, port=port, grace=grace) as server:
        yield server


@final
class SandboxTransport:
    """Carries requests to a sandbox in this process, with the contract of every transport.

    Args:
        provider: What answers. It is not ended with the transport, and may be under several.
    """

    def __init__(self, provider: SandboxProvider) -> None:
        self._provider = provider
        self._carrier = Carrier(
            provider.handle, closed="The sandbox transport is closed: make a new one"
        )

    async def send(self, request: Request, /) -> Response:
        """Have the sandbox answer a request.

        Raises:
            BodyTooLargeError: The answer is larger than the request accepts.
            ReadTimeoutError: The deadline passed.
            TransportClosedError: It is closed, or was closed meanwhile.

        Cancelled, at the deadline or when it is closed, it ends at once. What the sandbox has done
        by then is done.
        """
        return await self._carrier.send(request)

    async def aclose(self) -> None:
        """End what is under way. It may be repeated."""
        await self._carrier.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._carrier.closed else "open"
        return f"<SandboxTransport to {self._provider!r}, {state}>"

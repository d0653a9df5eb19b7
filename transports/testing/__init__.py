"""The contract of every transport, as promises that a test can put any of them to.

All that is asked for is a way to stand a handler behind the transport: for one that opens
connections, `loopback` is a server for that.

    @asynccontextmanager
    async def serve(handler):
        async with loopback(handler) as url:
            transport = MyTransport()
            try:
                yield transport, url
            finally:
                await transport.aclose()

    @pytest.mark.parametrize("promise", PROMISES, ids=str)
    async def test_my_transport(promise):
        await promise.check(serve)

Nothing in here needs pytest: `check` is a coroutine, for asyncio and for trio, under whatever runs
the tests. For a transport that opens no connections, leave out each promise that `needs_wire`.
"""

from transports.testing._loopback import Handler, loopback
from transports.testing._promise import BrokenPromiseError, Promise, Serve
from transports.testing._promises import PROMISES

__all__ = ["PROMISES", "BrokenPromiseError", "Handler", "Promise", "Serve", "loopback"]

"""Whatever bytes a server sends, it is a response or a transport error."""

import gzip

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.loops import REAL, on
from tests.transports.raw_server import Peer, serving
from transports import Request, Response, TransportError, TransportTimeoutError
from transports.aiohttp import AiohttpTransport

pytestmark = on(REAL)

LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 204 No Content",
        b"HTTP/1.1 304 Not Modified",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 101 Switching Protocols",
        b"HTTP/9.9 999 Huh",
        b"HTTP/1.1 200",
        b"ICE/1.0 200 OK",
    ]
)
FIELDS = st.sampled_from(
    [
        b"Content-Length: 4",
        b"Content-Length: 0",
        b"Content-Length: 99999999999999999999",
        b"Content-Length: -1",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Encoding: gzip",
        b"Content-Encoding: deflate",
        b"Content-Encoding: \xff",
        b"Connection: close",
        b"Connection: upgrade",
        b"Upgrade: websocket",
        b"Set-Cookie: a=b",
        b"Location: http://[::",
        b" folded",
        b"no colon",
        b": no name",
        b"A: \xe2\x82\xac",
        b"A: \x00",
        b"Sec-WebSocket-Key1: x",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"text",
        b"4\r\ntext\r\n0\r\n\r\n",
        b"4;x=\n\r\ntext\r\n0\r\nA: b\r\n\r\n",
        b"ffffffffffffffffff\r\n",
        b"-4\r\n",
        gzip.compress(b"text"),
        gzip.compress(b"text")[:-3],
    ]
)
ENDS = st.sampled_from([b"\r\n", b"\n", b"\r"])


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    end = draw(ENDS)
    head = [draw(LINES), *draw(st.lists(FIELDS, max_size=4)), b"", b""]
    return end.join(head) + draw(BODIES)


SAID = st.lists(st.one_of(messages(), BODIES, st.binary(max_size=40)), max_size=3)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(said=SAID)
async def test_whatever_bytes_the_server_sends_it_is_a_response_or_a_transport_error(
    method: str, said: list[bytes]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        for piece in said:
            await peer.say(piece)

    transport = AiohttpTransport()
    async with serving(script) as server:
        deadline = anyio.current_time() + 20
        request = Request(method, f"{server.url}/", max_body=1000, deadline=deadline)
        try:
            response = await transport.send(request)
        except TransportError as error:
            assert error.maybe_sent  # noqa: PT017 - either end is right.
            # It said all that it had to say and closed: nobody has to wait for more.
            assert not isinstance(error, TransportTimeoutError)  # noqa: PT017
        else:
            assert isinstance(response, Response)
            assert response.status >= 200
            assert len(response.body) <= 1000
        await transport.aclose()

"""The server that handlers stand behind speaks HTTP/1.1, strictly, and ends with its block."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.loops import REAL, on
from transports import DisconnectedError, Phase, ProtocolError, Request, Response, TransportError
from transports.testing import Handler, loopback
from transports.testing._http import MAX_HEAD

pytestmark = on(REAL)

HEAD = b"Host: a.example\r\n"


class Seen:
    """Answers with what it is told to, and keeps what came."""

    def __init__(self, *answers: Response) -> None:
        self._answers = list(answers)
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return self._answers.pop(0) if self._answers else Response(200, body=b"ok")


async def connect(url: str) -> SocketStream:
    host, port = url.removeprefix("http://").split(":")
    return await anyio.connect_tcp(host, int(port))


@asynccontextmanager
async def talking(handler: Handler) -> AsyncIterator[SocketStream]:
    async with loopback(handler) as url, await connect(url) as stream:
        yield stream


async def everything(stream: SocketStream) -> bytes:
    """What comes until the server closes."""
    data = b""
    with anyio.fail_after(5):
        try:
            while True:
                data += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return data


async def said(handler: Handler, data: bytes) -> bytes:
    async with talking(handler) as stream:
        await stream.send(data)
        return await everything(stream)


GET = b"GET /path?q=1 HTTP/1.1\r\n" + HEAD + b"\r\n"
LAST = b"GET /last HTTP/1.1\r\n" + HEAD + b"Connection: keep-alive, Close\r\n\r\n"


async def test_it_hands_over_what_came() -> None:
    seen = Seen()
    fields = b"X-A:1\r\nx-a:\t a b \r\nX-None:\r\nX-Latin: \xe9\r\n"
    await said(seen, b"PUT /a%2Fb?q HTTP/1.1\r\n" + HEAD + fields + b"Connection: close\r\n\r\n")
    (request,) = seen.requests
    assert (request.method, request.url) == ("PUT", "http://a.example/a%2Fb?q")
    assert request.headers.get_all("x-a") == ("1", "a b")
    assert (request.headers["x-none"], request.headers["x-latin"]) == ("", "\xe9")
    assert request.body is None


CHUNKED = b"Transfer-Encoding: Chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("rest", "body"),
    [
        (b"\r\n", None),
        (b"Content-Length: 0\r\n\r\n", b""),
        (b"Content-Length: 5\r\n\r\n\r\n\x00ab", b"\r\n\x00ab"),
        (CHUNKED + b"0\r\n\r\n", b""),
        (CHUNKED + b"3\r\na\r\n\r\nA;x=y\r\n0123456789\r\n00\r\n\r\n", b"a\r\n0123456789"),
    ],
)
async def test_a_body_comes_with_its_length_or_in_chunks(rest: bytes, body: bytes | None) -> None:
    seen = Seen()
    answers = await said(seen, b"POST / HTTP/1.1\r\n" + HEAD + rest + LAST)
    assert [request.body for request in seen.requests] == [body, None]
    assert answers.count(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n") == 2


async def test_what_comes_in_pieces_is_put_together() -> None:
    seen = Seen()
    message = b"POST / HTTP/1.1\r\n" + HEAD + CHUNKED + b"2\r\nab\r\n0\r\n\r\n" + LAST
    async with talking(seen) as stream:
        for number in range(len(message)):
            await stream.send(message[number : number + 1])
        await everything(stream)
    assert [request.body for request in seen.requests] == [b"ab", None]


async def test_a_connection_is_kept_until_the_client_closes_it() -> None:
    async with talking(Seen()) as stream:
        for _ in range(3):
            await stream.send(GET)
            incoming = BufferedByteReceiveStream(stream)
            assert await incoming.receive_until(b"ok", 1000)
        await stream.send_eof()
        assert await everything(stream) == b""


async def test_the_last_answer_over_a_connection_says_so() -> None:
    answers = await said(Seen(), GET + LAST)
    first, last = answers.split(b"ok", 1)
    assert b"Connection" not in first
    assert last == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@pytest.mark.parametrize(
    ("method", "answer", "wire"),
    [
        (b"GET", Response(200), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"),
        (b"GET", Response(299, body=b"b"), b"HTTP/1.1 299 \r\nContent-Length: 1\r\n"),
        (b"HEAD", Response(200, body=b"b"), b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"),
        (
            b"HEAD",
            Response(200, {"content-length": "9"}),
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n",
        ),
        (b"GET", Response(204, body=b"b"), b"HTTP/1.1 204 No Content\r\n"),
        (b"GET", Response(304, {"ETag": "1"}), b"HTTP/1.1 304 Not Modified\r\nETag: 1\r\n"),
        (
            b"GET",
            Response(200, [("A", "1"), ("a", "\xe9"), ("Content-Length", "0")]),
            b"HTTP/1.1 200 OK\r\nA: 1\r\na: \xe9\r\nContent-Length: 0\r\n",
        ),
    ],
)
async def test_an_answer_has_a_body_and_a_length_where_http_has_them(
    method: bytes, answer: Response, wire: bytes
) -> None:
    body = answer.body if b"299" in wire else b""
    message = method + b" / HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n"
    assert await said(Seen(answer), message) == wire + b"Connection: close\r\n\r\n" + body


BAD = {
    "no request line": (b"hello\r\n\r\n", 400, b"'hello' is no request line"),
    "no path": (b"GET http://a.example/ HTTP/1.1\r\n" + HEAD + b"\r\n", 400, b"no request line"),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n" + HEAD + b"\r\n", 505, b"Only HTTP/1.1"),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400, b"one Host"),
    "two Hosts": (b"GET / HTTP/1.1\r\n" + HEAD + HEAD + b"\r\n", 400, b"one Host"),
    "no host": (b"GET / HTTP/1.1\r\nHost: <>\r\n\r\n", 400, b"URL"),
    "a method of its own": (b"get / HTTP/1.1\r\n" + HEAD + b"\r\n", 400, b"capital letters"),
    "no field": (b"GET / HTTP/1.1\r\n" + HEAD + b"X-A : secret\r\n\r\n", 400, b"'X-A ' is no"),
    "a folded field": (b"GET / HTTP/1.1\r\n" + HEAD + b"X-A: 1\r\n  2\r\n\r\n", 400, b"is no hea"),
    "a control character": (b"GET / HTTP/1.1\r\n" + HEAD + b"X-A: \x01\r\n\r\n", 400, b"'X-A'"),
    "an expectation": (
        b"PUT / HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\n\r\n",
        417,
        b"Nothing can be expected",
    ),
    "two lengths": (
        b"PUT / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        400,
        b"twice",
    ),
    "a length and chunks": (
        b"PUT / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\n" + CHUNKED,
        400,
        b"twice",
    ),
    "no length": (
        b"PUT / HTTP/1.1\r\n" + HEAD + b"Content-Length: +1\r\n\r\nx",
        400,
        b"'+1' is no Content-Length",
    ),
    "another coding": (
        b"PUT / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        501,
        b"only transfer coding",
    ),
    "no size": (b"PUT / HTTP/1.1\r\n" + HEAD + CHUNKED + b"x\r\n", 400, b"its size"),
    "a wrong size": (b"PUT / HTTP/1.1\r\n" + HEAD + CHUNKED + b"1\r\nab\r\n", 400, b"longer"),
    "an endless size": (
        b"PUT / HTTP/1.1\r\n" + HEAD + CHUNKED + b"1" * (MAX_HEAD + 1),
        400,
        b"too long",
    ),
    "a trailer": (
        b"PUT / HTTP/1.1\r\n" + HEAD + CHUNKED + b"0\r\nX-A: 1\r\n\r\n",
        501,
        b"trailer",
    ),
    "an endless head": (b"GET /" + b"x" * (MAX_HEAD + 1), 431, b"more than 65536 bytes"),
}


@pytest.mark.parametrize(("message", "status", "why"), BAD.values(), ids=BAD)
async def test_what_is_not_clear_is_refused(message: bytes, status: int, why: bytes) -> None:
    seen = Seen()
    async with talking(seen) as stream:
        await stream.send(message)
        await stream.send_eof()
        answer = await everything(stream)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in head
    assert why in body
    assert b"secret" not in answer
    assert seen.requests == []


async def talk_on(stream: SocketStream) -> None:
    with anyio.fail_after(5):
        while True:
            await stream.send(b"more")


async def test_a_refusal_waits_for_the_client_and_not_for_ever() -> None:
    async with talking(Seen()) as stream:
        await stream.send(b"hello\r\n\r\n")
        assert (await everything(stream)).startswith(b"HTTP/1.1 400 ")
        with pytest.raises(anyio.BrokenResourceError):
            await talk_on(stream)


@pytest.mark.parametrize("part", [b"", b"GET / HT", b"PUT / HTTP/1.1\r\n" + HEAD + CHUNKED + b"5"])
async def test_a_client_may_go_at_any_time(part: bytes) -> None:
    seen = Seen()
    async with loopback(seen) as url:
        async with await connect(url) as stream:
            await stream.send(part + b"\n" if part else b"")
        async with await connect(url) as stream:
            await stream.send(LAST)
            assert (await everything(stream)).endswith(b"ok")
    assert len(seen.requests) == 1


@pytest.mark.parametrize(
    ("kind", "phase", "wire"),
    [
        (DisconnectedError, "headers", b""),
        (DisconnectedError, "body", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh"),
        (ProtocolError, "headers", b"This is not HTTP.\r\n\r\n"),
    ],
)
async def test_a_handler_can_have_an_answer_fail(
    kind: type[TransportError], phase: Phase, wire: bytes
) -> None:
    async def handler(request: Request) -> Response:
        raise kind("x", method=request.method, url=request.url, phase=phase, maybe_sent=True)

    assert await said(handler, GET) == wire


class HandlersOwnError(Exception):
    pass


async def ask_for_ever(handler: Handler, times: int) -> None:
    async with loopback(handler) as url, AsyncExitStack() as streams:
        for _ in range(times):
            stream = await streams.enter_async_context(await connect(url))
            await stream.send(GET)
        await anyio.sleep_forever()


async def raising(request: Request) -> Response:
    raise HandlersOwnError


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Response(101), "from 200 to 999, not 101"),
        (Response(1000), "from 200 to 999, not 1000"),
        (Response(200, {"transfer-encoding": "chunked"}), "leave Transfer-Encoding out"),
        (Response(200, {"content-length": "7"}, b"b"), "has 1 bytes, and Content-Length says"),
    ],
)
async def test_an_answer_that_cannot_be_sent_fails_the_test(answer: Response, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        await said(Seen(answer), GET)


async def test_what_a_handler_raises_comes_out_alone_and_ends_the_block() -> None:
    with pytest.raises(HandlersOwnError):
        await ask_for_ever(raising, 1)


async def test_what_two_handlers_raise_comes_out_as_the_first() -> None:
    errors = [HandlersOwnError("first"), HandlersOwnError("second")]
    both = anyio.Event()
    number = 0

    async def handler(request: Request) -> Response:
        nonlocal number
        number += 1
        mine = errors[number - 1]
        if number == 2:
            both.set()
        with anyio.CancelScope(shield=True):
            await both.wait()
        raise mine

    with pytest.raises(HandlersOwnError):
        await ask_for_ever(handler, 2)


async def test_what_the_block_raises_comes_out_alone() -> None:
    with pytest.raises(HandlersOwnError):
        async with loopback(Seen()):
            raise HandlersOwnError


async def test_at_its_end_nobody_is_at_work_any_more() -> None:
    asked, ended = anyio.Event(), anyio.Event()

    async def handler(request: Request) -> Response:
        asked.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()
        raise AssertionError

    async with loopback(handler) as url:
        stream = await connect(url)
        await stream.send(GET)
        await asked.wait()
    assert ended.is_set()
    assert await everything(stream) == b""
    await stream.aclose()
    with pytest.raises(OSError):
        await connect(url)


async def test_cancelled_it_ends() -> None:
    with anyio.move_on_after(0.05) as scope:
        async with loopback(Seen()):
            await anyio.sleep_forever()
    assert scope.cancelled_caught

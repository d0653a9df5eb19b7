"""What HTTP adds: framing, limits, and what is no HTTP at all. No client would send most of it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from pathlib import Path

import pytest

from connectors.local import Server, serve
from tests.local.backends import APP, local_backend
from tests.local.wires import exchange, head, read_answer
from tests.loops import ASYNCIO_VIRTUAL, REAL_ASYNCIO, on
from transports import MAX_BODY, Request, Response

SLACK = f"/api/apps/{APP}/external-auth/tokens/slack"
UNREADABLE = {"detail": "The request can't be read as HTTP"}
MALFORMED = {"detail": "The request line or a header field is malformed"}
PLANTED = "planted-credential-9f3a"


class Echo:
    """A backend that keeps what it is asked and answers with nothing."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def handle(self, request: Request, /) -> Response:
        self.requests.append(request)
        return Response(
            200, {"content-type": "application/json", "cache-control": "no-store"}, b"{}"
        )


@pytest.fixture
async def echo() -> Echo:
    return Echo()


@pytest.fixture
async def server(echo: Echo) -> AsyncIterator[Server]:
    async with serve(echo) as server:
        yield server


def host(server: Server) -> str:
    return f"Host: 127.0.0.1:{server.port}"


@on(REAL_ASYNCIO)
@pytest.mark.parametrize(
    "target",
    [
        "/api/apps/a%2Fb/x%20y/%E6%97%A5",
        "/api/apps/../a/./b/",
        "/api/apps//x?b=2&a=1&b=%FF",
        "//api/apps",
        "/api?x=/y",
        "/%",
        "/api/%7e~",
        "/",
    ],
)
async def test_a_target_goes_on_as_it_was_sent(echo: Echo, server: Server, target: str) -> None:
    [answer] = await exchange(server, head(f"GET {target} HTTP/1.1", host(server)))
    assert answer.status == 200
    assert echo.requests[0].url == f"http://127.0.0.1:{server.port}{target}"
    assert echo.requests[0].body is None


@on(REAL_ASYNCIO)
async def test_fields_go_on_as_they_were_sent(echo: Echo, server: Server) -> None:
    fields = ("X-One: a", "x-one: b", "Authorization: Bearer x", "Authorization: Bearer y")
    latin = "X-Latin: \xe9\xff"
    [answer] = await exchange(server, head("GET / HTTP/1.1", host(server), *fields, latin))
    assert answer.status == 200
    given = [(name, value) for name, value in echo.requests[0].headers.fields if name != "Host"]
    assert given == [tuple(field.split(": ")) for field in (*fields, latin)]


@on(REAL_ASYNCIO)
async def test_an_answer_says_no_more_than_it_must(server: Server) -> None:
    [answer] = await exchange(server, head("GET / HTTP/1.1", host(server)))
    assert set(answer.headers) == {
        "content-type",
        "cache-control",
        "content-length",
        "date",
        "server",
    }
    assert answer.headers["server"] == "base44-connectors"


@on(REAL_ASYNCIO)
async def test_nothing_of_a_request_is_logged(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fields = (f"Authorization: Bearer {PLANTED}", f"Referer: {PLANTED}", f"User-Agent: {PLANTED}")
    [answer] = await exchange(server, head(f"GET /?{PLANTED} HTTP/1.1", host(server), *fields))
    assert answer.status == 200
    assert [record for record in caplog.records if record.name != "asyncio"] == []


@on(REAL_ASYNCIO)
async def test_a_connection_serves_many_requests(echo: Echo, server: Server) -> None:
    message = head("GET / HTTP/1.1", host(server))
    answers = await exchange(server, *[message] * 20, answers=20)
    assert [answer.status for answer in answers] == [200] * 20
    assert len(echo.requests) == 20


@on(REAL_ASYNCIO)
async def test_a_head_request_has_no_body_in_its_answer(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with closing(writer):
        writer.write(head("HEAD / HTTP/1.1", host(server), "Connection: close"))
        assert (await reader.read()).endswith(b"\r\n\r\n")


@on(REAL_ASYNCIO)
@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (["Content-Length: 3"], b"abc"),
        (["Transfer-Encoding: chunked"], b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"),
        (["Content-Length: 3", "Content-Encoding: gzip"], b"abc"),
    ],
)
async def test_a_body_goes_on_as_it_was_sent(
    echo: Echo, server: Server, fields: list[str], body: bytes
) -> None:
    [answer] = await exchange(server, head("PUT / HTTP/1.1", host(server), *fields) + body)
    assert answer.status == 200
    assert echo.requests[0].body == b"abc"


@on(REAL_ASYNCIO)
async def test_a_body_is_asked_for_when_its_sender_waits_for_that(
    echo: Echo, server: Server
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with closing(writer):
        fields = (host(server), "Content-Length: 3", "Expect: 100-continue")
        writer.write(head("PUT / HTTP/1.1", *fields))
        assert (await read_answer(reader)).status == 100
        writer.write(b"abc")
        assert (await read_answer(reader)).status == 200
    assert echo.requests[0].body == b"abc"


@on(REAL_ASYNCIO)
async def test_another_expectation_is_not_met(echo: Echo, server: Server) -> None:
    message = head("PUT / HTTP/1.1", host(server), "Content-Length: 3", "Expect: a-miracle")
    [answer] = await exchange(server, message)
    assert answer.status == 417
    assert echo.requests == []


@on(REAL_ASYNCIO)
async def test_a_body_has_a_limit(echo: Echo, server: Server) -> None:
    refused = {"detail": "A body has at most 1048576 bytes"}
    declared = head("PUT / HTTP/1.1", host(server), f"Content-Length: {MAX_BODY + 1}")
    [answer] = await exchange(server, declared)
    assert (answer.status, answer.told) == (413, refused)
    assert answer.headers["connection"] == "close"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    chunked = head("PUT / HTTP/1.1", host(server), "Transfer-Encoding: chunked")
    [answer] = await exchange(server, chunked, *[chunk] * 17)
    assert (answer.status, answer.told) == (413, refused)
    assert echo.requests == []
    [answer] = await exchange(server, chunked, *[chunk] * 16, b"0\r\n\r\n")
    assert answer.status == 200
    body = echo.requests[0].body
    assert body is not None
    assert len(body) == MAX_BODY


@on([ASYNCIO_VIRTUAL])
@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("Content-Length: 3", b"ab"),
        ("Transfer-Encoding: chunked", b"3\r\nab"),
        ("Transfer-Encoding: chunked", f"1\r\na{PLANTED}\r\n".encode()),
    ],
)
async def test_a_body_that_does_not_come_is_not_waited_for(
    echo: Echo, server: Server, field: str, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    began = asyncio.get_running_loop().time()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with closing(writer):
        writer.write(head("PUT / HTTP/1.1", host(server), field))
        await asyncio.sleep(1)
        writer.write(sent)
        answer = await read_answer(reader)
    assert (answer.status, answer.told) == (408, {"detail": "The body did not come in time"})
    assert 30 <= asyncio.get_running_loop().time() - began < 40
    assert PLANTED not in repr(answer) + caplog.text
    assert echo.requests == []


async def drip(writer: asyncio.StreamWriter, pieces: Iterable[bytes]) -> None:
    """Send a piece every ten seconds, as long as anybody takes them."""
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(10)


@on([ASYNCIO_VIRTUAL])
@pytest.mark.parametrize("answered", [0, 1, 2])
@pytest.mark.parametrize(
    ("begin", "more"),
    [(b"", b""), (b"GET /", b"x"), (b"GET / HTTP/1.1\r\nX: ", b"x"), (b"\r\n", b"\r\n")],
)
async def test_a_head_that_does_not_come_is_not_waited_for(
    echo: Echo, server: Server, begin: bytes, more: bytes, answered: int
) -> None:
    clock = asyncio.get_running_loop().time
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with closing(writer):
        for _ in range(answered):
            writer.write(head("GET / HTTP/1.1", host(server)))
            assert (await read_answer(reader)).status == 200
            await asyncio.sleep(20)
        began = clock() - (20 if answered else 0)
        pieces = asyncio.create_task(drip(writer, [begin, *[more] * 20]))
        assert await reader.read() == b""
        assert 30 <= clock() - began < 40
        pieces.cancel()
    assert len(echo.requests) == answered


@on([ASYNCIO_VIRTUAL])
async def test_a_head_that_comes_in_time_is_waited_for_and_its_answer_too(
    echo: Echo, server: Server
) -> None:
    message = head("PUT / HTTP/1.1", host(server), "Content-Length: 2")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with closing(writer):
        # The body has its own thirty seconds.
        await drip(writer, [message[:5], message[5:20], message[20:], b"a"])
        writer.write(b"b")
        assert (await read_answer(reader)).status == 200
    assert [request.body for request in echo.requests] == [b"ab"]


@on(REAL_ASYNCIO)
async def test_a_sender_that_leaves_harms_nobody(
    echo: Echo, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    for message in (
        head("PUT / HTTP/1.1", host(server), "Content-Length: 3") + b"ab",
        head("PUT / HTTP/1.1", host(server), "Transfer-Encoding: chunked") + b"5\r\nab",
        b"GET / HT",
        b"",
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(message)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    [answer] = await exchange(server, head("GET / HTTP/1.1", host(server)))
    assert answer.status == 200
    assert len(echo.requests) == 1
    assert caplog.text == ""


@on(REAL_ASYNCIO)
@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET / HTTP/1.0", 505),
        ("GET http://127.0.0.1/ HTTP/1.1", 400),
        ("GET /#fragment HTTP/1.1", 400),
        ("OPTIONS * HTTP/1.1", 400),
        ("CONNECT 127.0.0.1:80 HTTP/1.1", 400),
    ],
)
async def test_a_request_line_that_has_no_meaning_here_is_refused(
    echo: Echo, server: Server, line: str, status: int
) -> None:
    [answer] = await exchange(server, head(line, host(server)))
    assert answer.status == status
    assert answer.told == (
        MALFORMED if status == 400 else {"detail": "This server speaks HTTP/1.1"}
    )
    assert echo.requests == []


@on(REAL_ASYNCIO)
@pytest.mark.parametrize(
    "message",
    [
        f"{PLANTED}\r\n\r\n".encode(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + PLANTED.encode() + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        head("get / HTTP/1.1", "Host: {}", f"Authorization: {PLANTED}"),
        head("GET / HTTP/9.9", "Host: {}"),
        head(f"GET /\xe9?{PLANTED} HTTP/1.1", "Host: {}"),
        head("GET / HTTP/1.1", "Host: {}", "Host: {}"),
        head("GET / HTTP/1.1", f"Authorization: {PLANTED}"),
        head("GET / HTTP/1.1", "Host: {}", f"Bad Name: {PLANTED}"),
        head("GET / HTTP/1.1", "Host: {}", f"Authorization: {PLANTED}\0"),
        head("GET / HTTP/1.1", "Host: {}", "X: a", f" {PLANTED}"),
        head("GET / HTTP/1.1", "Host: {}", "X: " + PLANTED * 500),
        head("GET / HTTP/1.1", "Host: {}", *[f"X: {PLANTED}"] * 200),
        head(f"GET /{PLANTED * 500} HTTP/1.1", "Host: {}"),
        head("PUT / HTTP/1.1", "Host: {}", "Content-Length: 1", "Transfer-Encoding: chunked"),
        head("PUT / HTTP/1.1", "Host: {}", "Content-Length: 1", "Content-Length: 2"),
        head("PUT / HTTP/1.1", "Host: {}", f"Content-Length: {PLANTED}"),
        head("PUT / HTTP/1.1", "Host: {}", "Transfer-Encoding: chunked")
        + f"{PLANTED}\r\n\r\n".encode(),
    ],
    ids=range(18),
)
async def test_what_is_no_http_is_refused_and_not_repeated(
    echo: Echo, server: Server, message: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    where = f"127.0.0.1:{server.port}".encode()
    [answer] = await exchange(server, message.replace(b"{}", where))
    assert (answer.status, answer.told) == (400, UNREADABLE)
    assert PLANTED not in repr(answer) + caplog.text
    assert "event=connectors.local.refused status=400 error=" in caplog.text
    assert echo.requests == []


class Broken:
    """A backend that does not keep its promise."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def handle(self, _: Request, /) -> Response:
        raise self._error


@on(REAL_ASYNCIO)
@pytest.mark.parametrize("error", [RuntimeError(PLANTED), TimeoutError(PLANTED), OSError(PLANTED)])
async def test_a_backend_that_raises_is_answered_for(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(Broken(error)) as server:
        [answer] = await exchange(server, head("GET / HTTP/1.1", host(server)))
    assert answer.status == 500
    assert answer.told == {
        "detail": "The local backend has a fault; its events say where",
        "code": "INTERNAL",
    }
    assert "event=connectors.local.failed" in caplog.text
    assert PLANTED not in caplog.text


@on(REAL_ASYNCIO)
async def test_credentials_that_come_twice_are_refused(tmp_path: Path) -> None:
    async with local_backend(tmp_path) as local, serve(local.backend) as server:
        token = f"Authorization: Bearer {local.authority.service_token.reveal()}"
        message = head(f"GET {SLACK} HTTP/1.1", host(server), token, token)
        [answer] = await exchange(server, message)
    assert answer.status == 400
    assert answer.told == {"detail": "The request has the header 'authorization' more than once"}
    assert local.authority.service_token.reveal() not in repr(answer)

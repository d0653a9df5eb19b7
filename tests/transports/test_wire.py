"""Whatever a server does to HTTP/1.1, it is a complete response or an error with a name.

For every transport that speaks over a socket: `CLIENTS` holds them.
"""

import gc
import gzip
import zlib
from collections.abc import AsyncIterator, Callable

import anyio
import pytest

from tests.loops import REAL, on
from tests.transports.leaks import TOKEN, assert_no_leak
from tests.transports.raw_server import OK, Peer, repeating, saying, serving
from transports import (
    BodyTooLargeError,
    ConnectError,
    DisconnectedError,
    ProtocolError,
    Request,
    Transport,
    TransportError,
)
from transports.aiohttp import AiohttpTransport

pytestmark = on(REAL)

CLIENTS: dict[str, Callable[[], Transport]] = {
    "aiohttp": lambda: AiohttpTransport(limit=1, limit_per_host=1),
}


@pytest.fixture(params=list(CLIENTS.values()), ids=list(CLIENTS))
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    made: Transport = request.param()
    yield made
    await made.aclose()


def answer(*fields: str, body: bytes = b"", status: str = "200 OK") -> bytes:
    head = "".join(f"{field}\r\n" for field in fields)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


CHUNKED = "Transfer-Encoding: chunked"

BROKEN = {
    "nothing": (b"", DisconnectedError),
    "another protocol": (b"SSH-2.0-OpenSSH_9.9\r\n", ProtocolError),
    "binary": (b"\x00\x01\x02\xff\r\n\r\n", ProtocolError),
    "HTTP/0.9": (b"<html>hello</html>", ProtocolError),
    "half a status line": (b"HTTP/1.1 20", DisconnectedError),
    "half the header fields": (b"HTTP/1.1 200 OK\r\nA: b\r\nC: d", DisconnectedError),
    "a status that is no number": (b"HTTP/1.1 abc OK\r\n\r\n", ProtocolError),
    "status 0": (answer("Content-Length: 0", status="000 Zero"), ProtocolError),
    "a field name with a space": (answer("A b: c", "Content-Length: 0"), ProtocolError),
    "NUL in a field": (answer("A: b\x00c", "Content-Length: 0"), ProtocolError),
    "a control character in a field": (answer("A: b\x01c", "Content-Length: 0"), ProtocolError),
    "an endless field": (answer("A: " + "x" * 500_000), ProtocolError),
    "endless fields": (answer(*(["A: b"] * 50_000)), ProtocolError),
    "a length that is no number": (answer("Content-Length: ten", body=b"ok"), ProtocolError),
    "two lengths": (answer("Content-Length: 2", "Content-Length: 3", body=b"ok"), ProtocolError),
    "a length and chunks": (answer("Content-Length: 2", CHUNKED, body=b"0\r\n\r\n"), ProtocolError),
    "half a body": (answer("Content-Length: 10", body=b"half"), DisconnectedError),
    "more than the length": (answer("Content-Length: 2", body=b"okmore"), ProtocolError),
    "a chunk size that is no number": (answer(CHUNKED, body=b"ZZ\r\nok\r\n"), ProtocolError),
    "a chunk larger than its size": (answer(CHUNKED, body=b"2\r\nokmore\r\n"), ProtocolError),
    "no last chunk": (answer(CHUNKED, body=b"2\r\nok\r\n"), DisconnectedError),
    "half a chunk": (answer(CHUNKED, body=b"a\r\nok"), DisconnectedError),
    "switched protocols": (
        answer("Upgrade: x", "Connection: upgrade", status="101 Switching"),
        ProtocolError,
    ),
    "early hints and no more": (answer(status="103 Early Hints"), DisconnectedError),
}


@pytest.mark.parametrize(("data", "kind"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_answer_is_an_error_with_a_name(
    transport: Transport, data: bytes, kind: type[TransportError]
) -> None:
    async with serving(saying(data)) as server:
        request = Request("GET", f"{server.url}/?code={TOKEN}", {"api_key": TOKEN})
        with pytest.raises(kind) as caught:
            await transport.send(request)
    assert type(caught.value) is kind
    assert caught.value.maybe_sent
    assert caught.value.phase in {"headers", "body"}
    assert_no_leak(caught.value)


BROKEN_LATER = {
    "a chunk size that is no number": (answer(CHUNKED), b"ZZ\r\nok\r\n"),
    "a chunk larger than its size": (answer(CHUNKED, body=b"2\r\nok"), b"more\r\n"),
    "an endless field after the chunks": (
        answer(CHUNKED, body=b"0\r\n"),
        b"A: " + b"x" * 500_000 + b"\r\n\r\n",
    ),
    "endless fields after the chunks": (
        answer(CHUNKED, body=b"0\r\n"),
        b"A: b\r\n" * 50_000 + b"\r\n",
    ),
}


@pytest.mark.parametrize(("head", "rest"), BROKEN_LATER.values(), ids=BROKEN_LATER)
async def test_an_answer_that_breaks_after_its_head_is_an_error_at_once(
    transport: Transport, head: bytes, rest: bytes
) -> None:
    # The server waits for the client to close, which must not wait for the server.
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.say(head)
        await anyio.sleep(0.05)  # The head is read alone, and then the rest.
        await peer.say(rest)
        await peer.gone()

    async with serving(script) as server:
        request = Request("GET", f"{server.url}/")
        with anyio.fail_after(5), pytest.raises(TransportError) as caught:
            await transport.send(request)
    assert type(caught.value) in {ProtocolError, DisconnectedError}
    assert (caught.value.phase, caught.value.maybe_sent) == ("body", True)


@pytest.mark.parametrize("data", [pytest.param(d, id=i) for i, (d, _) in BROKEN.items()])
async def test_after_a_broken_answer_the_next_request_works(
    transport: Transport, data: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.say(data if peer.server.connections == 1 else OK)

    async with serving(script) as server:
        with pytest.raises(TransportError):
            await transport.send(Request("POST", f"{server.url}/"))
        assert (await transport.send(Request("POST", f"{server.url}/"))).body == b"ok"


async def test_what_the_server_said_stands_in_no_error(transport: Transport) -> None:
    for data in (
        f"access_token={TOKEN}\r\n\r\n".encode(),
        answer(f"Set-Cookie: {TOKEN}", "Content-Length: 0", body=TOKEN.encode()),
        answer(f"Set-Cookie: {TOKEN}", "Content-Length: 500", body=TOKEN.encode()),
        answer(f"Set-Cookie: {TOKEN}").removesuffix(b"\r\n"),
        answer(f"{TOKEN}\x7f: x"),
        answer(CHUNKED, body=f"{TOKEN}\r\n".encode()),
        answer("Content-Encoding: gzip", "Content-Length: 30", body=TOKEN.encode().ljust(30)),
        answer(f"Content-Encoding: {TOKEN}", "Content-Length: 2", body=b"ok"),
    ):
        async with serving(saying(data)) as server:
            with pytest.raises(TransportError) as caught:
                await transport.send(Request("GET", f"{server.url}/"))
        assert_no_leak(caught.value)


async def test_a_reset_at_once_breaks_the_connection_or_comes_before_it(
    transport: Transport,
) -> None:
    async with serving(Peer.reset) as server:
        with pytest.raises((DisconnectedError, ConnectError)) as caught:
            await transport.send(Request("GET", f"{server.url}/"))
    assert caught.value.maybe_sent == isinstance(caught.value, DisconnectedError)


async def test_the_reset_of_an_idle_connection_is_nobodys_error(
    transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.say(OK[:-1])
        await anyio.sleep(0.05)  # Its body is waited for.
        await peer.say(OK[-1:])
        if peer.server.connections == 1:
            await peer.reset()
            was_reset.set()

    was_reset = anyio.Event()
    async with serving(script) as server:
        await transport.send(Request("POST", f"{server.url}/"))
        await was_reset.wait()
        assert (await transport.send(Request("POST", f"{server.url}/"))).body == b"ok"
        await transport.aclose()
    gc.collect()
    assert not [record for record in caplog.records if record.levelname != "DEBUG"]


async def test_interim_answers_are_passed_over(transport: Transport) -> None:
    interim = answer(status="100 Continue") + answer("Link: </a>", status="103 Early Hints")
    async with serving(saying(interim + OK)) as server:
        response = await transport.send(Request("GET", f"{server.url}/"))
    assert (response.status, response.body) == (200, b"ok")
    assert "link" not in response.headers


async def test_a_body_may_end_with_the_connection(transport: Transport) -> None:
    async with serving(saying(b"HTTP/1.0 200 OK\r\n\r\nto the end")) as server:
        response = await transport.send(Request("GET", f"{server.url}/"))
    assert response.body == b"to the end"


async def test_a_chunked_body_is_put_together(transport: Transport) -> None:
    data = answer(CHUNKED, body=b"2\r\nab\r\n1;x=y\r\nc\r\n0\r\nTrailer: z\r\n\r\n")
    async with serving(saying(data)) as server:
        response = await transport.send(Request("GET", f"{server.url}/"))
    assert response.body == b"abc"


@pytest.mark.parametrize("status", [204, 304])
async def test_a_body_where_there_is_none_is_taken_for_no_answer(
    transport: Transport, status: int
) -> None:
    evil = answer("Content-Length: 4", body=b"evil")

    async def script(peer: Peer) -> None:
        while True:
            message = await peer.message()
            none = answer("Content-Length: 4", status=f"{status} None")
            await peer.say(none + evil if message.target == "/evil" else none)

    async with serving(script) as server:
        for target in ("/evil", "/", "/evil", "/"):
            response = await transport.send(Request("GET", server.url + target))
            assert (response.status, response.body) == (status, b"")


async def test_bytes_of_a_field_beyond_ascii_survive(transport: Transport) -> None:
    async with serving(saying(answer("A: caf\xe9", "Content-Length: 0"))) as server:
        response = await transport.send(Request("GET", f"{server.url}/"))
    assert response.headers["a"] == "caf\xe9"


async def test_a_second_answer_that_nobody_asked_for_is_nobodys(transport: Transport) -> None:
    push, pushed = anyio.Event(), anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.say(OK)
        if peer.server.connections == 1:
            await push.wait()
            await peer.say(OK.replace(b"ok", b"no"))
            pushed.set()
            await peer.gone()

    async with serving(script) as server:
        await transport.send(Request("GET", f"{server.url}/"))
        push.set()
        await pushed.wait()
        response = await transport.send(Request("POST", f"{server.url}/", body=b"1"))
    assert response.body == b"ok"


async def test_a_server_that_always_speaks_first_is_asked_once(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(b"220 ready\r\n")
        await peer.gone()

    async with serving(script) as server:
        # uvloop has read the greeting before the request goes out, and aiohttp has given the
        # connection up by then; asyncio reads it as the answer.
        with pytest.raises((ProtocolError, DisconnectedError)):
            await transport.send(Request("GET", f"{server.url}/"))
    assert server.connections == 1


async def test_an_answer_that_came_before_the_first_request_is_taken(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(answer("Connection: close", "Content-Length: 0", status="503 Busy"))
        await peer.gone()

    async with serving(script) as server:
        assert (await transport.send(Request("GET", f"{server.url}/"))).status == 503
    assert server.connections == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "POST"])
async def test_one_send_is_one_attempt(transport: Transport, method: str) -> None:
    # On a fresh connection and on one that is used again: many clients send a second time there.
    async def script(peer: Peer) -> None:
        await peer.message()
        if len(peer.server.messages) == 1:
            await peer.say(answer("Content-Length: 0"))
            await peer.message()

    async with serving(script) as server:
        await transport.send(Request(method, f"{server.url}/"))
        for number in (2, 3):
            with pytest.raises(DisconnectedError) as caught:
                await transport.send(Request(method, f"{server.url}/", body=b"body"))
            assert caught.value.maybe_sent
            assert len(server.messages) == number


async def test_a_connection_is_used_again(transport: Transport) -> None:
    async with serving(repeating(OK)) as server:
        for _ in range(3):
            await transport.send(Request("POST", f"{server.url}/", body=b"x" * 100_000))
    assert server.connections == 1


# ------------------------------------------------------------------------------ compressed bodies


def raw_deflate(data: bytes) -> bytes:
    compress = zlib.compressobj(wbits=-15)
    return compress.compress(data) + compress.flush()


def compressed(coding: str, data: bytes, body: bytes | None = None) -> bytes:
    body = gzip.compress(data) if body is None else body
    return answer(f"Content-Encoding: {coding}", f"Content-Length: {len(body)}", body=body)


READABLE = {
    "gzip": compressed("gzip", b"text"),
    "GZIP": compressed("GZIP", b"text"),
    "x-gzip": compressed("x-gzip", b"text"),
    "deflate": compressed("deflate", b"", zlib.compress(b"text")),
    "identity": compressed("identity", b"", b"text"),
}


@pytest.mark.parametrize("data", READABLE.values(), ids=READABLE)
async def test_a_compressed_body_is_inflated(transport: Transport, data: bytes) -> None:
    async with serving(saying(data)) as server:
        assert (await transport.send(Request("GET", f"{server.url}/"))).body == b"text"


async def test_a_compressed_body_in_many_pieces_is_inflated(transport: Transport) -> None:
    text = bytes(range(256)) * 3000
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in gzip.compress(text)) + b"0\r\n\r\n"
    async with serving(saying(answer("Content-Encoding: gzip", CHUNKED, body=body))) as server:
        assert (await transport.send(Request("GET", f"{server.url}/"))).body == text


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "304 Not Modified")])
async def test_no_body_needs_no_coding(transport: Transport, method: str, status: str) -> None:
    data = answer("Content-Encoding: br", "Content-Length: 9", status=status)
    async with serving(saying(data)) as server:
        assert (await transport.send(Request(method, f"{server.url}/"))).body == b""


async def test_an_empty_body_in_a_coding_is_empty(transport: Transport) -> None:
    async with serving(saying(compressed("gzip", b"", b""))) as server:
        assert (await transport.send(Request("GET", f"{server.url}/"))).body == b""


UNREADABLE = {
    "no gzip": compressed("gzip", b"", b"plain text"),
    "half of it": compressed("gzip", b"", gzip.compress(b"text" * 999)[:20]),
    "without its check": compressed("gzip", b"", gzip.compress(b"text")[:-4]),
    "a wrong check": compressed("gzip", b"", gzip.compress(b"text")[:-8] + bytes(8)),
    "something after it": compressed("gzip", b"", gzip.compress(b"text") + b"more"),
    "raw deflate": compressed("deflate", b"", raw_deflate(b"text")),
    "an unknown coding": compressed("br", b"text"),
    "twice": compressed("gzip, gzip", b"text"),
    "in two fields": answer(*(["Content-Encoding: gzip"] * 2), body=gzip.compress(b"text")),
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_body_that_cannot_be_decoded_is_an_error(transport: Transport, data: bytes) -> None:
    async with serving(saying(data)) as server:
        with pytest.raises(ProtocolError, match="cannot be decoded") as caught:
            await transport.send(Request("GET", f"{server.url}/"))
    assert (caught.value.phase, caught.value.maybe_sent) == ("body", True)


async def test_the_cap_is_on_what_is_inflated(transport: Transport) -> None:
    async with serving(repeating(compressed("gzip", b"x" * 5000))) as server:
        fits = await transport.send(Request("GET", f"{server.url}/", max_body=5000))
        with pytest.raises(BodyTooLargeError, match="4999 bytes"):
            await transport.send(Request("GET", f"{server.url}/", max_body=4999))
    assert len(fits.body) == 5000


async def test_a_stream_that_inflates_to_nothing_ends_too(transport: Transport) -> None:
    start = zlib.compressobj(wbits=31).flush(zlib.Z_SYNC_FLUSH)
    empty_block = b"\x00\x00\x00\xff\xff" * 10_000

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.say(answer("Content-Encoding: gzip") + start)
        while True:
            await peer.say(empty_block)

    async with serving(script) as server:
        with anyio.fail_after(5), pytest.raises(BodyTooLargeError):
            await transport.send(Request("GET", f"{server.url}/", max_body=1000))


async def test_a_plain_stream_without_end_ends_at_the_cap(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.say(answer())
        while True:
            await peer.say(b"x" * 65536)

    async with serving(script) as server:
        with anyio.fail_after(5), pytest.raises(BodyTooLargeError):
            await transport.send(Request("GET", f"{server.url}/"))


# ------------------------------------------------------------------------------ what is sent


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/a%2Fb%20c",
        "/..%2Fx",
        "/%252e",
        "/%C3%BC",
        "/a/../b//./c",
        "/?q=a+b%20c&q=%ff",
        "/?q='\"<>\\^`{|}[]@:;,!$",
        "/%zz?%",
        "/~a/%7Eb/%41",
    ],
)
async def test_a_url_goes_out_exactly_as_it_is(transport: Transport, target: str) -> None:
    async with serving(saying(OK)) as server:
        await transport.send(Request("GET", server.url + target))
    assert server.messages[0].line == f"GET {target} HTTP/1.1"


async def test_a_url_without_a_path_asks_for_the_root(transport: Transport) -> None:
    async with serving(repeating(OK)) as server:
        await transport.send(Request("GET", server.url))
        await transport.send(Request("GET", f"{server.url}?a=b"))
    assert [message.target for message in server.messages] == ["/", "/?a=b"]


async def test_the_host_field_names_host_and_port(transport: Transport) -> None:
    async with serving(saying(OK)) as server:
        await transport.send(Request("GET", f"{server.url}/"))
    assert server.messages[0].get_all("host") == [f"127.0.0.1:{server.port}"]


async def test_no_name_of_a_program_and_no_content_type_is_made_up(transport: Transport) -> None:
    async with serving(repeating(OK)) as server:
        await transport.send(Request("POST", f"{server.url}/", body=b"{}"))
        await transport.send(
            Request("POST", f"{server.url}/", {"user-agent": "me", "content-type": "x/y"}, b"{}")
        )
    bare, given = server.messages
    assert not bare.get_all("user-agent") + bare.get_all("content-type")
    assert (given.get_all("user-agent"), given.get_all("content-type")) == (["me"], ["x/y"])


async def test_only_codings_that_can_be_read_are_asked_for(transport: Transport) -> None:
    async with serving(repeating(OK)) as server:
        await transport.send(Request("GET", f"{server.url}/"))
        await transport.send(Request("GET", f"{server.url}/", {"accept-encoding": "identity"}))
    assert [m.get_all("accept-encoding") for m in server.messages] == [["gzip"], ["identity"]]


async def test_a_message_cannot_be_framed_by_its_fields(transport: Transport) -> None:
    lies = {"Content-Length": "3", "Transfer-Encoding": "chunked"}
    async with serving(saying(OK)) as server:
        await transport.send(Request("POST", f"{server.url}/", lies, b"0\r\n\r\nGET /x"))
    (message,) = server.messages
    assert message.body == b"0\r\n\r\nGET /x"
    assert (message.get_all("content-length"), message.get_all("transfer-encoding")) == (["11"], [])


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
async def test_a_body_goes_out_whole(transport: Transport, method: str, size: int) -> None:
    body = bytes(range(251)) * (size // 251) + b"x" * (size % 251)
    async with serving(saying(OK)) as server:
        await transport.send(Request(method, f"{server.url}/", body=body))
    assert server.messages[0].body == body


async def test_an_answer_may_come_before_the_body_is_out(transport: Transport) -> None:
    early = answer("Content-Length: 0", "Connection: close", status="413 Too Large")

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(early)
        await peer.gone()

    async with serving(script) as server:
        request = Request("POST", f"{server.url}/", body=bytes(8_000_000))
        with anyio.fail_after(5):
            response = await transport.send(request)
    assert response.status == 413

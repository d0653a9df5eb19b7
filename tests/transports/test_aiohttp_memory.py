"""An answer without end, or a small one that would become a large one, costs little memory."""

import functools
import tracemalloc
import zlib

import anyio
import pytest

from tests.loops import REAL, on
from tests.transports.raw_server import Script, endless, repeating, serving
from transports import (
    MAX_BODY,
    BodyTooLargeError,
    DisconnectedError,
    ProtocolError,
    ReadTimeoutError,
    Request,
    TransportError,
)
from transports.aiohttp import AiohttpTransport

pytestmark = on(REAL)

MEBIBYTE = 1024 * 1024
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


async def peak_of(script: Script, *, seconds: float = 60) -> tuple[TransportError, int]:
    transport = AiohttpTransport()
    async with serving(script) as server:
        tracemalloc.start()
        try:
            deadline = anyio.current_time() + seconds
            with pytest.raises(TransportError) as caught:
                await transport.send(Request("GET", f"{server.url}/", deadline=deadline))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await transport.aclose()
    return caught.value, peak


@functools.cache
def bomb(mebibytes: int) -> bytes:
    compress = zlib.compressobj(9, wbits=31)
    zeros = bytes(MEBIBYTE)
    pieces = [compress.compress(zeros) for _ in range(mebibytes)]
    body = b"".join(pieces) + compress.flush()
    head = f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    return HEAD + head.encode() + body


async def test_300_mebibytes_in_306_kilobytes_end_at_the_cap_in_little_memory() -> None:
    answer = bomb(300)
    assert len(answer) < 310_000
    error, peak = await peak_of(repeating(answer))
    assert isinstance(error, BodyTooLargeError)
    assert str(MAX_BODY) in str(error)
    assert peak < 5 * MEBIBYTE


X = b"x" * 65_536

ENDLESS = {
    "a status line": endless(b"HTTP/1.1 200 ", X),
    "a field": endless(HEAD + b"A: ", X),
    "many fields": endless(HEAD, b"A: b\r\n" * 10_000),
    "a body": endless(HEAD + b"\r\n", X),
    "a chunk": endless(CHUNKED + b"ffffffffffff\r\n", X),
    "many chunks": endless(CHUNKED, (b"400\r\n" + X[:1024] + b"\r\n") * 64),
    "a field after the body": endless(CHUNKED + b"0\r\nA: ", X),
    "many fields after the body": endless(CHUNKED + b"0\r\n", b"A: b\r\n" * 10_000),
}


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS)
async def test_what_never_ends_is_too_much_at_some_time_and_costs_little_memory(
    script: Script,
) -> None:
    error, peak = await peak_of(script)
    assert isinstance(error, ProtocolError | DisconnectedError | BodyTooLargeError)
    assert peak < 5 * MEBIBYTE


ENDLESS_NOTHING = {
    "hints": endless(b"", b"HTTP/1.1 103 Early Hints\r\nA: " + X[:1000] + b"\r\n\r\n"),
    "the size of a chunk": endless(CHUNKED, b"0" * 65_536),
    "what follows the size of a chunk": endless(CHUNKED + b"2;", X),
}


@pytest.mark.parametrize("script", ENDLESS_NOTHING.values(), ids=ENDLESS_NOTHING)
async def test_what_never_comes_to_anything_is_ended_by_the_deadline_and_costs_little_memory(
    script: Script,
) -> None:
    error, peak = await peak_of(script, seconds=1)
    assert isinstance(error, ReadTimeoutError)
    assert peak < 5 * MEBIBYTE

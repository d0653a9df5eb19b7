"""A small answer that would become a large one costs little memory."""

import tracemalloc
import zlib

import pytest

from tests.loops import REAL, on
from tests.transports.raw_server import repeating, serving
from transports import MAX_BODY, BodyTooLargeError, Request
from transports.aiohttp import AiohttpTransport

pytestmark = on(REAL)

MEBIBYTE = 1024 * 1024


def bomb(mebibytes: int) -> bytes:
    compress = zlib.compressobj(9, wbits=31)
    zeros = bytes(MEBIBYTE)
    pieces = [compress.compress(zeros) for _ in range(mebibytes)]
    body = b"".join(pieces) + compress.flush()
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def test_300_mebibytes_in_306_kilobytes_end_at_the_cap_in_little_memory() -> None:
    answer = bomb(300)
    assert len(answer) < 310_000
    transport = AiohttpTransport()
    async with serving(repeating(answer)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(BodyTooLargeError, match=str(MAX_BODY)):
                await transport.send(Request("GET", f"{server.url}/"))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await transport.aclose()
    assert peak < 5 * MEBIBYTE

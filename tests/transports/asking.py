"""Asks over a transport of aiohttp, for the tests of what it belongs to and how it ends."""

from contextlib import AbstractContextManager

import pytest

from tests.transports.raw_server import OK, repeating, serving
from transports import Request, Response, TransportError
from transports.aiohttp import AiohttpTransport


def forgotten() -> AbstractContextManager[object]:
    return pytest.warns(ResourceWarning, match=r"was not closed: await its aclose\(\)")


async def ask(transport: AiohttpTransport) -> Response:
    async with serving(repeating(OK)) as server:
        return await transport.send(Request("GET", f"{server.url}/"))


async def error_of(transport: AiohttpTransport, url: str) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await transport.send(Request("GET", url))
    return caught.value

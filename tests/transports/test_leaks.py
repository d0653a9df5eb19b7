"""The check of exceptions finds what aiohttp shows of a request, so it would find it in ours."""

import asyncio

import aiohttp
import pytest

from tests.loops import REAL_ASYNCIO, on
from tests.transports.leaks import TOKEN, assert_no_leak
from tests.transports.raw_server import saying, serving, silent

pytestmark = on(REAL_ASYNCIO)


async def test_what_aiohttp_shows_is_found() -> None:
    fields = {"Authorization": TOKEN}
    async with serving(saying(b"no HTTP")) as server, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientResponseError) as garbage:
            await session.get(server.url, headers=fields)
    with pytest.raises(AssertionError, match="stands in the repr"):
        assert_no_leak(garbage.value)
    async with serving(silent) as server, aiohttp.ClientSession() as session:
        with pytest.raises(TimeoutError) as timeout:
            async with asyncio.timeout(0.05):
                await session.get(server.url, headers=fields)
    with pytest.raises(AssertionError, match="stands in the structured traceback"):
        assert_no_leak(timeout.value)

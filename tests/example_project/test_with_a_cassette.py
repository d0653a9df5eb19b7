import pytest
from app import greet

from connectors import Client

pytestmark = pytest.mark.anyio


@pytest.mark.connectors_cassette(match_on={"method", "path", "query", "body"})
async def test_it_posts(connectors_cassette):
    async with Client.from_env(transport=connectors_cassette) as base44:
        assert await greet(base44, "#general") == "posted"

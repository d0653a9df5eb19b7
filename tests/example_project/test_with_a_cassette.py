import os

import pytest
from app import greet

from connectors import Client

pytestmark = pytest.mark.anyio


@pytest.mark.connectors_cassette(match_on={"method", "path", "query", "body"})
async def test_it_posts(connectors_cassette):
    base44 = Client(
        app_id="local",
        # To play it, any token and server will do.
        service_token=os.environ.get("BASE44_SERVICE_TOKEN", "test"),
        server_url=os.environ.get("BASE44_API_URL", "https://base44.app"),
        transport=connectors_cassette,
    )
    assert await greet(base44, "#general") == "posted"

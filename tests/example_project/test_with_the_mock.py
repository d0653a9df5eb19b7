import pytest
from app import greet

from connectors import RateLimitedError
from connectors.testing import EXPIRED, METERED, NOT_CONNECTED, RATE_LIMITED, mock_client

pytestmark = pytest.mark.anyio


async def test_it_posts():
    base44 = mock_client({"slack": "xoxb-test"}, api={"slack": {"ok": True}})
    assert await greet(base44, "#general") == "posted"


async def test_it_says_what_to_do_first():
    base44 = mock_client({"slack": NOT_CONNECTED})
    assert await greet(base44, "#general") == "connect Slack first"


async def test_it_leaves_other_failures_to_the_caller():
    with pytest.raises(RateLimitedError) as caught:
        await greet(mock_client({"slack": RATE_LIMITED}), "#general")
    assert caught.value.retry_after == 120


async def test_configuration_and_other_words():
    config = {"subdomain": "acme"}
    base44 = mock_client(
        {
            "share_point": {"access_token": "a-token", "connection_config": config},
            "github": EXPIRED,
            "stripe": METERED,
        }
    )
    connection = await base44.as_service_role.connectors.get_connection("share_point")
    assert connection.connection_config == config

import pytest
from app import greet

from connectors.testing import NOT_CONNECTED

pytestmark = pytest.mark.anyio


async def test_it_works_once_slack_is_connected(mock_connectors):
    mock_connectors["slack"] = NOT_CONNECTED
    assert await greet(mock_connectors.client, "#general") == "connect Slack first"
    mock_connectors["slack"] = "xoxb-test"
    mock_connectors.api["slack"] = {"ok": True}
    assert await greet(mock_connectors.client, "#general") == "posted"
    assert mock_connectors.requested == ["slack", "slack", "slack"]

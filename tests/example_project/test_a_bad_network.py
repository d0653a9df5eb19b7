import pytest

from connectors import Client
from transports.mock import MockTransport, faults, json_response

pytestmark = pytest.mark.anyio


async def test_a_connection_that_breaks_is_tried_again():
    async with MockTransport() as transport:
        transport.route(
            "GET",
            "/api/apps/{app}/external-auth/tokens/{type}",
            [faults.reset(), json_response({"access_token": "xoxb-test"})],
        )
        base44 = Client(app_id="my-app", service_token="test", transport=transport)
        connection = await base44.as_service_role.connectors.get_connection("slack")
    assert connection.access_token == "xoxb-test"
    assert [call.params["type"] for call in transport.calls] == ["slack", "slack"]

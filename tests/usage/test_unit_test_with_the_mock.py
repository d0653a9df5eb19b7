"""A user's own unit test: their code, our client, and answers from the test."""

import pytest

from connectors import Client, RateLimitedError
from transports import UnmatchedRequestError
from transports.mock import MockTransport, json_response

SLACK = "/api/apps/my-app/external-auth/tokens/slack"


async def greeting(base44: Client) -> str:
    """The code under test: what a user might write."""
    connection = await base44.as_service_role.connectors.get_connection("slack")
    return f"Authorization: Bearer {connection.access_token}"


def base44_with(transport: MockTransport) -> Client:
    return Client(app_id="my-app", service_token="s", transport=transport, retry=False)


async def test_the_code_uses_the_token() -> None:
    transport = MockTransport()
    transport.route("GET", SLACK, json_response({"access_token": "xoxp-1"}))
    assert await greeting(base44_with(transport)) == "Authorization: Bearer xoxp-1"
    assert [call.request.method for call in transport.calls] == ["GET"]


async def test_the_code_when_the_service_is_busy() -> None:
    transport = MockTransport()
    transport.route("GET", SLACK, json_response({}, 429, {"Retry-After": "7"}))
    with pytest.raises(RateLimitedError) as caught:
        await greeting(base44_with(transport))
    assert caught.value.retry_after == 7


async def test_a_request_that_nobody_expected_fails_the_test() -> None:
    transport = MockTransport()
    transport.route("GET", SLACK.replace("slack", "github"), json_response({}))
    with pytest.raises(UnmatchedRequestError, match=r"tokens/slack\.\n.*tokens/github"):
        await greeting(base44_with(transport))

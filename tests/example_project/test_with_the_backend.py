import pytest
from app import greet

from connectors import Client
from connectors.local import Grant, Owner, Vault
from transports.mock import MockTransport, json_response

pytestmark = pytest.mark.anyio


async def test_it_works_with_a_connection_of_the_vault(tmp_path):
    async with Vault(tmp_path / "vault.db") as vault, MockTransport() as slack:
        slack.route("POST", "https://slack.com/api/chat.postMessage", json_response({"ok": True}))
        async with Client.local(vault=vault, provider_transport=slack) as base44:
            assert await greet(base44, "#general") == "connect Slack first"
            await vault.put(Owner.app("local", "slack"), Grant("slack", "xoxb-test"))
            assert await greet(base44, "#general") == "posted"
    assert slack.calls[0].json == {"channel": "#general", "text": "Good morning"}

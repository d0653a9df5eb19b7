from connectors import Client, NotConnectedError


async def greet(base44: Client, channel: str) -> str:
    """Post a greeting, and say what became of it."""
    connectors = base44.as_service_role.connectors
    try:
        connection = await connectors.get_connection("slack")
    except NotConnectedError:
        return "connect Slack first"
    assert connection.access_token
    answer = await connectors.call_api(
        "slack",
        method="POST",
        path="/chat.postMessage",
        body={"channel": channel, "text": "Good morning"},
    )
    return "posted" if answer.success else f"Slack said {answer.status}"

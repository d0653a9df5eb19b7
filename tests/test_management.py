"""Management and the user scope: what their answers become."""

import attrs
import pytest

from connectors import (
    Authorization,
    AvailableIntegration,
    ConnectionConfigField,
    Connector,
    MalformedResponseError,
)
from tests.service import answers, client


async def test_available_integrations() -> None:
    field = ConnectionConfigField(
        name="subdomain",
        display_name="Company domain",
        description="First part of the address.",
        placeholder="acme",
        required=True,
        validation_pattern="^[a-z]+$",
        validation_error="Letters.",
    )
    answer = {
        "integrations": [
            {
                "integration_type": "bamboohr",
                "display_name": "BambooHR",
                "description": "Employees.",
                "connection_config_fields": [attrs.asdict(field)],
            },
            {"integration_type": "slack", "display_name": "Slack", "description": None},
        ]
    }
    assert await client(answers(answer)).management.available_integrations() == (
        AvailableIntegration("bamboohr", "BambooHR", "Employees.", (field,)),
        AvailableIntegration("slack", "Slack"),
    )


async def test_list_connectors() -> None:
    answer = {
        "integrations": [
            {"integration_type": "slack", "status": "active", "scopes": ["a", "b"]},
            {
                "integration_type": "github",
                "status": "expired",
                "scopes": [],
                "user_email": "a@b.example",
            },
        ]
    }
    assert await client(answers(answer)).management.list_connectors() == (
        Connector("slack", "active", ("a", "b")),
        Connector("github", "expired", (), "a@b.example"),
    )


async def test_authorize() -> None:
    answer = {
        "redirect_url": "https://consent.example/?state=1",
        "connection_id": "c1",
        "already_authorized": False,
        "error": None,
        "error_message": None,
        "other_user_email": None,
    }
    authorization = await client(answers(answer)).management.authorize("slack", scopes=["a"])
    assert authorization == Authorization("https://consent.example/?state=1", "c1")
    assert "state=1" not in repr(authorization)


async def test_authorize_tells_who_else_has_connected() -> None:
    answer = {"error": "different_user", "other_user_email": "a@b.example"}
    authorization = await client(answers(answer)).management.authorize("slack")
    assert (authorization.error, authorization.other_user_email) == (
        "different_user",
        "a@b.example",
    )
    assert authorization.redirect_url is None


@pytest.mark.parametrize("scopes", ["chat:write", [1], ["a", None]])
async def test_scopes_are_strings(scopes: list[str]) -> None:
    transport = answers({})
    with pytest.raises(TypeError, match="scopes must be a list of str"):
        await client(transport).management.authorize("slack", scopes=scopes)
    assert transport.calls == []


@pytest.mark.parametrize("status", ["ACTIVE", "FAILED", "PENDING"])
async def test_status(status: str) -> None:
    assert await client(answers({"status": status})).management.status("slack") == status


async def test_an_unknown_status_is_no_answer() -> None:
    with pytest.raises(MalformedResponseError, match=r"\$\.status"):
        await client(answers({"status": "DONE"})).management.status("slack")


async def test_connect_app_user_returns_where_to_send_the_user() -> None:
    answer = {"redirect_url": "https://consent.example/", "connection_id": "c1"}
    url = await client(answers(answer)).connectors.connect_app_user("c")
    assert url == "https://consent.example/"


async def test_disconnect_and_remove_ignore_what_is_in_the_answer() -> None:
    ours = client(answers("whatever"))
    await ours.connectors.disconnect_app_user("c")
    await ours.management.remove("slack")

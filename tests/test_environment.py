"""`Client.from_env()`."""

import pytest

from connectors import Client
from tests.environment import environment
from tests.service import ACCESS_TOKEN, API_KEY, CONNECTED, SERVICE_TOKEN, USER_TOKEN, answers


async def test_from_env_reads_every_variable() -> None:
    transport = answers({**CONNECTED, "integrations": []})
    with environment(
        BASE44_APP_ID="env-app",
        BASE44_SERVICE_TOKEN=SERVICE_TOKEN,
        BASE44_ACCESS_TOKEN=USER_TOKEN,
        BASE44_API_KEY=API_KEY,
        BASE44_API_URL="http://127.0.0.1:8044",
    ):
        ours = Client.from_env(transport=transport)
    await ours.as_service_role.connectors.get_current_app_user_connection("c")
    await ours.management.list_connectors()
    first, second = (call.request for call in transport.calls)
    assert first.url.startswith("http://127.0.0.1:8044/api/apps/env-app/")
    assert first.headers["authorization"] == f"Bearer {SERVICE_TOKEN}"
    assert first.headers["on-behalf-of"] == f"Bearer {USER_TOKEN}"
    assert second.headers["api_key"] == API_KEY


async def test_from_env_takes_headers_and_always_on_behalf_of() -> None:
    transport = answers(CONNECTED)
    with environment(BASE44_APP_ID="a", BASE44_SERVICE_TOKEN="s", BASE44_ACCESS_TOKEN="u"):
        ours = Client.from_env(
            transport=transport, headers={"X-Trace": "t"}, always_on_behalf_of=True
        )
    await ours.as_service_role.connectors.get_connection("slack")
    headers = transport.calls[0].request.headers
    assert (headers["x-trace"], headers["on-behalf-of"]) == ("t", "Bearer u")


async def test_from_env_needs_only_the_app_and_takes_empty_as_absent() -> None:
    with environment(BASE44_APP_ID="a", BASE44_SERVICE_TOKEN="", BASE44_API_URL=""):
        ours = Client.from_env(transport=answers({}))
    assert repr(ours) == "<Client app_id='a' at https://base44.app with no credentials>"


@pytest.mark.parametrize("app", [{}, {"BASE44_APP_ID": ""}])
def test_from_env_without_an_app_says_which_variable(app: dict[str, str]) -> None:
    with environment(**app), pytest.raises(ValueError, match="BASE44_APP_ID is not set"):
        Client.from_env()


def test_from_env_names_a_bad_token_without_showing_it() -> None:
    with (
        environment(BASE44_APP_ID="a", BASE44_SERVICE_TOKEN=f"{ACCESS_TOKEN}\n"),
        pytest.raises(ValueError, match="service_token holds") as caught,
    ):
        Client.from_env()
    assert ACCESS_TOKEN not in str(caught.value)

"""`Client.from_env()`."""

from pathlib import Path

import pytest

from connectors import Client
from connectors._recordings import CASSETTE, cassette_transport
from tests.environment import environment
from tests.service import ACCESS_TOKEN, API_KEY, CONNECTED, SERVICE_TOKEN, USER_TOKEN, answers
from transports import Request, TransportClosedError
from transports.replay import ReplayTransport, UnrecordedRequestError


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


async def test_from_env_plays_the_cassette_that_the_environment_names(tmp_path: Path) -> None:
    path = tmp_path / "slack.json"
    async with (
        ReplayTransport(path, "once", answers(CONNECTED)) as recording,
        Client(app_id="a", service_token=SERVICE_TOKEN, transport=recording) as theirs,
    ):
        await theirs.as_service_role.connectors.get_connection("slack")
    with environment(
        BASE44_APP_ID="a", BASE44_SERVICE_TOKEN=SERVICE_TOKEN, BASE44_CASSETTE=str(path)
    ):
        ours = Client.from_env()
    async with ours:
        played = await ours.as_service_role.connectors.get_connection("slack")
    assert played.access_token.startswith("SCRUBBED-")
    transport = cassette_transport({CASSETTE: str(path)})
    assert repr(transport) == f"<ReplayTransport {str(path)!r} mode='none' played=0 recorded=0>"


async def test_from_env_closes_the_cassette_that_it_has_opened(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with environment(BASE44_APP_ID="a", BASE44_SERVICE_TOKEN="s", BASE44_CASSETTE=str(path)):
        ours = Client.from_env(retry=False)
    with pytest.raises(UnrecordedRequestError, match="There is no cassette"):
        await ours.as_service_role.connectors.get_connection("slack")
    transport = ours._view.engine._transport
    await ours.aclose()
    with pytest.raises(TransportClosedError):
        await transport.send(Request("GET", "http://service.example/"))


async def test_a_transport_that_is_given_counts_more_than_a_cassette(tmp_path: Path) -> None:
    transport = answers(CONNECTED)
    (tmp_path / "damaged.json").write_text("{")
    with environment(
        BASE44_APP_ID="a",
        BASE44_SERVICE_TOKEN="s",
        BASE44_CASSETTE=str(tmp_path / "damaged.json"),
    ):
        from_env = Client.from_env(transport=transport)
        # This one does not even look.
        Client(app_id="a")
    await from_env.as_service_role.connectors.get_connection("slack")
    assert len(transport.calls) == 1


def test_without_a_cassette_there_is_none() -> None:
    assert cassette_transport({}) is cassette_transport({CASSETTE: ""}) is None

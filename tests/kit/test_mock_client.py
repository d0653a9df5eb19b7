"""A client whose connections are in the test's own words, and what is told of them."""

from typing import Any

import pytest

from connectors import Connection, NotConnectedError, RateLimitedError, UnreachableError
from connectors.testing import (
    EXPIRED,
    METERED,
    NOT_CONNECTED,
    RATE_LIMITED,
    MockConnectors,
    mock_client,
)
from transports import Request, Response, Secret, UnmatchedRequestError
from transports.mock import faults, json_response

GETTERS = [
    "get_connection",
    "get_workspace_connection",
    "get_current_app_user_connection",
]


async def get(mock: MockConnectors, name: str) -> Connection:
    return await mock.client.as_service_role.connectors.get_connection(name)


async def token(mock: MockConnectors, name: str) -> str:
    return (await get(mock, name)).access_token


@pytest.mark.parametrize("getter", GETTERS)
async def test_a_name_serves_whichever_way_it_is_asked_for(getter: str) -> None:
    base44 = mock_client({"slack": "xoxb-test", "a/b c": "other"})
    for name, expected in (("slack", "xoxb-test"), ("a/b c", "other")):
        connection = await getattr(base44.as_service_role.connectors, getter)(name)
        assert connection == Connection(expected, None, name)


async def test_a_client_is_made_in_one_line() -> None:
    base44 = mock_client(
        {
            "slack": "xoxb-test",
            "share_point": {"access_token": "a", "connection_config": {"host": "acme.example"}},
            "github": NOT_CONNECTED,
            "gmail": [RATE_LIMITED, Secret("b")],
            "stripe": METERED,
        },
        api={"stripe": {"charges": []}},
    )
    connectors = base44.as_service_role.connectors
    assert (await connectors.get_connection("slack")).access_token == "xoxb-test"
    config = (await connectors.get_connection("share_point")).connection_config
    assert config == {"host": "acme.example"}
    assert (await connectors.call_api("stripe", path="/charges")).data == {"charges": []}


WHOLE = Connection("dapi-test", {"share_point_host": "acme.example"}, "share_point")


@pytest.mark.parametrize(
    "given",
    [
        WHOLE,
        {
            "access_token": "dapi-test",
            "connection_config": {"share_point_host": "acme.example"},
            "integration_type": "share_point",
        },
        {
            "access_token": Secret("dapi-test"),
            "connection_config": {"share_point_host": "acme.example"},
        },
        json_response(
            {
                "access_token": "dapi-test",
                "connection_config": {"share_point_host": "acme.example"},
                "integration_type": "share_point",
            }
        ),
        [WHOLE],
    ],
    ids=["connection", "mapping", "secret", "response", "list"],
)
async def test_a_connection_may_be_given_whole(given: Any) -> None:
    assert await get(MockConnectors({"share_point": given}), "share_point") == WHOLE


async def test_a_function_a_coroutine_a_fault_or_an_error_may_answer() -> None:
    def at_once(request: Request) -> Response:
        return json_response({"access_token": request.headers["x-app-id"]})

    async def later(request: Request) -> Response:
        return at_once(request)

    mock = MockConnectors(
        {"once": at_once, "later": later, "fault": faults.reset(), "error": LookupError("mine")},
        app_id="my-app",
        retry=False,
    )
    assert [await token(mock, name) for name in ("once", "later")] == ["my-app"] * 2
    with pytest.raises(UnreachableError, match="The connection broke"):
        await get(mock, "fault")
    lengths = set()
    for _ in range(3):
        with pytest.raises(LookupError, match="mine") as caught:
            await get(mock, "error")
        lengths.add(len(caught.traceback))
    assert len(lengths) == 1


async def test_several_answers_are_given_once_each() -> None:
    mock = MockConnectors({"slack": [RATE_LIMITED, "xoxb-1", WHOLE], "github": ("gho-1",)})
    with pytest.raises(RateLimitedError):
        await get(mock, "slack")
    assert await token(mock, "github") == "gho-1"
    assert [await token(mock, "slack") for _ in range(2)] == ["xoxb-1", "dapi-test"]
    for name in ("slack", "github"):
        with pytest.raises(UnmatchedRequestError, match=f"'{name}' once more, which has given all"):
            await get(mock, name)
    assert mock.requested == ["slack", "github", "slack", "slack", "slack", "github"]


async def test_a_connection_may_change_in_the_middle_of_a_test() -> None:
    mock = MockConnectors({"github": NOT_CONNECTED})
    with pytest.raises(NotConnectedError):
        await get(mock, "github")
    mock["github"] = "gho-1"
    first = await get(mock, "github")
    mock["github"] = "gho-2"
    connectors = mock.client.as_service_role.connectors
    assert (await connectors.get_connection("github", rejected=first)).access_token == "gho-2"
    mock["slack"] = "xoxb-test"
    assert await token(mock, "slack") == "xoxb-test"
    mock.assert_nothing_unexpected()


async def test_the_client_says_whom_it_acts_for_and_that_it_is_a_test() -> None:
    mock = MockConnectors({"slack": "xoxb-test"}, app_id="my-app")
    await mock.client.as_service_role.connectors.get_current_app_user_connection("slack")
    await mock.client.management.list_connectors()
    sent, managed = (call.request for call in mock.transport.calls)
    assert sent.url.startswith("https://base44.test/api/apps/my-app/")
    assert sent.headers["authorization"] == "Bearer test-service-token"
    assert sent.headers["on-behalf-of"] == "Bearer test-user-token"
    assert managed.headers["api_key"] == "test-api-key"


async def test_a_connector_that_the_test_does_not_name_is_told_with_what_is_near() -> None:
    mock = MockConnectors({"slack": "xoxb-test", "github": "gho-test"})
    with pytest.raises(UnmatchedRequestError) as caught:
        await get(mock, "slak")
    for told in (
        "The program asks for 'slak', which is not among the connectors of the test.",
        "There are 'github', 'slack'.",
        "Is it 'slack' that is meant?",
        'mock_client({..., "slak": "a-token"})',
        'mock_connectors["slak"] = "a-token"',
    ):
        assert told in str(caught.value)
    with pytest.raises(UnmatchedRequestError, match="It has none"):
        await mock_client({}).as_service_role.connectors.get_connection("slack")
    with pytest.raises(UnmatchedRequestError) as far:
        await get(mock, "box")
    assert "meant" not in str(far.value)


async def test_what_the_program_swallows_is_told_once() -> None:
    mock = MockConnectors({})
    for _ in range(2):
        with pytest.raises(UnmatchedRequestError):
            await get(mock, "slack")
    with pytest.raises(UnmatchedRequestError) as caught:
        mock.assert_nothing_unexpected()
    assert str(caught.value).count("asks for 'slack'") == 1
    mock.assert_nothing_unexpected()


async def test_an_app_user_is_sent_to_consent_and_forgotten() -> None:
    mock = MockConnectors({"a b": "xoxb-test"})
    connectors = mock.client.connectors
    assert await connectors.connect_app_user("a b") == "https://base44.test/consent?connector=a%20b"
    await connectors.disconnect_app_user("a b")
    with pytest.raises(NotConnectedError):
        await get(mock, "a b")
    for call in (connectors.connect_app_user, connectors.disconnect_app_user):
        with pytest.raises(UnmatchedRequestError, match="asks for 'other'"):
            await call("other")


async def test_the_list_of_connectors_is_what_the_test_has_given() -> None:
    mock = MockConnectors(
        {
            "slack": "xoxb-test",
            "google_drive": EXPIRED,
            "github": NOT_CONNECTED,
            "stripe": METERED,
            "box": ["first"],
        }
    )
    management = mock.client.management
    await get(mock, "box")
    listed = {entry.integration_type: entry.status for entry in await management.list_connectors()}
    assert listed == {
        "slack": "active",
        "google_drive": "expired",
        "stripe": "active",
        "box": "active",
    }
    await management.remove("slack")
    assert "slack" not in {entry.integration_type for entry in await management.list_connectors()}
    offered = {
        entry.integration_type: entry.display_name
        for entry in await management.available_integrations()
    }
    assert offered["google_drive"] == "Google Drive"
    assert len(offered) == 5


async def test_what_the_mock_does_not_play_a_test_can_play_with_a_route() -> None:
    mock = MockConnectors({})
    management = mock.client.management
    line = 'mock.transport.route("PUT", "/api/apps/test-app/external-auth/integrations/slack"'
    with pytest.raises(UnmatchedRequestError) as caught:
        await management.authorize("slack")
    assert line in str(caught.value)
    mock.transport.route(
        "PUT",
        "/api/apps/test-app/external-auth/integrations/slack",
        json_response({"already_authorized": True}),
    )
    assert (await management.authorize("slack")).already_authorized


def test_a_mock_shows_its_connectors_and_no_token() -> None:
    assert repr(MockConnectors({"slack": "xoxb-test"})) == "<MockConnectors 'slack'>"
    assert repr(MockConnectors()) == "<MockConnectors without connectors>"
    assert repr([NOT_CONNECTED, METERED]) == "[NOT_CONNECTED, METERED]"

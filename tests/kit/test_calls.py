"""What `call_api` answers is the service's envelope around the test's words."""

import json
from typing import Any

import pytest

from connectors import (
    ApiResponse,
    MeteredConnectorError,
    NotConnectedError,
    OutOfCreditsError,
    UnreachableError,
)
from connectors.catalog import integrations
from connectors.local._envelopes import envelope
from connectors.testing import METERED, NOT_CONNECTED, OUT_OF_CREDITS, MockConnectors
from connectors.testing._envelopes import provider_envelope
from transports import ConnectError, Request, Response, Secret, UnmatchedRequestError
from transports.mock import json_response

DATA = {"charges": [{"id": 1}]}
REFUSED = ConnectError("Refused", method="POST", url="", phase="connect", maybe_sent=False)


async def call(mock: MockConnectors, name: str = "stripe") -> ApiResponse:
    return await mock.client.as_service_role.connectors.call_api(name, path="/charges")


@pytest.mark.parametrize("data", [DATA, [1, 2], "text", 7, None])
async def test_data_is_what_the_provider_has_answered(data: object) -> None:
    mock = MockConnectors({"stripe": METERED}, api={"stripe": data})
    answer = await call(mock)
    assert (answer.success, answer.phase, answer.status) == (True, "responded", 200)
    assert (answer.data, answer.content_type) == (data, "application/json")
    with pytest.raises(MeteredConnectorError):
        await mock.client.as_service_role.connectors.get_connection("stripe")
    assert mock.requested == ["stripe", "stripe"]


async def test_a_response_is_the_providers_whatever_its_status() -> None:
    mock = MockConnectors(api={"stripe": json_response({"error": "no"}, 404, {"x-rate": "1"})})
    answer = await call(mock)
    assert (answer.success, answer.status, answer.data) == (False, 404, {"error": "no"})
    assert answer.headers["x-rate"] == "1"


async def test_a_function_sees_the_call_and_makes_the_providers_response() -> None:
    def echo(request: Request) -> Response:
        return json_response(json.loads(request.body or b""))

    async def later(request: Request) -> Response:
        return echo(request)

    mock = MockConnectors(api={"a": echo, "b": later, "c": lambda _: "text"})
    for name in ("a", "b"):
        answer = await call(mock, name)
        assert isinstance(answer.data, dict)
        assert answer.data["path"] == "/charges"
    with pytest.raises(TypeError, match="A function in api gives a Response, not str"):
        await call(mock, "c")


async def test_an_outcome_a_word_or_an_error_may_be_given() -> None:
    lost = ApiResponse(success=False, phase="timed_out", credits_charged=2, headers={"a": "b"})
    mock = MockConnectors(
        {}, api={"lost": lost, "poor": OUT_OF_CREDITS, "gone": REFUSED}, retry=False
    )
    assert await call(mock, "lost") == lost
    with pytest.raises(OutOfCreditsError):
        await call(mock, "poor")
    with pytest.raises(UnreachableError, match="Refused"):
        await call(mock, "gone")


async def test_a_connector_that_is_not_connected_can_t_be_called() -> None:
    mock = MockConnectors({"stripe": "sk-test"}, api={"stripe": DATA})
    assert (await call(mock)).data == DATA
    mock["stripe"] = NOT_CONNECTED
    with pytest.raises(NotConnectedError):
        await call(mock)


async def test_an_answer_may_change_in_the_middle_of_a_test() -> None:
    mock = MockConnectors({"stripe": METERED})
    with pytest.raises(UnmatchedRequestError, match="does not say what it answers") as caught:
        await call(mock)
    assert 'mock_client({...}, api={"stripe": {...}})' in str(caught.value)
    assert 'mock_connectors.api["stripe"] = {...}' in str(caught.value)
    mock.api["stripe"] = DATA
    assert (await call(mock)).data == DATA
    with pytest.raises(UnmatchedRequestError, match="There are answers of 'stripe'"):
        await call(mock, "slack")


@pytest.mark.parametrize(
    ("name", "given", "kind"),
    [
        ("", {}, ValueError),
        ("a", {1, 2}, TypeError),
        ("a", float("nan"), ValueError),
        ("a", dict, TypeError),
        ("a", Secret("x"), TypeError),
    ],
)
def test_what_can_be_no_answer_is_refused(name: str, given: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"api|The name of a connector"):
        MockConnectors(api={name: given})


@pytest.mark.parametrize(
    "response",
    [
        Response(200, {"content-type": "application/json"}, b'{"a": 1}'),
        Response(200, {"content-type": "application/problem+json; charset=utf-8"}, b"[]"),
        Response(500, {"content-type": "text/html"}, b"<p>"),
        Response(200, {"content-type": "text/plain"}, b"\xff"),
        Response(200, {"content-type": "application/json"}, b"{"),
        Response(200, {"content-type": "image/png"}, b"\x89PNG"),
        Response(200, {}, b"?"),
        Response(204, {"etag": "x"}, b""),
    ],
)
def test_an_envelope_is_that_of_the_local_backend(response: Response) -> None:
    theirs = json.loads(envelope(response, integrations()["slack"], Secret("token")).body)
    ours = json.loads(provider_envelope(response).body)
    # A real service lets only some fields through; a test gets those that it gave.
    assert {**ours, "headers": {}} == {**theirs, "headers": {}}

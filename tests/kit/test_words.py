"""A word answers what the service and the local backend answer, so the client raises as in life."""

import json
from collections.abc import Callable

import pytest

from connectors import (
    ConnectorsError,
    ForbiddenError,
    MeteredConnectorError,
    NotConnectedError,
    OutOfCreditsError,
    RateLimitedError,
    ReconnectRequiredError,
    ServerError,
    UnauthorizedError,
    UnreachableError,
)
from connectors.local._answers import Refusal, not_connected, unauthorized
from connectors.local._records import Owner
from connectors.local._refresh import ReconnectRequiredError as Ended
from connectors.local._refresh import RefreshPostponedError
from connectors.local._token_routes import _SERVICE
from connectors.local._unusable import refusing
from connectors.testing import (
    EXPIRED,
    FORBIDDEN,
    METERED,
    NOT_CONNECTED,
    OUT_OF_CREDITS,
    POSTPONED,
    RATE_LIMITED,
    SERVER_ERROR,
    UNAUTHORIZED,
    UNREACHABLE,
    MockConnectors,
    Unusable,
)
from transports import Response

RAISED = {
    EXPIRED: (ReconnectRequiredError, "RECONNECT_REQUIRED", None),
    FORBIDDEN: (ForbiddenError, None, None),
    METERED: (MeteredConnectorError, "metered_connector_requires_proxy", None),
    NOT_CONNECTED: (NotConnectedError, "NOT_FOUND", None),
    OUT_OF_CREDITS: (OutOfCreditsError, None, None),
    POSTPONED: (ServerError, "REFRESH_POSTPONED", 120),
    RATE_LIMITED: (RateLimitedError, None, 120),
    SERVER_ERROR: (ServerError, None, 120),
    UNAUTHORIZED: (UnauthorizedError, None, None),
}


@pytest.mark.parametrize(("word", "raised"), RAISED.items(), ids=map(repr, RAISED))
async def test_a_word_raises_its_error_at_the_first_attempt(
    word: Unusable, raised: tuple[type[ConnectorsError], str | None, float | None]
) -> None:
    mock = MockConnectors({"slack": word})
    with pytest.raises(ConnectorsError) as caught:
        await mock.client.as_service_role.connectors.get_connection("slack")
    error = caught.value
    assert (type(error), error.code, error.retry_after) == raised
    assert mock.requested == ["slack"]


async def test_a_service_that_is_out_of_reach_is_tried_as_in_life() -> None:
    mock = MockConnectors({"slack": UNREACHABLE})
    with pytest.raises(UnreachableError, match="Connection refused"):
        await mock.client.as_service_role.connectors.get_connection("slack")
    assert mock.requested == ["slack"] * 3


def refused(error: Exception) -> Response:
    with pytest.raises(Refusal) as caught, refusing(Owner.app("local", "slack")):
        raise error
    return caught.value.response


LOCAL: dict[Unusable, Callable[[], Response]] = {
    EXPIRED: lambda: refused(Ended("slack", "refresh_token_expired")),
    FORBIDDEN: lambda: Refusal(403, _SERVICE.detail).response,
    NOT_CONNECTED: lambda: not_connected().response,
    POSTPONED: lambda: refused(RefreshPostponedError("slack", 120, "the provider does not answer")),
    UNAUTHORIZED: lambda: unauthorized().response,
}


@pytest.mark.parametrize(("word", "local"), LOCAL.items(), ids=map(repr, LOCAL))
def test_a_word_answers_what_the_local_backend_answers(
    word: Unusable, local: Callable[[], Response]
) -> None:
    ours, theirs = word.answer("slack"), local()
    assert isinstance(ours, Response)
    assert ours.status == theirs.status
    assert json.loads(ours.body) == json.loads(theirs.body)
    fields = theirs.headers.fields
    told = [field for field in fields if field[0].lower() != "cache-control"]
    assert [*ours.headers.fields] == told


def test_a_metered_connector_names_the_route_that_it_has() -> None:
    answer = METERED.answer("stripe")
    assert isinstance(answer, Response)
    assert "/connectors/stripe/call" in json.loads(answer.body)["detail"]

"""A built request has its secrets where they are sent, and shows none of them."""

import pytest

from connectors.catalog import integrations
from connectors.local._oauth import (
    authorization_url,
    new_state,
    new_verifier,
    refresh_request,
    revocation_request,
)
from tests.local.oauth.flows import (
    ACCESS,
    CLIENT,
    PLANTED,
    REDIRECT,
    REFRESH,
    STATE,
    VERIFIER,
    config_of,
    exchange,
    named,
)
from tests.tracebacks import rendered
from transports import ConnectError, Request, Secret
from transports.mock import MockTransport


def renewal(name: str) -> Request:
    return refresh_request(
        named(name),
        CLIENT,
        access_token=Secret(ACCESS),
        refresh_token=Secret(REFRESH),
        config=config_of(named(name)),
    )


def shown(text: str) -> list[str]:
    return [secret for secret in PLANTED if secret in text]


@pytest.mark.parametrize("name", integrations())
def test_no_request_shows_what_it_holds(name: str) -> None:
    integration = named(name)
    revocation = revocation_request(
        integration,
        CLIENT,
        access_token=Secret(ACCESS),
        refresh_token=Secret(REFRESH),
        config=config_of(integration),
    )
    flow = exchange(integration)
    requests = [flow.request(), *([revocation] if revocation else [])]
    if integration.refresh.call:
        requests.append(renewal(name))
    assert shown(repr([flow, *requests])) == []


def test_an_authorization_url_hides_its_state_until_it_is_opened() -> None:
    url = authorization_url(
        named("github"),
        CLIENT,
        config={},
        redirect_uri=REDIRECT,
        state=Secret(STATE),
        verifier=Secret(VERIFIER),
        scopes=(),
    )
    assert shown(repr(url) + str(url)) == []
    assert shown(url.reveal()) == [STATE]


def test_what_is_made_anew_is_hidden() -> None:
    for secret in (new_state(), new_verifier()):
        assert secret.reveal() not in f"{secret!r} {secret}"


async def test_a_token_in_a_query_is_in_no_error() -> None:
    request = renewal("instagram")
    assert ACCESS in request.url
    failure = ConnectError(
        "No route", method=request.method, url=request.url, phase="connect", maybe_sent=False
    )

    async def refuse(_: Request) -> ConnectError:
        raise failure

    transport = MockTransport(refuse)  # type: ignore[arg-type]
    with pytest.raises(ConnectError) as caught:
        await transport.send(request)
    assert shown(rendered(caught.value) + repr(caught.value) + repr(request)) == []
    assert str(caught.value) == (
        "No route (GET https://graph.instagram.com/refresh_access_token, phase connect, "
        "was not sent)"
    )

"""The OAuth engine and the sandbox, each of which reads the catalogue from its own side, agree."""

from urllib.parse import urlsplit

import pytest

from connectors.catalog import Integration, check_config
from connectors.local._oauth import (
    CodeExchange,
    RefreshFailure,
    Tokens,
    authorization_url,
    callback_state,
    is_renewable,
    new_state,
    new_verifier,
    read_callback,
    refresh_request,
    refresh_result,
    revocation_request,
    revocation_result,
)
from connectors.local._sandbox import SandboxProvider, SandboxTransport
from tests.local.sandbox.players import NOW, ORIGIN, REDIRECT, TYPES, Clock
from transports import FieldValue, Request, Response, Secret


def config_of(integration: Integration) -> dict[str, str]:
    fields = [field for field in integration.connection_config if not field.automated]
    return check_config(integration, {field.name: field.placeholder for field in fields})


@pytest.mark.parametrize("name", TYPES)
async def test_a_whole_life_of_a_connection(name: str) -> None:
    clock = Clock()
    provider = SandboxProvider(clock=clock)
    transport = SandboxTransport(provider)
    integration, client = provider.integrations(ORIGIN)[name], provider.client(name)
    config, state, verifier = config_of(integration), new_state(), new_verifier()
    url = authorization_url(
        integration,
        client,
        config=config,
        redirect_uri=REDIRECT,
        state=state,
        verifier=verifier,
        scopes=integration.scopes.examples,
    )
    query = urlsplit(provider.approve(url).reveal()).query
    assert callback_state(query) == state
    callback = read_callback(integration, query, config=config)
    config |= callback.captured
    exchange = CodeExchange(
        integration,
        client,
        code=callback.code,
        verifier=verifier,
        redirect_uri=REDIRECT,
        config=config,
    )
    tokens = None
    while tokens is None:
        tokens = exchange.receive(await transport.send(exchange.request()), sent_at=clock())
    config = check_config(integration, {**config, **tokens.captured}, complete=True)
    assert tokens.scopes is None or set(integration.scopes.examples) <= set(tokens.scopes)
    said = integration.refresh.access_token_lifetime
    assert tokens.expires_at == (None if said is None and not tokens.expires_at else NOW + 60)
    assert (await transport.send(call(integration, tokens))).status == 200
    if not is_renewable(integration, has_refresh_token=tokens.refresh_token is not None):
        return
    clock.now += 30

    async def renewed(before: Tokens) -> Tokens | RefreshFailure:
        request = refresh_request(
            integration,
            client,
            access_token=before.access_token,
            refresh_token=before.refresh_token or tokens.refresh_token,
            config=config,
            redirect_uri=REDIRECT,
        )
        return refresh_result(integration, await transport.send(request), sent_at=clock())

    newer = await renewed(tokens)
    assert isinstance(newer, Tokens)
    assert (await transport.send(call(integration, newer))).status == 200
    request = revocation_request(
        integration,
        client,
        access_token=newer.access_token,
        refresh_token=newer.refresh_token or tokens.refresh_token,
        config=config,
    )
    if request is None:
        return
    assert revocation_result(integration, await transport.send(request)) == "revoked"
    over = await renewed(newer)
    assert isinstance(over, RefreshFailure)
    assert over.kind == "refused"
    assert (await transport.send(call(integration, newer))).status == 401


@pytest.mark.parametrize("name", ["slack", "github", "gmail", "notion", "square"])
async def test_a_wrong_secret_is_told_from_a_dead_connection(name: str) -> None:
    provider, other = SandboxProvider(), SandboxProvider()
    integration = provider.integrations(ORIGIN)[name]
    request = refresh_request(
        integration,
        other.client(name),
        access_token=Secret("any"),
        refresh_token=Secret("any"),
        config={},
    )
    result: Response = await provider.handle(request)
    failure = refresh_result(integration, result, sent_at=NOW)
    assert isinstance(failure, RefreshFailure)
    assert failure.kind == "client_rejected"


def call(integration: Integration, tokens: Tokens) -> Request:
    headers: dict[str, FieldValue] = dict.fromkeys(integration.api.headers, "some-value")
    headers["authorization"] = Secret(f"Bearer {tokens.access_token.reveal()}")
    return Request("GET", f"{integration.api.base_url}/any", headers)

"""The certified provider as the catalogue would describe it, and an account that is connected."""

import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final
from urllib.parse import parse_qs, urlsplit

from connectors.catalog import (
    Api,
    Authorization,
    Call,
    Integration,
    Probe,
    Refresh,
    Scopes,
    TokenAnswer,
    TokenCall,
)
from connectors.local._oauth import (
    CodeExchange,
    OAuthClient,
    Tokens,
    authorization_url,
    new_state,
    new_verifier,
)
from tests.conformance.oidc import METHODS, Method, OidcProvider
from transports import Secret
from transports.aiohttp import AiohttpTransport

CALLBACK: Final = "http://127.0.0.1:8044/oauth/callback"
"""Where a consent is sent back to that nobody waits for."""


def oauth_client(method: Method, secret: str) -> OAuthClient:
    """A registration at the provider."""
    return OAuthClient(method, None if method == "none" else Secret(secret))


def catalog(issuer: str) -> dict[str, Integration]:
    """A type of integration for each kind of client."""
    found = [integration(issuer, method) for method in METHODS]
    return {entry.integration_type: entry for entry in found}


def integration(issuer: str, method: Method) -> Integration:
    """The type for one kind of client."""
    secret = {"client_secret": "{client_secret}"} if method == "client_secret_post" else {}
    named = {} if method == "client_secret_basic" else {"client_id": "{client_id}"} | secret
    answer = TokenAnswer(
        access_token="access_token",
        refresh_token="refresh_token",
        expires_in="expires_in",
        scope="scope",
    )

    def call(path: str, parameters: Mapping[str, str]) -> Call:
        return Call(
            url=f"{issuer}{path}",
            basic_auth=method == "client_secret_basic",
            parameters={**named, **parameters},
        )

    return Integration(
        integration_type=f"oidc_{method}",
        display_name="The certified provider",
        description="Runs on this machine.",
        confidence="high",
        documentation_url=issuer,
        redirect_uri_notes="Any port of this machine.",
        scopes=Scopes(examples=("read", "write")),
        authorization=Authorization(
            url=f"{issuer}/auth",
            parameters={
                "response_type": "code",
                "client_id": "{client_id}",
                "redirect_uri": "{redirect_uri}",
                "scope": "{scope}",
                "state": "{state}",
                "code_challenge": "{code_challenge}",
                "code_challenge_method": "S256",
            },
            pkce="S256_required",
        ),
        token=(
            TokenCall(
                call=call(
                    "/token",
                    {
                        "grant_type": "authorization_code",
                        "code": "{code}",
                        "redirect_uri": "{redirect_uri}",
                        "code_verifier": "{code_verifier}",
                    },
                ),
                answer=answer,
            ),
        ),
        refresh=Refresh(
            call=TokenCall(
                call=call(
                    "/token", {"grant_type": "refresh_token", "refresh_token": "{refresh_token}"}
                ),
                answer=answer,
            ),
            refresh_token_issued="always",
            rotates="always",
            on_reuse="The whole grant is revoked.",
            expires_in_returned=True,
            refresh_token_lifetime_kind="none",
        ),
        revocation=call("/token/revocation", {"token": "{token}"}),
        introspection_url=f"{issuer}/token/introspection",
        api=Api(base_url=issuer, probe=Probe(call=Call(url=f"{issuer}/me", method="GET"))),
    )


async def consented(provider: OidcProvider, method: Method) -> Tokens:
    """The tokens of an account that has just given its consent to a client."""
    registered, client = integration(provider.issuer, method), oauth_client(method, provider.secret)
    verifier = new_verifier()
    url = authorization_url(
        registered,
        client,
        config={},
        redirect_uri=CALLBACK,
        state=new_state(),
        verifier=verifier,
        scopes=["read"],
    )
    callback = parse_qs(urlsplit(await provider.consent(url.reveal())).query)
    exchange = CodeExchange(
        registered,
        client,
        code=Secret(callback["code"][0]),
        verifier=verifier,
        redirect_uri=CALLBACK,
        config={},
    )
    async with aclosing(AiohttpTransport()) as transport:
        sent_at = time.time()
        tokens = exchange.receive(await transport.send(exchange.request()), sent_at=sent_at)
    assert isinstance(tokens, Tokens)
    return tokens

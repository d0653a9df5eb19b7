"""What the tests of OAuth share: planted secrets, good configs, and a look into a request."""

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from hypothesis import settings

from connectors.catalog import Integration, integrations
from connectors.local._oauth import CodeExchange, OAuthClient, Tokens
from transports import Request, Response, Secret

CLIENT_ID = "client-id"
CLIENT_SECRET = "planted-client-secret"
CODE = "planted-code"
VERIFIER = "planted-verifier-of-more-than-forty-three-characters"
STATE = "planted-state"
ACCESS = "planted-access-token"
REFRESH = "planted-refresh-token"
PLANTED = (CLIENT_SECRET, CODE, VERIFIER, STATE, ACCESS, REFRESH)

REDIRECT = "http://localhost:8044/oauth/callback"
CLIENT = OAuthClient(CLIENT_ID, Secret(CLIENT_SECRET))
PUBLIC = OAuthClient(CLIENT_ID)
NOW = 1_800_000_000.0

unhurried = settings(deadline=None)
"""A machine that is busy with something else makes no example a failure."""


def named(integration_type: str) -> Integration:
    return integrations()[integration_type]


def config_of(integration: Integration) -> dict[str, str]:
    """A good value for each field, captured ones too."""
    return {field.name: field.placeholder for field in integration.connection_config}


def exchange(
    integration: Integration,
    *,
    client: OAuthClient = CLIENT,
    config: Mapping[str, str] | None = None,
    redirect_uri: str = REDIRECT,
) -> CodeExchange:
    return CodeExchange(
        integration,
        client,
        code=Secret(CODE),
        verifier=Secret(VERIFIER),
        redirect_uri=redirect_uri,
        config=config_of(integration) if config is None else config,
    )


def answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, headers or {}, json.dumps(data).encode())


def tokens_of(integration: Integration, data: object, **kwargs: object) -> Tokens:
    """The tokens of the last call's answer."""
    flow = exchange(integration)
    for _ in integration.token[1:]:
        assert flow.receive(answer({"access_token": "of-a-step-before"}), sent_at=NOW) is None
    tokens = flow.receive(answer(data, **kwargs), sent_at=NOW)  # type: ignore[arg-type]
    assert tokens is not None
    return tokens


def parts(request: Request) -> dict[str, object]:
    """A request in plain sight, its body and query read."""
    url = urlsplit(request.url)
    body = request.body.decode() if request.body is not None else ""
    is_json = request.headers.get("content-type") == "application/json"
    fields = {n: request.headers[n] for n in request.headers if n != "accept"}
    return {
        "method": request.method,
        "url": f"{url.scheme}://{url.netloc}{url.path}",
        "query": dict(parse_qsl(url.query, strict_parsing=bool(url.query))),
        "headers": fields,
        "body": json.loads(body) if is_json else dict(parse_qsl(body, strict_parsing=bool(body))),
    }

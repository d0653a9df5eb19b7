"""For each of the 46 types: what the browser opens, and what goes to the provider, in full.

The expectations are written down here a second time, in fewer words than the catalogue has, so
that neither the data nor the engine can change what is sent without a test that says so.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from connectors.catalog import Integration, integrations
from connectors.local._oauth import (
    authorization_url,
    code_challenge,
    is_renewable,
    refresh_request,
    revocation_request,
)
from tests.local.oauth.flows import (
    ACCESS,
    CLIENT,
    CLIENT_ID,
    CLIENT_SECRET,
    CODE,
    NOW,
    PLANTED,
    PUBLIC,
    REDIRECT,
    REFRESH,
    STATE,
    VERIFIER,
    answer,
    config_of,
    exchange,
    parts,
)
from transports import Request, Secret

BASIC = {"authorization": f"Basic {b64encode(f'{CLIENT_ID}:{CLIENT_SECRET}'.encode()).decode()}"}
POST = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
CONTENT_TYPES = {"form": "application/x-www-form-urlencoded", "json": "application/json"}


@attrs.frozen
class Expected:
    authorize: str
    token: str
    auth: Literal["basic", "post"] = "post"
    body: Literal["form", "json"] = "form"
    pkce: bool = False
    scope: str | None = "scope"
    separator: str = "%20"
    """As it stands in the URL."""
    asks: Mapping[str, str] = {}
    """More parameters of the authorization URL."""
    sends: Mapping[str, str] = {}
    """More parameters of both token calls."""
    resends: Mapping[str, str] = {}
    """More parameters of the refresh."""
    renames: Mapping[str, str] = {}


GOOGLE = Expected(
    "https://accounts.google.com/o/oauth2/v2/auth",
    "https://oauth2.googleapis.com/token",
    pkce=True,
    asks={"access_type": "offline", "include_granted_scopes": "true", "prompt": "consent"},
)
MICROSOFT = Expected(
    "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
    "https://login.microsoftonline.com/common/oauth2/v2.0/token",
    pkce=True,
    asks={"response_mode": "query"},
)
SLACK = Expected(
    "https://slack.com/oauth/v2/authorize",
    "https://slack.com/api/oauth.v2.access",
    auth="basic",
    separator=",",
)
EXPECTED = {
    "airtable": Expected(
        "https://airtable.com/oauth2/v1/authorize",
        "https://airtable.com/oauth2/v1/token",
        auth="basic",
        pkce=True,
    ),
    "bamboohr": Expected(
        "https://acme.bamboohr.com/authorize.php",
        "https://acme.bamboohr.com/token.php",
        separator="+",
        asks={"request": "authorize"},
        sends={"request": "token"},
    ),
    "box": Expected(
        "https://account.box.com/api/oauth2/authorize", "https://api.box.com/oauth2/token"
    ),
    "calendly": Expected(
        "https://auth.calendly.com/oauth/authorize",
        "https://auth.calendly.com/oauth/token",
        auth="basic",
        pkce=True,
    ),
    "clickup": Expected(
        "https://app.clickup.com/api", "https://api.clickup.com/api/v2/oauth/token", scope=None
    ),
    "contentful": Expected(
        "https://be.contentful.com/oauth/authorize", "https://be.contentful.com/oauth/token"
    ),
    "databricks": Expected(
        "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com/oidc/v1/authorize",
        "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com/oidc/v1/token",
        auth="basic",
        pkce=True,
    ),
    "discord": Expected(
        "https://discord.com/oauth2/authorize", "https://discord.com/api/oauth2/token", pkce=True
    ),
    "dropbox": Expected(
        "https://www.dropbox.com/oauth2/authorize",
        "https://api.dropboxapi.com/oauth2/token",
        pkce=True,
        asks={"token_access_type": "offline"},
    ),
    "github": Expected(
        "https://github.com/login/oauth/authorize",
        "https://github.com/login/oauth/access_token",
        pkce=True,
    ),
    "gitlab": Expected(
        "https://gitlab.com/oauth/authorize",
        "https://gitlab.com/oauth/token",
        pkce=True,
        resends={"redirect_uri": REDIRECT},
    ),
    "gmail": GOOGLE,
    "google_analytics": GOOGLE,
    "google_classroom": GOOGLE,
    "google_search_console": GOOGLE,
    "googleads": GOOGLE,
    "googlebigquery": GOOGLE,
    "googlecalendar": GOOGLE,
    "googledocs": GOOGLE,
    "googledrive": GOOGLE,
    "googlemeet": GOOGLE,
    "googlesheets": GOOGLE,
    "googleslides": GOOGLE,
    "googletasks": GOOGLE,
    "hubspot": Expected(
        "https://app.hubspot.com/oauth/authorize", "https://api.hubapi.com/oauth/2026-03/token"
    ),
    "hugging_face": Expected(
        "https://huggingface.co/oauth/authorize",
        "https://huggingface.co/oauth/token",
        auth="basic",
        pkce=True,
    ),
    "instagram": Expected(
        "https://www.instagram.com/oauth/authorize",
        "https://api.instagram.com/oauth/access_token",
        separator=",",
    ),
    "linear": Expected(
        "https://linear.app/oauth/authorize",
        "https://api.linear.app/oauth/token",
        pkce=True,
        separator=",",
        asks={"prompt": "consent"},
    ),
    "linkedin": Expected(
        "https://www.linkedin.com/oauth/v2/authorization",
        "https://www.linkedin.com/oauth/v2/accessToken",
    ),
    "microsoft_teams": MICROSOFT,
    "notion": Expected(
        "https://api.notion.com/v1/oauth/authorize",
        "https://api.notion.com/v1/oauth/token",
        auth="basic",
        body="json",
        scope=None,
        asks={"owner": "user"},
    ),
    "one_drive": MICROSOFT,
    "outlook": MICROSOFT,
    "quickbooks": Expected(
        "https://appcenter.intuit.com/connect/oauth2",
        "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
        auth="basic",
    ),
    "salesforce": Expected(
        "https://login.salesforce.com/services/oauth2/authorize",
        "https://login.salesforce.com/services/oauth2/token",
        pkce=True,
        asks={"prompt": "consent"},
    ),
    "share_point": MICROSOFT,
    "slack": attrs.evolve(SLACK, scope="user_scope"),
    "slackbot": SLACK,
    "snowflake": Expected(
        "https://myorg-myaccount.snowflakecomputing.com/oauth/authorize",
        "https://myorg-myaccount.snowflakecomputing.com/oauth/token-request",
        auth="basic",
        pkce=True,
    ),
    "splitwise": Expected(
        "https://secure.splitwise.com/oauth/authorize",
        "https://secure.splitwise.com/oauth/token",
        scope=None,
    ),
    "square": Expected(
        "https://connect.squareup.com/oauth2/authorize",
        "https://connect.squareup.com/oauth2/token",
        body="json",
        asks={"session": "false"},
    ),
    "supabase": Expected(
        "https://api.supabase.com/v1/oauth/authorize",
        "https://api.supabase.com/v1/oauth/token",
        auth="basic",
        pkce=True,
        scope=None,
    ),
    "tiktok": Expected(
        "https://www.tiktok.com/v2/auth/authorize/",
        "https://open.tiktokapis.com/v2/oauth/token/",
        separator=",",
        renames={"client_id": "client_key"},
    ),
    "typeform": Expected(
        "https://api.typeform.com/oauth/authorize", "https://api.typeform.com/oauth/token"
    ),
    "wix": Expected(
        "https://www.wix.com/installer/install",
        "https://www.wixapis.com/oauth2/token",
        body="json",
        scope=None,
    ),
    "wrike": Expected(
        "https://login.wrike.com/oauth2/authorize/v4",
        "https://login.wrike.com/oauth2/token",
        separator=",",
    ),
}

RENEWED_OTHERWISE = {"clickup", "splitwise", "instagram", "wix"}

RFC_7009 = {"token": REFRESH}
REVOCATIONS: dict[str, tuple[str, str, dict[str, str], dict[str, str]]] = {
    "box": ("POST", "https://api.box.com/oauth2/revoke", {}, POST | RFC_7009),
    "calendly": ("POST", "https://auth.calendly.com/oauth/revoke", BASIC, RFC_7009),
    "discord": ("POST", "https://discord.com/api/oauth2/token/revoke", {}, POST | RFC_7009),
    "dropbox": (
        "POST",
        "https://api.dropboxapi.com/2/auth/token/revoke",
        {"authorization": f"Bearer {ACCESS}"},
        {},
    ),
    "github": (
        "DELETE",
        f"https://api.github.com/applications/{CLIENT_ID}/token",
        BASIC,
        {"access_token": ACCESS},
    ),
    "gitlab": ("POST", "https://gitlab.com/oauth/revoke", {}, POST | RFC_7009),
    **dict.fromkeys(
        (name for name, expected in EXPECTED.items() if expected is GOOGLE),
        ("POST", "https://oauth2.googleapis.com/revoke", {}, POST | RFC_7009),
    ),
    "linear": ("POST", "https://api.linear.app/oauth/revoke", {}, POST | RFC_7009),
    "notion": ("POST", "https://api.notion.com/v1/oauth/revoke", BASIC, RFC_7009),
    "quickbooks": (
        "POST",
        "https://developer.api.intuit.com/v2/oauth2/tokens/revoke",
        BASIC,
        RFC_7009,
    ),
    "salesforce": (
        "POST",
        "https://login.salesforce.com/services/oauth2/revoke",
        {},
        POST | RFC_7009,
    ),
    **dict.fromkeys(
        ("slack", "slackbot"),
        ("POST", "https://slack.com/api/auth.revoke", {"authorization": f"Bearer {ACCESS}"}, {}),
    ),
    "square": (
        "POST",
        "https://connect.squareup.com/oauth2/revoke",
        {"authorization": f"Client {CLIENT_SECRET}"},
        {"access_token": ACCESS, "client_id": CLIENT_ID},
    ),
    "supabase": (
        "POST",
        "https://api.supabase.com/v1/oauth/revoke",
        {},
        POST | {"refresh_token": REFRESH},
    ),
    "tiktok": (
        "POST",
        "https://open.tiktokapis.com/v2/oauth/revoke/",
        {},
        {"client_key": CLIENT_ID, "client_secret": CLIENT_SECRET, "token": ACCESS},
    ),
}
JSON_REVOCATIONS = {"github", "notion", "quickbooks", "square", "supabase"}

every_type = pytest.mark.parametrize("integration", integrations().values(), ids=repr)


def asked_for(integration: Integration, **changes: object) -> str:
    settings = {
        "config": config_of(integration),
        "redirect_uri": REDIRECT,
        "state": Secret(STATE),
        "verifier": Secret(VERIFIER),
        "scopes": integration.scopes.examples[:2],
    }
    return authorization_url(integration, CLIENT, **(settings | changes)).reveal()  # type: ignore[arg-type]


def refresh_of(integration: Integration, *, public: bool = False) -> Request:
    return refresh_request(
        integration,
        PUBLIC if public else CLIENT,
        access_token=Secret(ACCESS),
        refresh_token=Secret(REFRESH),
        config=config_of(integration),
        redirect_uri=REDIRECT,
    )


def revocation_of(integration: Integration) -> Request | None:
    return revocation_request(
        integration,
        CLIENT,
        access_token=Secret(ACCESS),
        refresh_token=Secret(REFRESH),
        config=config_of(integration),
    )


def renamed(expected: Expected, parameters: Mapping[str, str]) -> dict[str, str]:
    return {expected.renames.get(name, name): value for name, value in parameters.items()}


def token_call(expected: Expected, parameters: Mapping[str, str]) -> dict[str, object]:
    """A call to the token endpoint as `parts` tells it."""
    basic = expected.auth == "basic"
    sent = renamed(expected, {**parameters, **expected.sends, **({} if basic else POST)})
    return {
        "method": "POST",
        "url": expected.token,
        "query": {},
        "headers": {"content-type": CONTENT_TYPES[expected.body], **(BASIC if basic else {})},
        "body": sent,
    }


def test_every_type_has_its_expectation() -> None:
    assert list(EXPECTED) == list(integrations())


@every_type
def test_the_authorization_url(integration: Integration) -> None:
    expected = EXPECTED[integration.integration_type]
    url = urlsplit(asked_for(integration))
    standard = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "state": STATE,
    }
    challenge = code_challenge(Secret(VERIFIER))
    pkce = {"code_challenge": challenge, "code_challenge_method": "S256"}
    query = renamed(expected, {**standard, **expected.asks, **(pkce if expected.pkce else {})})
    if integration.integration_type == "wix":  # An installer, and no authorization endpoint.
        query = {"appId": CLIENT_ID, "redirectUrl": REDIRECT, "state": STATE}
    read = {n: v for n, v in parse_qs(url.query).items() if n not in {"scope", "user_scope"}}
    assert f"https://{url.netloc}{url.path}" == expected.authorize
    assert read == {name: [value] for name, value in query.items()}
    assert "{" not in url.geturl()


@every_type
def test_the_scopes_of_the_authorization_url(integration: Integration) -> None:
    expected = EXPECTED[integration.integration_type]
    asked = dict.fromkeys((*integration.scopes.required, *integration.scopes.examples[:2]))
    pairs = [pair.partition("=") for pair in urlsplit(asked_for(integration)).query.split("&")]
    found = {n: v for n, _, v in pairs if n in {"scope", "user_scope"}}
    if expected.scope is None:
        assert found == {}
    else:
        encoded = [s.replace(":", "%3A").replace("/", "%2F") for s in asked]
        assert found == {expected.scope: expected.separator.join(encoded)}


@every_type
def test_the_authorization_url_shows_no_secret_but_the_state(integration: Integration) -> None:
    url = asked_for(integration)
    assert [secret for secret in PLANTED if secret in url] == [STATE]


@every_type
def test_the_token_request(integration: Integration) -> None:
    expected = EXPECTED[integration.integration_type]
    grant = {"grant_type": "authorization_code", "code": CODE, "redirect_uri": REDIRECT}
    if integration.integration_type == "wix":
        grant = {
            "grant_type": "client_credentials",
            "instance_id": "00000000-0000-0000-0000-000000000000",
        }
    verifier = {"code_verifier": VERIFIER} if expected.pkce else {}
    request = exchange(integration).request()
    assert parts(request) == token_call(expected, grant | verifier)
    assert (request.idempotent, request.max_body) == (False, 256 * 1024)
    assert request.headers["accept"] == "application/json"


@pytest.mark.parametrize(
    "integration",
    [entry for name, entry in integrations().items() if name not in RENEWED_OTHERWISE],
    ids=repr,
)
def test_the_refresh_request(integration: Integration) -> None:
    expected = EXPECTED[integration.integration_type]
    grant = {"grant_type": "refresh_token", "refresh_token": REFRESH}
    request = refresh_of(integration)
    assert parts(request) == token_call(expected, {**grant, **expected.resends})
    assert (request.idempotent, request.max_body) == (False, 256 * 1024)
    assert request.headers["accept"] == "application/json"


@pytest.mark.parametrize("name", ["clickup", "splitwise"])
def test_what_has_no_end_is_not_renewed(name: str) -> None:
    integration = integrations()[name]
    assert not is_renewable(integration, has_refresh_token=True)
    with pytest.raises(ValueError, match=f"{name}: the provider renews no tokens; connect it"):
        refresh_of(integration)


def test_instagram_exchanges_the_first_token_for_the_one_that_is_kept() -> None:
    flow = exchange(integrations()["instagram"])
    assert flow.receive(answer({"access_token": "short"}), sent_at=NOW) is None
    request = flow.request()
    assert parts(request) == {
        "method": "GET",
        "url": "https://graph.instagram.com/access_token",
        "query": {
            "grant_type": "ig_exchange_token",
            "client_secret": CLIENT_SECRET,
            "access_token": "short",
        },
        "headers": {},
        "body": {},
    }
    assert (request.body, request.idempotent) == (None, False)


def test_instagram_renews_with_the_access_token_alone() -> None:
    request = refresh_of(integrations()["instagram"])
    assert parts(request) == {
        "method": "GET",
        "url": "https://graph.instagram.com/refresh_access_token",
        "query": {"grant_type": "ig_refresh_token", "access_token": ACCESS},
        "headers": {},
        "body": {},
    }
    assert (request.body, request.idempotent) == (None, False)


def test_wix_renews_with_the_credentials_of_the_app() -> None:
    wix = integrations()["wix"]
    request = refresh_request(
        wix, CLIENT, access_token=Secret(ACCESS), refresh_token=None, config=config_of(wix)
    )
    assert parts(request)["body"] == POST | {
        "grant_type": "client_credentials",
        "instance_id": "00000000-0000-0000-0000-000000000000",
    }


@pytest.mark.parametrize("name", REVOCATIONS)
def test_the_revocation_request(name: str) -> None:
    request = revocation_of(integrations()[name])
    assert request is not None
    method, url, headers, body = REVOCATIONS[name]
    content = CONTENT_TYPES["json" if name in JSON_REVOCATIONS else "form"]
    told = {"content-type": content} if body else {}
    assert parts(request) == {
        "method": method,
        "url": url,
        "query": {},
        "headers": told | headers,
        "body": body,
    }
    assert (request.body is None) == (not body)
    assert not request.idempotent


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - REVOCATIONS.keys()))
def test_what_cannot_be_revoked_has_no_request_for_it(name: str) -> None:
    assert revocation_of(integrations()[name]) is None


@every_type
def test_a_public_client_names_itself_and_sends_no_secret(integration: Integration) -> None:
    call = integration.token[0].call
    name = "client_key" if integration.integration_type == "tiktok" else "client_id"
    requests = [exchange(integration, client=PUBLIC).request()]
    if integration.integration_type not in RENEWED_OTHERWISE:
        requests.append(refresh_of(integration, public=True))
    for request in requests:
        body = parts(request)["body"]
        assert isinstance(body, dict)
        assert body[name] == CLIENT_ID
        assert "client_secret" not in body
        assert "authorization" not in request.headers
        assert request.headers["content-type"] == CONTENT_TYPES[call.body]

"""An implementation by others agrees on all that RFC 6749 and RFC 7636 say.

`oauthlib` knows nothing of the odd ways of a provider, so the types that take part are those that
do as the RFCs say.
"""

import base64
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth2 import OAuth2Error, WebApplicationClient

from connectors.catalog import integrations
from connectors.local._oauth import (
    CodeExchange,
    OAuthClient,
    RefreshFailure,
    Tokens,
    authorization_url,
    code_challenge,
    new_verifier,
    refresh_request,
    refresh_result,
    revocation_request,
)
from tests.local.oauth.flows import ACCESS, NOW, REDIRECT, answer, config_of, named, unhurried
from transports import Request, Response, Secret

PASSED = {"response_type", "code_challenge_method"}
ODD = {"slack", "tiktok", "wix", "bamboohr", "linear", "wrike", "instagram", "slackbot"}
STANDARD = [name for name in integrations() if name not in ODD]
FORM = [name for name in STANDARD if named(name).token[0].call.body == "form"]
BASIC = [name for name in FORM if named(name).token[0].call.basic_auth]

# What RFC 6749 allows in each of them, without a space at an end.
texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1).filter(
    lambda text: text == text.strip(" ") and text not in {".", ".."}
)
verifiers = st.text(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", min_size=43, max_size=128
)
scope_tokens = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1
)


def form(body: str | bytes | None) -> list[tuple[str, str]]:
    text = body.decode() if isinstance(body, bytes) else body
    return sorted(parse_qsl(text or "", keep_blank_values=True, strict_parsing=True))


def credentials(request: Request) -> tuple[str, str]:
    """Read as a server has to read them (RFC 6749, section 2.3.1)."""
    scheme, _, encoded = request.headers["authorization"].partition(" ")
    assert scheme == "Basic"
    name, _, password = base64.b64decode(encoded).decode().partition(":")
    return unquote_plus(name), unquote_plus(password)


@unhurried
@given(name=st.sampled_from(STANDARD), client_id=texts, state=texts, scopes=st.lists(scope_tokens))
def test_the_authorization_url(name: str, client_id: str, state: str, scopes: list[str]) -> None:
    integration = named(name)
    parameters = integration.authorization.parameters
    takes_scopes = "scope" in parameters
    asked = list(dict.fromkeys((*integration.scopes.required, *scopes))) if takes_scopes else []
    verifier = new_verifier()
    ours = authorization_url(
        integration,
        OAuthClient(client_id),
        config=config_of(integration),
        redirect_uri=REDIRECT,
        state=Secret(state),
        verifier=verifier,
        scopes=scopes if takes_scopes else (),
    ).reveal()
    pkce = "code_challenge" in parameters
    oracle = WebApplicationClient(client_id)
    theirs = oracle.prepare_request_uri(
        ours.partition("?")[0],
        redirect_uri=REDIRECT,
        scope=" ".join(asked) or None,
        state=state,
        code_challenge=oracle.create_code_challenge(verifier.reveal(), "S256") if pkce else None,
        code_challenge_method="S256" if pkce else None,
        **{
            n: v
            for n, v in parameters.items()
            if "{" not in v and "code" not in v and n != "code_challenge_method"
        },
    )
    assert form(urlsplit(ours).query) == form(urlsplit(theirs).query)


@unhurried
@given(verifier=verifiers)
def test_the_challenge(verifier: str) -> None:
    oracle = WebApplicationClient("id")
    assert code_challenge(Secret(verifier)) == oracle.create_code_challenge(verifier, "S256")


def uses_pkce(name: str) -> bool:
    return "code_challenge" in named(name).authorization.parameters


def exchange_of(name: str, client: OAuthClient, code: str, verifier: str) -> Request:
    return CodeExchange(
        named(name),
        client,
        code=Secret(code),
        verifier=Secret(verifier),
        redirect_uri=REDIRECT,
        config=config_of(named(name)),
    ).request()


@unhurried
@given(
    name=st.sampled_from(FORM),
    client_id=texts,
    secret=texts,
    code=texts,
    verifier=verifiers,
)
def test_the_token_request_of_a_client_that_shows_itself_in_the_body_or_in_a_header(
    name: str, client_id: str, secret: str, code: str, verifier: str
) -> None:
    client = OAuthClient(client_id, Secret(secret))
    ours = exchange_of(name, client, code, verifier)
    theirs = WebApplicationClient(client_id).prepare_request_body(
        code=code,
        redirect_uri=REDIRECT,
        code_verifier=verifier if uses_pkce(name) else None,
        **({"include_client_id": False} if name in BASIC else {"client_secret": secret}),
    )
    assert form(ours.body) == form(theirs)
    if name in BASIC:
        assert credentials(ours) == (client_id, secret)


@unhurried
@given(name=st.sampled_from(BASIC), client_id=texts, code=texts, verifier=verifiers)
def test_the_token_request_of_a_public_client(
    name: str, client_id: str, code: str, verifier: str
) -> None:
    ours = exchange_of(name, OAuthClient(client_id), code, verifier)
    theirs = WebApplicationClient(client_id).prepare_request_body(
        code=code, redirect_uri=REDIRECT, code_verifier=verifier if uses_pkce(name) else None
    )
    assert form(ours.body) == form(theirs)


@unhurried
@given(
    name=st.sampled_from([n for n in FORM if named(n).refresh.call]),
    client_id=texts,
    secret=texts,
    token=texts,
)
def test_the_refresh_request(name: str, client_id: str, secret: str, token: str) -> None:
    ours = refresh_request(
        named(name),
        OAuthClient(client_id, Secret(secret)),
        access_token=Secret(ACCESS),
        refresh_token=Secret(token),
        config=config_of(named(name)),
    )
    in_body = {} if "authorization" in ours.headers else {"client_secret": secret}
    theirs = WebApplicationClient(client_id).prepare_refresh_body(
        refresh_token=token, include_client_id=bool(in_body), client_id=client_id, **in_body
    )
    assert form(ours.body) == form(theirs)
    if not in_body:
        assert credentials(ours) == (client_id, secret)


@unhurried
@given(
    name=st.sampled_from(["box", "discord", "gitlab", "gmail", "linear", "salesforce"]),
    client_id=texts,
    secret=texts,
    token=texts,
)
def test_the_revocation_request(name: str, client_id: str, secret: str, token: str) -> None:
    integration = named(name)
    ours = revocation_request(
        integration,
        OAuthClient(client_id, Secret(secret)),
        access_token=None,
        refresh_token=Secret(token),
        config=config_of(integration),
    )
    assert ours is not None
    url, headers, body = WebApplicationClient(client_id).prepare_token_revocation_request(
        ours.url, token, token_type_hint=None, client_id=client_id, client_secret=secret
    )
    assert (ours.url, form(ours.body)) == (url, form(body))
    assert ours.headers["content-type"] == headers["Content-Type"]


answers = st.fixed_dictionaries(
    {"access_token": texts, "token_type": st.just("Bearer")},
    optional={
        "refresh_token": texts,
        "expires_in": st.integers(1, 10**9),
        "scope": st.lists(scope_tokens.filter(lambda t: "," not in t), min_size=1, unique=True).map(
            " ".join
        ),
        "more": st.recursive(st.none() | st.text() | st.integers(), st.lists),
    },
)


@unhurried
@given(data=answers)
def test_an_answer_with_tokens(data: dict[str, Any]) -> None:
    response = answer(data)
    ours = refresh_result(named("databricks"), response, sent_at=NOW)
    theirs = WebApplicationClient("id").parse_request_body_response(response.body.decode())
    assert isinstance(ours, Tokens)
    assert ours.access_token.reveal() == theirs["access_token"]
    refresh = ours.refresh_token
    assert (refresh.reveal() if refresh else None) == theirs.get("refresh_token")
    lifetime = None if ours.expires_at is None else ours.expires_at - NOW
    assert lifetime == theirs.get("expires_in")
    told = set(theirs.scopes) if "scope" in data else set()
    # A token that is also a scope would be shown.
    assert set(ours.scopes or ()) == told - {data["access_token"], data.get("refresh_token")}


errors = st.sampled_from(
    [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "another_error",
    ]
)


@unhurried
@given(code=errors, description=st.none() | texts, status=st.sampled_from([400, 401, 403]))
def test_an_answer_with_an_error(code: str, description: str | None, status: int) -> None:
    response = answer({"error": code, "error_description": description}, status)
    ours = refresh_result(named("gitlab"), response, sent_at=NOW)
    with pytest.raises(OAuth2Error) as theirs:
        WebApplicationClient("id").parse_request_body_response(response.body.decode())
    assert isinstance(ours, RefreshFailure)
    assert ours.code == theirs.value.error


@unhurried
@given(data=st.dictionaries(st.sampled_from(["access_tokens", "refresh_token", "x"]), st.text()))
def test_an_answer_without_a_token(data: dict[str, str]) -> None:
    response: Response = answer(data)
    assert isinstance(refresh_result(named("gitlab"), response, sent_at=NOW), RefreshFailure)
    with pytest.raises(OAuth2Error):
        WebApplicationClient("id").parse_request_body_response(response.body.decode())


def test_most_types_do_as_the_rfcs_say() -> None:
    assert len(FORM) > 30

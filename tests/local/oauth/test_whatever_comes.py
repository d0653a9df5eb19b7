"""Whatever a provider answers, with any status and any bytes, it is tokens or one of our failures,
and no secret that was sent is in it.
"""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from connectors.catalog import integrations
from connectors.local._oauth import (
    RefreshFailure,
    TokenError,
    Tokens,
    refresh_result,
    revocation_result,
)
from tests.local.oauth.flows import (
    CLIENT_SECRET,
    CODE,
    NOW,
    PLANTED,
    REFRESH,
    VERIFIER,
    exchange,
    named,
    unhurried,
)
from tests.tracebacks import rendered
from transports import Response, Secret

# Those whose answers are read in a way of their own, and one that does as the RFC says.
NAMES = ["gitlab", "github", "slack", "square", "salesforce", "instagram", "wix", "tiktok", "wrike"]
SENT = [Secret(secret) for secret in PLANTED]
# What an exchange sends: no token, and no state, which is used up by then.
EXCHANGED = (CLIENT_SECRET, CODE, VERIFIER)

KEYS = st.sampled_from(
    [
        *("access_token", "refresh_token", "expires_in", "expires_at", "scope", "ok", "error"),
        *("error_description", "message", "code", "type", "errors", "data", "authed_user", "team"),
        *("id", "instance_url", "host", "refresh_expires_in", "open_id", "merchant_id", "user_id"),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),  # NaN and the infinities too: Python writes them as such.
    st.text(st.characters(exclude_categories=())),
    st.sampled_from([*PLANTED, "a\nb", "invalid_grant", "3600", "x.wrike.com"]),
    st.sampled_from(["2027-01-20T08:00:00Z", "https://acme.my.salesforce.com"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(KEYS, values, max_size=5),
    max_leaves=20,
)
ANSWERS = st.dictionaries(KEYS, VALUES, max_size=8).map(json.dumps).map(str.encode)
BODIES = st.one_of(ANSWERS, VALUES.map(json.dumps).map(str.encode), st.binary())
STATUSES = st.one_of(st.just(200), st.integers(0, 1000))
HEADERS = st.dictionaries(
    st.sampled_from(["date", "retry-after", "retry-after-ms", "location"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)),
)

DEEP = b'{"access_token":' + b"[" * 50_000 + b"]" * 50_000 + b"}"


def shows(*things: object) -> list[str]:
    text = "".join(thing if isinstance(thing, str) else repr(thing) for thing in things)
    return [secret for secret in PLANTED if secret in text]


def check(tokens: Tokens) -> None:
    assert shows(tokens) == []
    for token in (tokens.access_token, tokens.refresh_token):
        assert token is None or token.reveal().isprintable()
    for end in (tokens.expires_at, tokens.refresh_expires_at):
        assert end is None or NOW < end < NOW + 4e9
    assert tokens.obtained_at == NOW
    assert all(map(str.isprintable, tokens.scopes or ()))
    assert all(value.isprintable() for value in tokens.captured.values())


@unhurried
@given(name=st.sampled_from(NAMES), status=STATUSES, headers=HEADERS, body=BODIES)
@example(name="gitlab", status=200, headers={}, body=DEEP)
@example(name="gitlab", status=400, headers={}, body=b'{"error":' * 100_000)
@example(name="square", status=200, headers={"date": "Mon, 99 Foo"}, body=b'{"access_token":"a"}')
def test_a_refresh(name: str, status: int, headers: dict[str, str], body: bytes) -> None:
    response = Response(status, headers, body)
    result = refresh_result(named(name), response, sent_at=NOW, secrets=SENT)
    if isinstance(result, Tokens):
        assert 200 <= status < 300
        check(result)
    else:
        assert shows(result) == []
        assert result.status == status
        assert result.retry_after is None or 0 <= result.retry_after <= 3600
        assert (result.kind == "busy") == (status in {429, 503})
        assert result.kind not in {"not_sent", "unanswered"}


@unhurried
@given(name=st.sampled_from(NAMES), status=STATUSES, headers=HEADERS, body=BODIES)
@example(name="gitlab", status=200, headers={}, body=DEEP)
@example(name="gitlab", status=400, headers={}, body=json.dumps({"error": CODE}).encode())
@example(name="gitlab", status=400, headers={}, body=json.dumps({"error": VERIFIER}).encode())
def test_an_exchange(name: str, status: int, headers: dict[str, str], body: bytes) -> None:
    outcome = exchanged(name, Response(status, headers, body))
    if isinstance(outcome, Tokens):
        check(outcome)
    else:
        shown = shows(str(outcome), repr(outcome), rendered(outcome))
        assert not set(EXCHANGED) & set(shown)
        assert outcome.status == status
        assert len(outcome.description or "") <= 200
        assert len(str(outcome).splitlines()) == 1


def exchanged(name: str, response: Response) -> Tokens | TokenError:
    flow = exchange(named(name))
    tokens = None
    try:
        while tokens is None:
            assert shows(flow, flow.request()) == []
            tokens = flow.receive(response, sent_at=NOW)
    except TokenError as error:
        return error
    return tokens


@unhurried
@given(name=st.sampled_from([*integrations()]), status=STATUSES, body=BODIES)
def test_a_revocation(name: str, status: int, body: bytes) -> None:
    outcome = revocation_result(named(name), Response(status, {}, body))
    assert outcome in {"revoked", "refused", "later"}
    assert outcome == "later" or 200 <= status < 300 or 400 <= status < 500


@unhurried
@given(data=st.dictionaries(KEYS, VALUES, max_size=8), more=VALUES)
def test_nothing_beside_a_good_token_costs_it(data: dict[str, object], more: object) -> None:
    told = {**data, "access_token": "good", "refresh_token": "next", "more": more}
    body = json.dumps(told).encode()
    result = refresh_result(named("gitlab"), Response(200, {}, body), sent_at=NOW, secrets=SENT)
    assert isinstance(result, Tokens)
    assert (result.access_token, result.refresh_token) == (Secret("good"), Secret("next"))
    check(result)


def test_what_is_planted_would_be_found() -> None:
    assert shows(RefreshFailure(kind="unknown", code=REFRESH)) == [REFRESH]

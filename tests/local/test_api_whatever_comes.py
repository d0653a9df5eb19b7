"""Whatever comes in, JSON goes out, and a token only to whom it belongs."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.local.backends import APP, NO_BODY_SECRET, TOKENS, Local, local_backend, told
from tests.loops import REAL, on
from transports import FieldValue, Request, Secret

pytestmark = on(REAL)

# The parts of which routes are made, and what stands around them on a bad day.
PARTS = (
    "api apps app-1 external-auth tokens slack connectors c-1 token app-user-auth initiate call "
    "list status integrations remove payments stripe .. . %2e%2e %2F % %FF %00 * %F0%9F%98%80"
)
ASCII = "".join(map(chr, range(33, 127)))
ROUTES = (
    "external-auth/tokens/slack",
    "external-auth/tokens/connectors/c-1",
    "app-user-auth/connectors/c-1/token",
    "app-user-auth/connectors/c-1",
    "app-user-auth/connectors/c-1/initiate",
    "connectors/slack/call",
    "external-auth/available-integrations",
    "external-auth/list",
    "external-auth/status",
    "external-auth/integrations/slack",
    "external-auth/integrations/slack/remove",
)
SEGMENTS = st.one_of(
    st.sampled_from(["", *PARTS.split()]),
    st.text(sorted(set(ASCII) - set("#?")), max_size=8),
)
PATHS = st.one_of(
    st.sampled_from([f"api/apps/{APP}/{route}" for route in ROUTES]),
    st.lists(SEGMENTS, max_size=8).map("/".join),
)
QUERIES = st.one_of(
    st.sampled_from(["", "?integration_type=slack", "?integration_type=%FF", "?a=/&b=%"]),
    st.text("abc=&%25+/?;", max_size=12).map("?".__add__),
)
METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "X"])
NAMES = st.sampled_from(["authorization", "Authorization", "api_key", "API_KEY", "on-behalf-of"])
# Credentials that are none, in every form; among them what a careless program sends back.
VALUES = st.one_of(
    st.text(ASCII + " ", max_size=40),
    st.sampled_from(["", "Bearer", "Bearer b44u_v1.YW5u.", *TOKENS.values()]),
    st.text("Bear .=_-b4uv1\xe9", max_size=20).map("Bearer ".__add__),
)
BODIES = st.one_of(st.none(), st.binary(max_size=40), st.just(b'{"scopes": []}'))
REQUESTS = st.builds(
    lambda method, path, query, headers, body: Request(
        method, f"http://127.0.0.1/{path}{query}", headers, body
    ),
    METHODS,
    PATHS,
    QUERIES,
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    BODIES,
)


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_backend(tmp_path) as local:
        yield local


# One backend for all examples: none of them may leave a trace in it.
CAREFULLY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@CAREFULLY
@given(asked=REQUESTS)
async def test_a_stranger_gets_json_and_no_token(local: Local, asked: Request) -> None:
    response = await local.backend.handle(asked)
    told(response)
    assert response.status in {400, 401, 404, 405}
    for planted in NO_BODY_SECRET:
        assert planted.encode() not in response.body
        assert planted not in repr(response) + repr(asked)


@CAREFULLY
@given(
    asked=REQUESTS.filter(lambda request: request.method != "DELETE"),
    who=st.sampled_from(["service", "service for ann", "ann", "workspace"]),
)
async def test_an_answer_holds_no_token_but_the_asked_one(
    local: Local, asked: Request, who: str
) -> None:
    headers: dict[str, FieldValue] = {
        "service": local.service(),
        "service for ann": local.service("ann"),
        "ann": local.user("ann"),
        "workspace": local.workspace(),
    }[who]
    response = await local.backend.handle(attrs.evolve(asked, headers=headers))
    told(response)
    found = {name for name, token in TOKENS.items() if token.encode() in response.body}
    given_out = response.status == 200 and who.startswith("service")
    assert len(found) == (1 if given_out else 0)
    assert "ben" not in found


@CAREFULLY
@given(st.text(min_size=1, max_size=30).filter(str.isprintable), st.text(max_size=60))
async def test_a_user_token_is_for_one_user(local: Local, name: str, other: str) -> None:
    token = local.authority.issue_user_token(name)
    principal = local.authority.identify(Request("GET", "http://h", local.user(name)).headers)
    assert principal.user == name
    # Whatever is put in the place of the name, the signature holds for the one name alone.
    kind, _, signature = token.reveal().split(".")
    forged = f"{kind}.{json.dumps(other)[1:-1].replace(' ', '')}.{signature}"
    if forged != token.reveal():
        headers = {"authorization": Secret(f"Bearer {forged}")}
        assert (await local.ask("GET", "external-auth/list", headers)).status == 401

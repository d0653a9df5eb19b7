"""Whatever comes in, an answer goes out: no error of ours, and nothing that was minted."""

import json
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.local._sandbox import SandboxProvider
from connectors.local._sandbox._templates import read_parameters
from tests.local.sandbox.players import ORIGIN, REDIRECT, TYPES, player, query_of
from tests.loops import ASYNCIO, on
from transports import Request, Secret

pytestmark = on([ASYNCIO])

PROVIDER = SandboxProvider(faults=True)
CLIENTS = {name: player(name, PROVIDER) for name in TYPES}
ASCII = "".join(map(chr, range(33, 127)))
NAMES = sorted(
    {
        *("code", "client_id", "client_secret", "grant_type", "redirect_uri", "code_verifier"),
        *("refresh_token", "access_token", "token", "state", "scope", "code_challenge", "ticket"),
        *("decision", "account", "instance_id", "response_type", "code_challenge_method"),
    }
)
WORDS = st.one_of(
    st.sampled_from(["code", "authorization_code", "refresh_token", "S256", REDIRECT, "allow", ""]),
    st.sampled_from([f"sandbox-{name}" for name in TYPES]),
    st.text(max_size=20),
)
PARAMETERS = st.dictionaries(st.sampled_from(NAMES), WORDS, max_size=6)
QUERIES = st.one_of(
    st.just(""),
    PARAMETERS.map(lambda p: "?" + urlencode(p)),
    st.text(sorted(set(ASCII) - set("#")), max_size=20).map("?".__add__),
)
SEGMENTS = st.one_of(
    st.sampled_from(
        ["authorize", "token", "0", "1", "refresh", "revoke", "api", "-", "faults", "", "common"]
    ),
    st.sampled_from(["%FF", "%2F", "..", "%", "gitlab.com"]),
    st.text(sorted(set(ASCII) - set("#?")), max_size=6),
)
PATHS = st.tuples(st.sampled_from([*TYPES, "-", "x", ""]), st.lists(SEGMENTS, max_size=4)).map(
    lambda parts: "/".join((parts[0], *parts[1]))
)
BODIES = st.one_of(
    st.none(),
    st.binary(max_size=40),
    PARAMETERS.map(lambda p: urlencode(p).encode()),
    PARAMETERS.map(lambda p: json.dumps(p).encode()),
    st.just(b"[" * 100_000),
)
KINDS = st.sampled_from(["application/json", "application/x-www-form-urlencoded", "", "x/y"])
HEADERS = st.lists(
    st.one_of(
        st.tuples(st.just("content-type"), KINDS),
        st.tuples(
            st.just("authorization"),
            st.sampled_from(["Basic ", "Basic eDp5", "Bearer x", "Client x", "Basic \xff", ""]),
        ),
        st.tuples(st.just("accept"), st.just("application/json")),
    ),
    max_size=4,
)
REQUESTS = st.builds(
    lambda method, path, query, headers, body: Request(
        method, f"{ORIGIN}/{path}{query}", headers, body
    ),
    st.sampled_from(["GET", "POST", "DELETE", "HEAD", "X"]),
    PATHS,
    QUERIES,
    HEADERS,
    BODIES,
)
OFTEN = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@OFTEN
@given(asked=REQUESTS)
async def test_an_answer_goes_out(asked: Request) -> None:
    response = await PROVIDER.handle(asked)
    assert response.status in {200, 303, 400, 401, 404, 405}
    assert response.headers["cache-control"] == "no-store"
    if response.headers.get("content-type") == "application/json":
        assert isinstance(json.loads(response.body), dict)
    elif response.status == 303:
        assert response.headers["location"].startswith(REDIRECT)
        assert "code" not in query_of(response.headers["location"])
    else:
        assert b"<script" not in response.body.lower()


@OFTEN
@given(
    name=st.sampled_from(TYPES),
    changes=st.dictionaries(
        st.sampled_from(NAMES), st.one_of(st.none(), st.text("abc&=%", max_size=9))
    ),
)
async def test_only_the_right_call_gets_a_token(name: str, changes: dict[str, str | None]) -> None:
    client = CLIENTS[name]
    client.approve()
    call = client.integration.token[0].call
    right = client.request(call)
    sent = client.request(call, None, **changes)
    response = await PROVIDER.handle(sent)
    granted = b"sandbox-access-" in response.body
    assert granted == (sent == right)


@OFTEN
@given(values=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(min_size=1), min_size=1))
async def test_reading_undoes_filling_in(values: dict[str, str]) -> None:
    templates: dict[str, str | int] = {f"p{name}": f"<{{{name}}}>" for name in values}
    templates |= {"fixed": "(x)", "number": 3}
    sent = {f"p{name}": Secret(f"<{value}>") for name, value in values.items()}
    sent |= {"fixed": Secret("(x)"), "number": Secret("3")}
    assert read_parameters(templates, sent) == {n: Secret(v) for n, v in values.items()}

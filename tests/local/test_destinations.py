"""Whatever call an app describes, it goes to a declared host of the type or nowhere."""

import json
from contextlib import suppress
from urllib.parse import SplitResult, quote, unquote, urlsplit

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.catalog import Integration, integrations
from connectors.local._answers import Refusal
from connectors.local._calls import Call
from connectors.local._destinations import destination, values_of
from connectors.local._records import Owner, StoredConnection
from transports import Headers, Request, Secret

TYPES = integrations()


def connection(integration_type: str, **config: str) -> StoredConnection:
    return StoredConnection(
        id="c-1",
        owner=Owner.app("app-1", integration_type),
        integration_type=integration_type,
        state="active",
        source="oauth",
        reason=None,
        generation=1,
        scopes=(),
        asked=(),
        account_label=None,
        created_at=0.0,
        updated_at=0.0,
        has_refresh_token=False,
        obtained_at=None,
        expires_at=None,
        refresh_expires_at=None,
        failures=0,
        next_attempt_at=None,
        last_error=None,
        verify=False,
        access_token=Secret("planted-token"),
        refresh_token=None,
        raw=None,
        connection_config=config or None,
        lock_key="c-1",
        client=None,
        presented=None,
        strikes=0,
        first_strike_at=None,
        forced_at=None,
    )


def call(path: str, host: str | None = None, query: str = "") -> Call:
    return Call("GET", path, host, query, Headers(), None)


def goes_to(integration: Integration, asked: Call, **config: str) -> str:
    known = connection(integration.integration_type, **config)
    return destination(asked, integration, values_of(known, integration))


def refused(integration: Integration, asked: Call, **config: str) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        goes_to(integration, asked, **config)
    return caught.value.response.status, json.loads(caught.value.response.body)["detail"]


@pytest.mark.parametrize(
    ("name", "path", "host", "url"),
    [
        ("slack", "/chat.postMessage", None, "https://slack.com/api/chat.postMessage"),
        ("slack", "/api/chat.postMessage", None, "https://slack.com/api/chat.postMessage"),
        ("slack", "/api", None, "https://slack.com/api"),
        ("slack", "/apix", None, "https://slack.com/api/apix"),
        ("slack", "/", None, "https://slack.com/api/"),
        ("slack", "/files/1", "files.slack.com", "https://files.slack.com/files/1"),
        ("slack", "/scim/v2/Users", "slack.com", "https://slack.com/scim/v2/Users"),
        ("slack", "/scim/v2/Users", "Slack.COM", "https://slack.com/scim/v2/Users"),
        ("github", "/user", None, "https://api.github.com/user"),
        ("dropbox", "/2/files/download", "content.dropboxapi.com",
         "https://content.dropboxapi.com/2/files/download"),
        ("github", "/a//b", None, "https://api.github.com/a//b"),
        ("github", "/a b"[:2] + "%20b", None, "https://api.github.com/a%20b"),
        ("github", "/é/日", None, "https://api.github.com/%C3%A9/%E6%97%A5"),
        ("github", "/a:b@c!$&'()*+,;=~", None, "https://api.github.com/a:b@c!$&'()*+,;=~"),
        ("github", '/"<>[]^`{|}', None, "https://api.github.com/%22%3C%3E%5B%5D%5E%60%7B%7C%7D"),
        ("github", "/repos/a%2Fb", None, "https://api.github.com/repos/a%2Fb"),
        ("github", "/100%25", None, "https://api.github.com/100%25"),
        ("github", "/...", None, "https://api.github.com/..."),
        ("github", "/a/.git/..b/c..", None, "https://api.github.com/a/.git/..b/c.."),
    ],
)  # fmt: skip
def test_a_path_goes_below_the_api_and_with_a_host_it_is_the_whole_path(
    name: str, path: str, host: str | None, url: str
) -> None:
    assert goes_to(TYPES[name], call(path, host)) == url


def test_a_query_follows() -> None:
    assert goes_to(TYPES["github"], call("/x", query="a=b")) == "https://api.github.com/x?a=b"


def test_the_values_of_the_connection_decide_where_the_catalogue_lets_them() -> None:
    gitlab, salesforce = TYPES["gitlab"], TYPES["salesforce"]
    assert goes_to(gitlab, call("/user")) == "https://gitlab.com/api/v4/user"
    at_acme = "https://gitlab.acme.com/api/v4/user"
    assert goes_to(gitlab, call("/user"), host="gitlab.acme.com") == at_acme
    instance = "https://acme.my.salesforce.com"
    found = goes_to(salesforce, call("/services/data"), instance_url=instance)
    assert found == "https://acme.my.salesforce.com/services/data"
    more = attrs.evolve(gitlab, api=attrs.evolve(gitlab.api, hosts=("uploads.{host}", "{more}.x")))
    found = goes_to(more, call("/user", "uploads.gitlab.acme.com"), host="gitlab.acme.com")
    assert found == "https://uploads.gitlab.acme.com/user"


def test_a_value_that_belongs_to_something_else_is_left_alone() -> None:
    assert goes_to(TYPES["github"], call("/x"), host="evil.example") == "https://api.github.com/x"


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("gitlab", {"host": "127.0.0.1"}),
        ("gitlab", {"host": "evil.example/x"}),
        ("gitlab", {"host": "user@gitlab.com"}),
        ("gitlab", {"host": "gitlab.com:8443"}),
        ("bamboohr", {"subdomain": "evil.example/"}),
        ("salesforce", {"instance_url": "https://evil.example"}),
        ("salesforce", {"instance_url": "http://acme.my.salesforce.com"}),
    ],
)
def test_a_value_that_leads_elsewhere_is_refused_though_it_is_in_the_vault(
    name: str, config: dict[str, str]
) -> None:
    status, detail = refused(TYPES[name], call("/x"), **config)
    assert status == 409
    assert detail.startswith(f"{name}: connection_config[")
    assert not any(value in detail for value in config.values())


def test_a_value_that_is_missing_is_named() -> None:
    assert refused(TYPES["salesforce"], call("/x")) == (
        409,
        "the address {instance_url} needs a value for instance_url: connect it again with that",
    )


@pytest.mark.parametrize(
    "host",
    ["evil.example", "", "api.github.com.evil.example", "api.github.com:443", "api.github.com.",
     "api.github.com/x", "user@api.github.com", "api.github.com@evil.example", " api.github.com",
     "api.github.com#", "api.github.com?x", "api.github.com\\@evil.example", "[::1]", "127.0.0.1",
     "github.com", "content.dropboxapi.com", "{host}", "api.github.com\r\nHost: evil.example"],
)  # fmt: skip
def test_no_other_host_is_called(host: str) -> None:
    assert refused(TYPES["github"], call("/x", host)) == (
        422,
        "host must be one that the connector declares: api.github.com, uploads.github.com",
    )


HOSTILE = [
    "", "x", "https://evil.example/x", "//evil.example/x", "///x", "\\\\evil.example",
    "/\\evil.example", "@evil.example", ":443/x", ".evil.example/x", "?x", "#x", "/x?a=b", "/x#a",
    "/..", "/../x", "/x/..", "/x/../../y", "/./x", "/x/.", "/%2e%2e/x", "/.%2e/x", "/%2E./x",
    "/%2e", "/x%2f..%2fy", "/x%2F%2e%2e%2Fy", "/%252e%252e/x", "/%25252e%25252e/x", "/x%5cy",
    "/x%255cy", "/..;/x", "/..;a=b/x", "/%2e%2e;/x", "/..%3b/x", "/..%5cx", "/%c0%ae%c0%ae/x",
    "/%uff0e%uff0e/x", "/\uff0e\uff0e/x", "/%EF%BC%8E%EF%BC%8E/x", "/x\uff0f..\uff0fy", "/\u2025/x",
    "/\uff3cx", "/%", "/%2", "/%zz", "/x y", "/x\ty", "/x\ny", "/x\r\ny", "/x\0y", "/x%00y",
    "/x%0d%0ay", "/x%7f", "/\ud800", "/\x7f", "/%FF",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_a_path_with_two_readings_is_refused(path: str) -> None:
    status, detail = refused(TYPES["github"], call(path))
    assert (status, detail[:40]) == (422, "path must begin with one '/' and have no")


def test_a_path_that_was_encoded_without_end_is_refused() -> None:
    path = "/x%2Fy"
    for _ in range(12):
        path = path.replace("%", "%25")
    assert refused(TYPES["github"], call(path))[0] == 422


PIECES = st.sampled_from(
    [*HOSTILE, "..", ".", "/", "\\", "%2e", "%2f", "%5c", "%25", ";", "@", ":", "?", "#", "//",
     "evil.example", "https:", "api", "v4", "\uff0e", "\uff0f", "é", " ", "%00"]
)  # fmt: skip
PATHS = st.one_of(
    st.lists(PIECES, max_size=6).map("".join),
    st.lists(PIECES, max_size=6).map(lambda pieces: "/" + "".join(pieces)),
    st.text(max_size=20),
    st.text(max_size=20).map("/".__add__),
    st.text(max_size=10).map(lambda text: "/" + quote(text, safe="", errors="replace")),
)
HOSTS = st.one_of(
    st.none(),
    st.sampled_from([host for known in TYPES.values() for host in known.api.hosts]),
    st.sampled_from(["evil.example", "slack.com", "api.github.com", "gitlab.com", "@slack.com"]),
    st.text(max_size=20),
)
CONFIGS = {
    "gitlab": {"host": "gitlab.acme.com"},
    "bamboohr": {"subdomain": "acme"},
    "databricks": {"workspace_host": "dbc-a1b2345c-d6e7.cloud.databricks.com"},
    "salesforce": {"instance_url": "https://acme.my.salesforce.com"},
    "snowflake": {"account_url": "acme-main.snowflakecomputing.com"},
    "wrike": {"host": "www.wrike.com"},
}


def base_of(name: str) -> SplitResult:
    """Where the API of a type is, filled in by hand."""
    base = TYPES[name].api.base_url
    for key, value in CONFIGS.get(name, {"subdomain": "api"}).items():
        base = base.replace(f"{{{key}}}", value)
    return urlsplit(base)


@given(
    name=st.sampled_from(sorted(TYPES)), path=PATHS, host=HOSTS, query=st.sampled_from(["", "a=b"])
)
@example("slack", "/a/%2e%2e/b", None, "")
@example("github", "/a", "uploads.github.com@evil.example", "")
def test_whatever_is_described_goes_to_a_declared_host_or_nowhere(
    name: str, path: str, host: str | None, query: str
) -> None:
    url = None
    with suppress(Refusal):
        url = goes_to(TYPES[name], call(path, host, query), **CONFIGS.get(name, {}))
    if url is None:
        return
    Request("GET", url)
    parts = urlsplit(url)
    assert parts.scheme == "https"
    base = base_of(name)
    assert parts.netloc in {base.netloc, *TYPES[name].api.hosts}
    assert (parts.query, parts.fragment) == (query, "")
    below = base.path.rstrip("/") if host is None else ""
    assert f"{parts.path}/".startswith(f"{below}/")
    reading = parts.path
    for _ in range(10):
        assert not {".", ".."} & set(reading.replace("\\", "/").split("/"))
        reading = unquote(reading)

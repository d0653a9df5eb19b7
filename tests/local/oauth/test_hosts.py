"""No secret goes to a host that a hostile value names: it is refused before a request is made."""

from collections.abc import Callable, Mapping

import pytest

from connectors.catalog import Integration
from connectors.local._oauth import (
    TokenError,
    Tokens,
    authorization_url,
    refresh_request,
    refresh_result,
    revocation_request,
)
from tests.local.oauth.flows import (
    ACCESS,
    CLIENT,
    NOW,
    PLANTED,
    REDIRECT,
    REFRESH,
    STATE,
    VERIFIER,
    answer,
    config_of,
    exchange,
    named,
    tokens_of,
)
from tests.tracebacks import rendered
from transports import Secret

FIELDS = {
    "gitlab": "host",
    "databricks": "workspace_host",
    "snowflake": "account_url",
    "salesforce": "hostname",
    "bamboohr": "subdomain",
}
HOSTILE = [
    "user:password@evil.com",
    "user@evil.com",
    "gitlab.com:8443",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "[::1]",
    "169.254.169.254",
    "localhost",
    "metadata.google.internal",
    "gitlab.local",
    "evil.com/",
    "evil.com#",
    "evil.com?",
    "evil.com\\",
    "evil.com\n",
    "evil.com\r\nx: y",
    "evil%2ecom",
    "g\u0131tlab.com",
    "\uff11\uff12\uff17.0.0.1",
    "..",
    "",
]

Send = Callable[[Integration, Mapping[str, str]], object]

SENDERS: dict[str, Send] = {
    "authorization": lambda integration, config: authorization_url(
        integration,
        CLIENT,
        config=config,
        redirect_uri=REDIRECT,
        state=Secret(STATE),
        verifier=Secret(VERIFIER),
        scopes=(),
    ),
    "token": lambda integration, config: exchange(integration, config=config),
    "refresh": lambda integration, config: refresh_request(
        integration,
        CLIENT,
        access_token=Secret(ACCESS),
        refresh_token=Secret(REFRESH),
        config=config,
    ),
    "revocation": lambda integration, config: revocation_request(
        integration,
        CLIENT,
        access_token=Secret(ACCESS),
        refresh_token=Secret(REFRESH),
        config=config,
    ),
}


# As a part of a name they are one like any other.
LABELS = {"localhost", "2130706433"}


@pytest.mark.parametrize(
    ("name", "value"),
    [(n, v) for n in FIELDS for v in HOSTILE if not (n == "bamboohr" and v in LABELS)],
)
@pytest.mark.parametrize("sender", SENDERS)
def test_a_hostile_host_is_refused_before_anything_is_made(
    name: str, value: str, sender: str
) -> None:
    config = config_of(named(name)) | {FIELDS[name]: value}
    with pytest.raises(ValueError, match=f"{name}: connection_config") as caught:
        SENDERS[sender](named(name), config)
    shown = rendered(caught.value)
    assert [secret for secret in PLANTED if secret in shown] == []
    assert "evil" not in shown


@pytest.mark.parametrize("sender", SENDERS)
def test_only_a_test_lets_a_secret_go_to_a_host_on_loopback(sender: str) -> None:
    config = {"host": "127.0.0.1:8080"}
    with pytest.raises(ValueError, match="no public host"):
        SENDERS[sender](named("gitlab"), config)
    request = refresh_request(
        named("gitlab"),
        CLIENT,
        access_token=Secret(ACCESS),
        refresh_token=Secret(REFRESH),
        config=config,
        allow_local_hosts=True,
    )
    assert request.url == "https://127.0.0.1:8080/oauth/token"


HOSTILE_INSTANCES = [
    "http://acme.my.salesforce.com",
    "https://127.0.0.1",
    "https://localhost",
    "https://acme.internal",
    "https://acme.my.salesforce.com:8443",
    "https://user@evil.com",
    "https://evil.com/",
    "https://evil.com#",
    "https://evil.com?",
    "https://evil.com\n",
    "https://",
    "evil.com",
    "javascript:alert(1)",
    "https://\u0435vil.com",
]


@pytest.mark.parametrize("value", HOSTILE_INSTANCES)
def test_a_hostile_place_for_the_tokens_ends_the_consent(value: str) -> None:
    data = {"access_token": ACCESS, "refresh_token": REFRESH, "instance_url": value}
    with pytest.raises(TokenError, match=r"salesforce: connection_config\['instance_url'\]") as e:
        tokens_of(named("salesforce"), data)
    shown = rendered(e.value)
    assert [secret for secret in (*PLANTED, "evil") if secret in shown] == []
    assert (e.value.status, e.value.client_rejected) == (200, False)


@pytest.mark.parametrize("value", HOSTILE_INSTANCES)
def test_a_hostile_place_in_a_refresh_is_ignored_and_the_tokens_are_kept(value: str) -> None:
    data = {"access_token": ACCESS, "refresh_token": REFRESH, "instance_url": value}
    tokens = refresh_result(named("salesforce"), answer(data), sent_at=NOW)
    assert isinstance(tokens, Tokens)
    assert (tokens.access_token, tokens.refresh_token) == (Secret(ACCESS), Secret(REFRESH))
    assert tokens.captured == {}


@pytest.mark.parametrize(
    "value", ["evil.com", "x.wrike.com.evil.com", "www.wrike.com:1", "a.wrike.com\n"]
)
def test_wrike_s_host_is_one_of_its_own(value: str) -> None:
    data = {"access_token": ACCESS, "host": value}
    with pytest.raises(TokenError, match="wrike"):
        tokens_of(named("wrike"), data)
    assert tokens_of(named("wrike"), {**data, "host": "app-eu.wrike.com"}).captured == {
        "host": "app-eu.wrike.com"
    }

"""The address where a person gives consent, and what is refused before there is one."""

from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from connectors.catalog import Authorization, Scopes
from connectors.local._oauth import OAuthClient, authorization_url
from tests.local.oauth.flows import CLIENT, REDIRECT, STATE, VERIFIER, config_of, named
from tests.tracebacks import rendered
from transports import Secret


def url(name: str = "github", **changes: object) -> str:
    settings = {
        "config": config_of(named(name)),
        "redirect_uri": REDIRECT,
        "state": Secret(STATE),
        "verifier": Secret(VERIFIER),
        "scopes": (),
    }
    return authorization_url(named(name), CLIENT, **(settings | changes)).reveal()  # type: ignore[arg-type]


def query(text: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(text).query, strict_parsing=True)


def test_what_is_required_is_asked_for_first_and_nothing_twice() -> None:
    asked = query(url("linkedin", scopes=["email", "profile", "email"]))
    assert asked["scope"] == ["openid profile email"]


def test_without_any_scope_none_is_asked_for() -> None:
    assert "scope=" not in url("github")


def test_a_separator_is_never_taken_for_a_part_of_a_scope() -> None:
    assert "user_scope=a%2Cb,c" in url("slack", scopes=["a,b", "c"])
    assert "scope=openid+offline_access+a%2Bb" in url("bamboohr", scopes=["a+b"])


def test_a_value_cannot_break_out_of_the_query() -> None:
    hostile = "x&client_id=evil#/?=%26 {state}"
    client = OAuthClient(hostile)
    found = query(
        authorization_url(
            named("github"),
            client,
            config={},
            redirect_uri="https://a.example/?a=b&state=forged",
            state=Secret(hostile),
            verifier=Secret(VERIFIER),
            scopes=["repo&state=forged"],
        ).reveal()
    )
    assert found["client_id"] == [hostile]
    assert found["state"] == [hostile]
    assert found["redirect_uri"] == ["https://a.example/?a=b&state=forged"]
    assert found["scope"] == ["repo&state=forged"]


def test_a_value_in_a_path_stays_one_segment_of_it() -> None:
    tenant = {"tenant": "contoso.onmicrosoft.com"}
    assert urlsplit(url("outlook", config=tenant)).path.split("/")[1] == "contoso.onmicrosoft.com"


def test_an_address_that_has_a_query_already_keeps_it() -> None:
    known = named("box")
    page = Authorization(url="https://box.com/?a=b", parameters={"state": "{state}"}, pkce="none")
    integration = attrs.evolve(known, authorization=page)
    asked = authorization_url(
        integration,
        CLIENT,
        config={},
        redirect_uri=REDIRECT,
        state=Secret(STATE),
        verifier=Secret(VERIFIER),
        scopes=(),
    )
    assert asked.reveal() == f"https://box.com/?a=b&state={STATE}"


def test_a_parameter_whose_value_is_not_there_is_left_out() -> None:
    page = Authorization(
        url="https://box.com/", parameters={"state": "{state}", "site": "{site}"}, pkce="none"
    )
    integration = attrs.evolve(named("box"), authorization=page, scopes=Scopes())
    asked = authorization_url(
        integration,
        CLIENT,
        config={},
        redirect_uri=REDIRECT,
        state=Secret(STATE),
        verifier=Secret(VERIFIER),
        scopes=(),
    )
    assert asked.reveal() == f"https://box.com/?state={STATE}"


def test_an_address_whose_host_is_not_known_is_none() -> None:
    page = Authorization(url="https://{site}/", parameters={}, pkce="none")
    integration = attrs.evolve(named("box"), authorization=page)
    with pytest.raises(ValueError, match=r"https://\{site\}/ needs a value for site"):
        authorization_url(
            integration,
            CLIENT,
            config={},
            redirect_uri=REDIRECT,
            state=Secret(STATE),
            verifier=Secret(VERIFIER),
            scopes=(),
        )


@pytest.mark.parametrize(
    "redirect_uri",
    [
        REDIRECT,
        "https://app.example.com",
        "https://app.example.com/back?x=1",
        "http://[::1]:8044/oauth/callback",
    ],
)
def test_a_redirect_uri_is_passed_on_letter_by_letter(redirect_uri: str) -> None:
    assert query(url(redirect_uri=redirect_uri))["redirect_uri"] == [redirect_uri]


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "localhost:8044/oauth/callback",
        "ftp://localhost/",
        "https://",
        "https://app.example.com/back#here",
        "https://app.example.com/a b",
        "https://user@app.example.com/",
        "https://app.example.com/\n",
        "https://app.ex\u00e4mple.com/",
        "http://app.example.com/oauth/callback",
        "",
    ],
)
def test_what_nobody_can_be_sent_back_to_is_refused(redirect_uri: str) -> None:
    with pytest.raises(ValueError, match="redirect_uri"):
        url(redirect_uri=redirect_uri)


@pytest.mark.parametrize("scope", ["", "a b", 'a"b', "a\\b", "a\nb", "\u00e4"])
def test_what_is_no_scope_is_refused(scope: str) -> None:
    with pytest.raises(ValueError, match=r"github: .* is no scope"):
        url(scopes=["repo", scope])


def test_one_string_is_not_taken_for_its_letters() -> None:
    with pytest.raises(TypeError, match="scopes are several strings"):
        url(scopes="repo")


@pytest.mark.parametrize("name", ["notion", "clickup", "wix"])
def test_a_type_without_scopes_says_so(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} takes no scopes"):
        url(name, scopes=["read"])


@pytest.mark.parametrize("state", ["", "a\nb", " a", "a ", "\u00e4", "\ud800"])
def test_a_state_that_would_not_come_back_is_refused_(state: str) -> None:
    with pytest.raises(ValueError, match="github: the state is empty or has a character"):
        url(state=Secret(state))


def test_a_bad_verifier_is_refused_before_it_is_announced() -> None:
    with pytest.raises(ValueError, match="the code_verifier is empty or has"):
        url(verifier=Secret("\ud800"))


def test_a_refused_config_is_not_shown() -> None:
    value = "planted-" + "value"
    with pytest.raises(ValueError, match="unknown name") as caught:
        url(config={"planted": value})
    assert value not in rendered(caught.value)


def test_a_config_is_a_mapping_of_strings() -> None:
    with pytest.raises(TypeError, match="connection_config must be a mapping"):
        url(config=["planted"])

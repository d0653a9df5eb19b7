"""What a browser brings back is a code of the provider that was asked, or an error that says why
not.
"""

from urllib.parse import quote, urlencode

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.catalog import Authorization, integrations
from connectors.local._oauth import (
    Callback,
    ConsentError,
    OAuthError,
    callback_state,
    read_callback,
)
from tests.local.oauth.flows import CODE, STATE, config_of, named, unhurried
from tests.tracebacks import rendered
from transports import Secret

GOOD = {"state": STATE, "code": CODE}


def read(name: str, query: str, **changes: object) -> Callback:
    config = {f.name: f.placeholder for f in named(name).connection_config if not f.automated}
    return read_callback(named(name), query, config=config, **changes)  # type: ignore[arg-type]


def refused(name: str, query: str, **changes: object) -> ConsentError:
    with pytest.raises(ConsentError) as caught:
        read(name, query, **changes)
    assert isinstance(caught.value, OAuthError)
    shown = rendered(caught.value)
    assert [secret for secret in (CODE, STATE) if secret in shown] == []
    return caught.value


def test_a_good_callback_brings_the_code() -> None:
    callback = read("github", urlencode(GOOD))
    assert callback == Callback(Secret(CODE), {})
    assert CODE not in repr(callback)


def test_more_than_is_read_does_no_harm() -> None:
    extra = urlencode({**GOOD, "scope": "a b", "session_state": "x"}) + "&scope=c&prompt="
    assert read("gmail", extra).code == Secret(CODE)


@pytest.mark.parametrize(
    ("query", "state"),
    [
        (f"code=c&state={STATE}", STATE),
        ("state=%26%20", "& "),
        ("", None),
        ("code=c", None),
        ("state=", None),
        (f"state={STATE}&state={STATE}", None),
        (f"state={STATE}&state=", None),
        ("&".join(f"p{n}=" for n in range(63)) + f"&state={STATE}", STATE),
        ("&".join(f"p{n}=" for n in range(64)) + f"&state={STATE}", None),
        ("state=%ff", "\ufffd"),
    ],
)
def test_the_state_is_the_one_that_comes_once(query: str, state: str | None) -> None:
    assert callback_state(query) == (None if state is None else Secret(state))


@pytest.mark.parametrize("name", ["state", "code", "error", "error_description", "iss"])
def test_what_is_read_must_not_come_twice(name: str) -> None:
    given = urlencode({**GOOD, name: "https://github.com"})
    error = refused("github", f"{given}&{name}=x")
    assert f"github: the address that the browser came back to has {name!r} more than" in str(error)


def test_what_is_captured_must_not_come_twice() -> None:
    error = refused("quickbooks", urlencode(GOOD) + "&realmId=1234567890&realmId=1234567891")
    assert "has 'realmId' more than once" in str(error)


@pytest.mark.parametrize("code", [None, "", "a\nb", "\u00e4", " "])
def test_a_callback_without_a_code_that_can_be_sent_is_none(code: str | None) -> None:
    query = {"state": STATE} if code is None else {"state": STATE, "code": code}
    assert "has no code" in str(refused("github", urlencode(query)))


def test_a_denied_consent_says_so_with_the_provider_s_code() -> None:
    error = refused(
        "github",
        urlencode({"state": STATE, "error": "access_denied", "error_description": "Not today."}),
    )
    assert (error.code, error.description) == ("access_denied", "Not today.")
    assert str(error) == "github: the consent was not given (access_denied: Not today.)"


def test_an_error_beside_a_code_is_an_error() -> None:
    assert refused("github", urlencode({**GOOD, "error": "access_denied"})).code == "access_denied"


@pytest.mark.parametrize(
    ("description", "shown"),
    [
        ("", None),
        ("x" * 300, "x" * 200),
        ("!", "!"),
        ("x" * 4096, "x" * 200),
        ("x" * 4097, None),
        ("\x1b[31mred\r\nsecond line\u202e", "\\x1b[31mred\\r\\nsecond line\\u202e"),
        (f"your code {CODE} of {quote(STATE)}", "your code [redacted] of [redacted]"),
        (f"{CODE.encode().hex()}", "[redacted]"),
        ("xoxb-123456789012-planted", "[redacted]"),
    ],
)
def test_a_hostile_description_is_made_harmless(description: str, shown: str | None) -> None:
    query = {**GOOD, "error": "access_denied", "error_description": description}
    assert refused("github", urlencode(query)).description == shown


@pytest.mark.parametrize("code", ["", "a b", "a\n", "x" * 65, "<b>", CODE, STATE, "\u00e4"])
def test_an_error_code_that_is_none_is_not_shown(code: str) -> None:
    error = refused("github", urlencode({**GOOD, "error": code}))
    assert error.code is None
    assert str(error) == "github: the consent was not given"


@pytest.mark.parametrize("code", ["server_error", "AADSTS70008", "x" * 64, "a.b-c"])
def test_an_error_code_is_kept_as_it_is(code: str) -> None:
    assert refused("github", urlencode({**GOOD, "error": code})).code == code


@pytest.mark.parametrize(
    "issuer",
    ["https://github.com", "https://github.com/login/oauth", "https://GitHub.com:443/"],
)
def test_the_issuer_is_the_server_that_was_asked(issuer: str) -> None:
    assert read("github", urlencode({**GOOD, "iss": issuer})).code == Secret(CODE)


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "https://evil.com",
        "http://github.com",
        "https://github.com.evil.com",
        "https://github.com:444",
        "https://github.com@evil.com",
        "https://user@github.com",
        "https://github.com:x",
        "https://[",
        "github.com",
        "//github.com",
        "custom://github.com",
    ],
)
@pytest.mark.parametrize("more", [GOOD, {"state": STATE, "error": "access_denied"}])
def test_another_issuer_is_refused_whatever_it_says(issuer: str, more: dict[str, str]) -> None:
    # RFC 9207, section 2.4: an error is checked like a code.
    error = refused("github", urlencode({**more, "iss": issuer}))
    assert "comes from another provider than the one that was asked" in str(error)
    assert error.code is None


def test_the_issuer_of_a_host_of_ones_own_is_that_host() -> None:
    gitlab, own = named("gitlab"), {"host": "gitlab.example.org"}
    callback = f"{urlencode(GOOD)}&iss=https://gitlab.example.org"
    assert read_callback(gitlab, callback, config=own).code == Secret(CODE)
    with pytest.raises(ConsentError, match="another provider"):
        read_callback(gitlab, callback, config={})  # The default is gitlab.com.
    with pytest.raises(ConsentError, match="no public host"):
        read_callback(gitlab, callback, config={"host": "127.0.0.1:8080"})
    local = read_callback(
        gitlab,
        f"{urlencode(GOOD)}&iss=https://127.0.0.1:8080",
        config={"host": "127.0.0.1:8080"},
        allow_local_hosts=True,
    )
    assert local.code == Secret(CODE)


def test_the_issuer_of_a_server_on_this_machine_need_not_be_secure() -> None:
    page = Authorization(url="http://127.0.0.1:80/authorize", parameters={}, pkce="none")
    integration = attrs.evolve(named("box"), authorization=page)
    for issuer in ("http://127.0.0.1", "http://127.0.0.1:80"):
        callback = f"{urlencode(GOOD)}&iss={issuer}"
        assert read_callback(integration, callback, config={}).code == Secret(CODE)
    with pytest.raises(ConsentError, match="another provider"):
        read_callback(integration, f"{urlencode(GOOD)}&iss=http://127.0.0.1:81", config={})


def test_nobody_is_the_issuer_of_an_address_that_is_not_known() -> None:
    page = Authorization(url="https://{site}/", parameters={}, pkce="none")
    integration = attrs.evolve(named("box"), authorization=page)
    with pytest.raises(ConsentError, match="another provider"):
        read_callback(integration, f"{urlencode(GOOD)}&iss=https://x.com", config={})


def test_quickbooks_tells_the_company() -> None:
    callback = read("quickbooks", urlencode({**GOOD, "realmId": "1234567890"}))
    assert callback.captured == {"realmId": "1234567890"}
    assert "1234567890" not in repr(callback)
    assert read("quickbooks", urlencode(GOOD)).captured == {}


@pytest.mark.parametrize("realm", ["../x", "1234567890/..", "12 34567890", "1" * 20, "zz"])
def test_a_company_that_is_none_is_refused(realm: str) -> None:
    error = refused("quickbooks", urlencode({**GOOD, "realmId": realm}))
    assert "has a value that is refused: quickbooks: connection_config['realmId']" in str(error)
    assert realm not in str(error)


def test_wix_tells_the_site_and_its_code_is_not_needed() -> None:
    site = "01234567-89ab-cdef-0123-456789abcdef"
    for code in ({}, {"code": CODE}, {"code": "\n"}):
        callback = read("wix", urlencode({"state": STATE, "instanceId": site, **code}))
        assert callback == Callback(None, {"instance_id": site})


@pytest.mark.parametrize("site", [{}, {"instanceId": ""}])
def test_wix_without_a_site_is_refused(site: dict[str, str]) -> None:
    assert "has no 'instanceId'" in str(refused("wix", urlencode({**GOOD, **site})))


def test_a_site_that_was_given_by_hand_need_not_be_told() -> None:
    wix = named("wix")
    callback = read_callback(wix, urlencode(GOOD), config=config_of(wix))
    assert callback == Callback(None, {})


texts = st.text(st.characters(exclude_categories=()))
queries = st.one_of(
    texts,
    st.lists(
        st.tuples(
            st.sampled_from(["error", "error_description", "iss", "realmId", "instanceId"]),
            st.one_of(
                st.just(STATE), st.just(CODE), texts.map(lambda t: quote(t, errors="replace"))
            ),
        ).map("=".join),
    ).map("&".join),
)


@unhurried
@given(name=st.sampled_from([*integrations()]), query=queries)
@example(name="github", query="a=%ff%fe&b=\ud800")
@example(name="github", query="a=" + "%" * 1000)
def test_whatever_a_browser_brings_it_is_a_callback_or_a_consent_error(
    name: str, query: str
) -> None:
    assert callback_state(query) != Secret("")
    error = consent_error(name, f"{urlencode(GOOD)}&{query}")
    shown = rendered(error) + str(error) + repr(error) if error else ""
    assert [secret for secret in (CODE, STATE) if secret in shown] == []


def consent_error(name: str, query: str) -> ConsentError | None:
    try:
        read(name, query)
    except ConsentError as error:
        return error
    return None

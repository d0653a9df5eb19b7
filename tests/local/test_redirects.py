"""Which addresses a provider may send people back to."""

from pathlib import Path

import pytest

from connectors.local import Authority, LocalBackend, Vault
from connectors.local._oauth import OAuthClient
from connectors.local._oauth_records import OAuthApp
from connectors.local._redirects import (
    callback_host,
    listening_port,
    loopback_redirect,
    redirect_problem,
)
from transports import Secret


@pytest.mark.parametrize(
    ("uri", "port"),
    [
        ("https://example.com/oauth/callback", None),
        ("https://example.com", None),
        ("https://example.com:8443/back?app=1", None),
        ("https://localhost/anything", None),
        ("https://[2001:db8::1]/back", None),
        ("http://localhost:8044/oauth/callback", 8044),
        ("http://127.0.0.1:1/oauth/callback", 1),
        ("http://[::1]:65535/oauth/callback", 65535),
        ("http://LOCALHOST/oauth/callback", 80),
    ],
)
def test_an_address_is_https_or_the_callback_of_this_machine(uri: str, port: int | None) -> None:
    assert redirect_problem(uri) is None
    assert listening_port(uri) == port


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("", "not an absolute address"),
        ("/oauth/callback", "not an absolute address"),
        ("ftp://example.com", "not an absolute address"),
        ("https://user@example.com/", "not an absolute address"),
        ("https://example.com/#fragment", "not an absolute address"),
        ("https://example.com/a b", "not an absolute address"),
        ("https://example.com/\u00e4", "not an absolute address"),
        ("https://example.com/a\n", "not an absolute address"),
        ("https://example.com/<x>", "not an absolute address"),
        ("https://example.com:99999/", "not an absolute address"),
        ("https://exa_mple.com\\@evil.example/", "not an absolute address"),
        ("http://example.com/oauth/callback", "must not travel unencrypted"),
        ("http://10.0.0.1/oauth/callback", "must not travel unencrypted"),
        ("http://localhost.evil.example/oauth/callback", "must not travel unencrypted"),
        ("http://localhost:8044", "/oauth/callback that is listened at"),
        ("http://localhost:8044/other", "/oauth/callback that is listened at"),
        ("http://localhost:8044/oauth/callback?x=1", "/oauth/callback that is listened at"),
    ],
)
def test_any_other_address_is_refused_with_the_reason(uri: str, problem: str) -> None:
    assert problem in (redirect_problem(uri) or "")


UNENCRYPTED = ["http://example.com/oauth/callback", "http://10.0.0.1/oauth/callback", "nonsense"]


@pytest.mark.parametrize("uri", UNENCRYPTED)
def test_no_client_has_an_address_to_which_a_code_must_not_travel(uri: str) -> None:
    client = OAuthClient("id", Secret("planted"))
    with pytest.raises(ValueError, match=r"redirect_uri '.*' is refused: (a code|it is not)"):
        OAuthApp("gitlab", client, redirect_uri=uri)


@pytest.mark.parametrize("uri", UNENCRYPTED)
def test_no_backend_has_an_address_to_which_a_code_must_not_travel(
    tmp_path: Path, uri: str
) -> None:
    with pytest.raises(ValueError, match=r"redirect_uri '.*' is refused: (a code|it is not)"):
        LocalBackend(Vault(tmp_path / "vault.db"), Authority.ephemeral(), redirect_uri=uri)


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("https://Demo.example/oauth/callback", "demo.example"),
        ("https://demo.example:443/x", "demo.example"),
        ("https://demo.example:80", "demo.example:80"),
        ("https://[2001:DB8::1]:8443/", "[2001:db8::1]:8443"),
        ("http://localhost:8044/oauth/callback", "localhost:8044"),
        ("http://localhost:80/oauth/callback", "localhost"),
    ],
)
def test_the_host_of_an_address_is_what_a_browser_says(uri: str, host: str) -> None:
    assert callback_host(uri) == host


def test_what_is_no_address_arrives_nowhere() -> None:
    assert listening_port("localhost:8044") is None
    assert callback_host("localhost:8044") is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_the_address_of_a_port_is_one_of_this_machine(host: str) -> None:
    uri = loopback_redirect(8044, host)
    assert redirect_problem(uri) is None
    assert listening_port(uri) == 8044

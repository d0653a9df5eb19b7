"""A client secret goes to public host names only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.catalog import host_problem, placeholders

GOOD = ["gitlab.com", "gitlab.example.com", "a.b", "ACME-1.my.salesforce.com", "a_b.example.org"]

LOCAL = {
    "127.0.0.1": "IP address",
    "127.1": "IP address",
    "0x7f.1": "IP address",
    "a.0x7f000001": "IP address",
    "2130706433": "IP address",
    "169.254.169.254": "IP address",
    "gitlab.com:8443": "port",
    "localhost": "private network",
    "LOCALHOST": "private network",
    "gitlab.localhost": "private network",
    "gitlab": "private network",
    "gitlab.local": "private network",
    "gitlab.LOCAL": "private network",
    "metadata.google.internal": "private network",
    "router.home.arpa": "private network",
}

NEVER = {
    "": "not a host name",
    "user@gitlab.com": "user information",
    "gitlab.com/x": "path",
    "gitlab.com\\x": "path",
    "gitlab.com?x": "query",
    "gitlab.com#x": "fragment",
    "gitlab%2ecom": "percent-encoding",
    "[::1]": "IP address",
    "gitlab..com": "not a host name",
    "gitlab.com.": "not a host name",
    "-gitlab.com": "not a host name",
    "gitlab-.com": "not a host name",
    "gitlab.com\n": "not a host name",
    "gitlab.com:80\n": "port",
    "g\u0131tlab.com": "not a host name",
    "\uff11\uff12\uff17.0.0.1": "not a host name",
    "a" * 64 + ".com": "not a host name",
    "a." * 127 + "com": "not a host name",
}


@pytest.mark.parametrize("host", GOOD)
def test_a_public_name_is_trusted(host: str) -> None:
    assert host_problem(host) is None


@pytest.mark.parametrize(("host", "problem"), [*LOCAL.items(), *NEVER.items()])
def test_anything_else_is_refused_with_the_reason(host: str, problem: str) -> None:
    assert problem in str(host_problem(host))


@pytest.mark.parametrize("host", LOCAL)
def test_a_test_on_loopback_may_ask_for_local_hosts(host: str) -> None:
    assert host_problem(host, allow_local=True) is None


@pytest.mark.parametrize("host", NEVER)
def test_what_is_no_host_is_refused_on_loopback_too(host: str) -> None:
    assert host_problem(host, allow_local=True) is not None


@given(st.text(alphabet="aA1.-_:@/\\?#%[] \n", max_size=20))
def test_a_trusted_host_is_one_dotted_name(host: str) -> None:
    if host_problem(host) is None:
        assert host.replace(".", "").replace("-", "").replace("_", "").isalnum()
        assert "." in host
        assert not host.endswith("1")


def test_placeholders_are_names_in_braces() -> None:
    assert placeholders("https://{host}/{realm_id}") == {"host", "realm_id"}
    assert placeholders("{ viewer { id } }") == frozenset()

"""Which proxy is chosen for which URL."""

import pytest

from transports._proxy import Proxies, Proxy, find_proxies


def found(proxy: str | None = None, *, trust_env: bool = False) -> Proxies:
    proxies = find_proxies(proxy, trust_env=trust_env)
    assert isinstance(proxies, Proxies)
    return proxies


def url_of(proxy: Proxy | None) -> str | None:
    return proxy.url if proxy else None


@pytest.fixture(autouse=True)
def no_proxy_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no", "ftp"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)


def test_without_any_it_is_a_direct_connection() -> None:
    assert found().choose("http://a.example/") is None
    assert found(trust_env=True).choose("https://a.example/") is None


@pytest.mark.parametrize(
    ("given", "url", "authorization"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128", None),
        ("http://proxy.example:3128/", "http://proxy.example:3128", None),
        ("proxy.example:3128", "http://proxy.example:3128", None),
        ("https://proxy.example", "https://proxy.example", None),
        ("http://[::1]:3128", "http://[::1]:3128", None),
        ("http://me@proxy.example", "http://proxy.example", "Basic bWU6"),
        ("http://me:pass@proxy.example", "http://proxy.example", "Basic bWU6cGFzcw=="),
        ("http://me:p%40s:s@proxy.example", "http://proxy.example", "Basic bWU6cEBzOnM="),
        ("http://me:p@ss@proxy.example", "http://proxy.example", "Basic bWU6cEBzcw=="),
        ("http://m\xe9:x@proxy.example", "http://proxy.example", "Basic bcOpOng="),
    ],
)
def test_a_given_one_is_for_every_url_and_its_credentials_are_taken_out(
    given: str, url: str, authorization: str | None
) -> None:
    for target in ("http://a.example/", "https://a.example/"):
        proxy = found(given).choose(target)
        assert proxy is not None
        assert proxy.url == url
        revealed = proxy.authorization.reveal() if proxy.authorization else None
        assert revealed == authorization
        assert "pass" not in repr(proxy)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "http://",
        "a@",
        "socks5://a.example:1",
        "http://a b",
        "http://a.example:x",
        "http://a.example:70000",
        "http://a/path",
        "http://a.example?q",
    ],
)
def test_what_is_no_proxy_is_a_problem(given: str) -> None:
    problem = find_proxies(given, trust_env=False)
    assert isinstance(problem, ValueError)
    assert str(problem).startswith("proxy must be a URL")


def test_bytes_are_a_problem_and_not_shown() -> None:
    problem = find_proxies(b"http://me:pass@a.example", trust_env=False)  # type: ignore[arg-type]
    assert isinstance(problem, ValueError)
    assert "pass" not in str(problem)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
def test_the_environment_names_one_for_a_scheme(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://proxy.example:1")
    proxies = found(trust_env=True)
    assert url_of(proxies.choose("http://a.example/")) == "http://proxy.example:1"
    assert proxies.choose("https://a.example/") is None
    assert found().choose("http://a.example/") is None


def test_the_environment_names_one_for_all_that_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://all.example:1")
    monkeypatch.setenv("https_proxy", "http://secure.example:1")
    proxies = found(trust_env=True)
    assert url_of(proxies.choose("http://a.example/")) == "http://all.example:1"
    assert url_of(proxies.choose("https://a.example/")) == "http://secure.example:1"


def test_what_is_not_needed_of_the_environment_may_be_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    monkeypatch.setenv("ftp_proxy", "no URL")
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.example:1")
    assert isinstance(find_proxies(None, trust_env=True), Proxies)
    monkeypatch.delenv("https_proxy")
    problem = find_proxies(None, trust_env=True)
    assert isinstance(problem, ValueError)
    assert str(problem).startswith("The proxy for https in the environment must be a URL")


@pytest.mark.parametrize(
    ("excluded", "url"),
    [
        ("a.example", "http://a.example/"),
        ("a.example", "http://A.Example:8080/x"),
        (".example", "http://a.example/"),
        ("example", "http://deep.a.example/"),
        ("other, a.example", "http://a.example/"),
        ("a.example:80", "http://a.example/"),
        ("a.example:443", "https://a.example/"),
        ("127.0.0.1", "http://127.0.0.1:5000/"),
        ("::1", "http://[::1]:5000/"),
        ("*", "http://anything.example/"),
    ],
)
def test_no_proxy_is_used_for_excluded_hosts(
    excluded: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "http://proxy.example:1")
    monkeypatch.setenv("no_proxy", excluded)
    proxies = found(trust_env=True)
    assert proxies.choose(url) is None
    if excluded != "*":
        assert proxies.choose("http://b.other.test/") is not None


@pytest.mark.parametrize("url", ["http://a.example:81/", "http://ba.example/"])
def test_other_ports_and_longer_names_are_not_excluded(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "http://proxy.example:1")
    monkeypatch.setenv("no_proxy", "a.example:80")
    assert found(trust_env=True).choose(url) is not None


def test_a_given_one_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://proxy.example:1")
    monkeypatch.setenv("no_proxy", "*")
    proxies = found("http://mine.example:1", trust_env=True)
    assert url_of(proxies.choose("http://a.example/")) == "http://mine.example:1"

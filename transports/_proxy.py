"""Which proxy a request goes through, decided from what was known when the transport was made.

The environment is read once. Its variables are those that curl and urllib know: `http_proxy`,
`https_proxy`, `all_proxy` and `no_proxy`, in capitals too. The credentials of a proxy are taken
out of its URL at once: the URL is printed, and a connection is known by it.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import (  # type: ignore[attr-defined]
    getproxies_environment,
    # Reads nothing but its arguments. `proxy_bypass` would ask the Mac's or Windows' settings.
    proxy_bypass_environment,
)

import attrs

from transports._checks import DEFAULT_PORTS, url_problem
from transports._secret import Secret


@attrs.frozen
class Proxy:
    """A proxy: where it is, and what it wants to be told."""

    url: str
    """Its URL, without user name and password."""

    authorization: Secret | None = None
    """The value of the field `Proxy-Authorization`."""

    def fields(self) -> dict[str, str]:
        """What it wants to be told, as header fields."""
        secret = self.authorization
        return {} if secret is None else {"Proxy-Authorization": secret.reveal()}


@final
@attrs.frozen
class Proxies:
    """The proxies of a transport."""

    _by_scheme: Mapping[str, Proxy]
    _none_for: str = ""

    def choose(self, url: str) -> Proxy | None:
        """The proxy for a URL, or None for a direct connection."""
        if not self._by_scheme:
            return None
        target = urlsplit(url)
        proxy = self._by_scheme.get(target.scheme)
        if proxy and self._none_for and self._is_excluded(target):
            return None
        return proxy

    def _is_excluded(self, target: SplitResult) -> bool:
        # The list names hosts, with or without a port; a default port is one too.
        port = target.port or DEFAULT_PORTS[target.scheme]
        return bool(proxy_bypass_environment(f"{target.hostname}:{port}", {"no": self._none_for}))


def find_proxies(proxy: str | None, *, trust_env: bool) -> Proxies | ValueError:
    """The proxies to use, or what is wrong with one, which is not shown: it may hold a password.

    Args:
        proxy: The URL of the one proxy for every request.
        trust_env: Without `proxy`, take them from the environment.
    """
    environment = getproxies_environment() if trust_env and proxy is None else {}
    proxies = {}
    for scheme in DEFAULT_PORTS:
        text = proxy if proxy is not None else environment.get(scheme) or environment.get("all")
        if text is None:
            continue
        parsed = _parsed(text)
        if parsed is None:
            name = "proxy" if proxy is not None else f"The proxy for {scheme} in the environment"
            return ValueError(f"{name} must be a URL like http://proxy.example:3128, and is not.")
        proxies[scheme] = parsed
    return Proxies(proxies, environment.get("no", ""))


def _parsed(text: object) -> Proxy | None:
    if not isinstance(text, str):
        return None
    # curl takes a proxy without a scheme too.
    scheme, _, rest = text.rpartition("://")
    userinfo, _, host = rest.rstrip("/").rpartition("@")
    url = f"{scheme or 'http'}://{host}"
    # A byte of the environment that is no UTF-8 is a surrogate, and such an error shows it all.
    if url_problem(url) or urlsplit(url).netloc != host or not _encodable(userinfo):
        return None
    return Proxy(url, _basic(userinfo) if userinfo else None)


def _encodable(text: str) -> bool:
    return text.encode(errors="replace").decode() == text


def _basic(userinfo: str) -> Secret:
    user, _, password = userinfo.partition(":")
    return Secret(f"Basic {b64encode(f'{unquote(user)}:{unquote(password)}'.encode()).decode()}")

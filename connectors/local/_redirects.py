"""The addresses to which a provider sends people back: which may be used, and what listens there.

What comes back has a code in it, so it travels encrypted or stays on this machine. A provider knows
an address letter by letter, so the one of this machine is always the same: the port may be chosen,
the path may not.
"""

import re
from typing import Final

from connectors.catalog import Integration
from connectors.local._loopback import in_url, is_loopback

CALLBACK_PATH: Final = "/oauth/callback"
"""Where a callback arrives, below the address of whoever listens."""

DEFAULT_PORT: Final = 8044
"""Where `connectors dev` listens, unless somebody says otherwise."""

# An absolute URI without user information or fragment (RFC 6749, section 3.1.2), of the characters
# that RFC 3986 has.
_URI: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~:/\[\]@!$&'()*+,;=%-]*)?"
    r"(?P<query>\?[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?"
)

_LAST_PORT: Final = 65535
_USUAL: Final = {"http": 80, "https": 443}


def loopback_redirect(port: int, host: str = "localhost") -> str:
    """The address for a port of this machine."""
    return f"http://{in_url(host)}:{port}{CALLBACK_PATH}"


def is_absolute(uri: str) -> bool:
    """Is it an address that a browser can be sent to, whoever listens there?"""
    return _parts(uri) is not None


def redirect_problem(uri: str) -> str | None:
    """Say what keeps an address from being one to come back to, or None."""
    parts = _parts(uri)
    if parts is None:
        return "it is not an absolute address such as https://example.com/oauth/callback"
    if parts["scheme"] == "https":
        return None
    if not is_loopback(parts["host"]):
        return "a code must not travel unencrypted: only an address of this machine may be http"
    if parts["path"] != CALLBACK_PATH or parts["query"]:
        return f"on this machine it is {CALLBACK_PATH} that is listened at, and nothing else"
    return None


def check_redirect(uri: str) -> None:
    """Refuse an address that nobody may come back to.

    Raises:
        ValueError: It is one.
    """
    problem = redirect_problem(uri)
    if problem is not None:
        raise ValueError(f"redirect_uri {uri!r:.200} is refused: {problem}")


def loopback_problem(integration: Integration) -> str | None:
    """Say why nobody is sent back to this machine, and what to do; None if somebody may be."""
    if integration.loopback_redirect is not False:
        return None
    name = integration.integration_type
    return (
        f"{integration.display_name} sends nobody back to http on this machine: it needs an https "
        f"address of your own. `connectors configure {name} --redirect-uri URL` keeps one, and "
        f"`connectors connect {name} --redirect-uri URL` takes it once; it need not answer"
    )


def listening_port(uri: str) -> int | None:
    """The port of this machine at which an address arrives, or None if it is one of elsewhere."""
    parts = _parts(uri)
    if parts is None or parts["scheme"] == "https":
        return None
    return int(parts["port"] or _USUAL["http"])


def callback_host(uri: str) -> str | None:
    """The `Host` with which a browser comes to an address, or None if it is no address."""
    parts = _parts(uri)
    if parts is None:
        return None
    port = int(parts["port"] or 0)
    # A browser leaves out the port that belongs to the scheme.
    return parts["host"].lower() + (f":{port}" if port not in {0, _USUAL[parts["scheme"]]} else "")


def _parts(uri: str) -> "re.Match[str] | None":
    parts = _URI.fullmatch(uri)
    return parts if parts and int(parts["port"] or 0) <= _LAST_PORT else None

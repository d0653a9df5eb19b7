"""Says whether a host may be trusted with a client secret.

A user's value decides the host that is sent the secret (RFC 6749 has no defence against that), so
a host is refused unless it is a plain public name. Names only: what a name resolves to is not
looked at here.
"""

import re
from collections.abc import Mapping
from typing import Final

PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_]\w*)\}", re.ASCII)
"""Stands in a template for a value, by its name."""

_HTTPS: Final = "https://"
_ORIGIN: Final = re.compile(r"(?:https://)?[^/?#]*")
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_PORT: Final = re.compile(r":[0-9]{1,5}\Z")
_LONGEST_NAME: Final = 253

# What makes an address of a name, by the character that gives it away (RFC 3986, section 3.2).
_GIVEAWAYS: Final = {
    "@": "it has user information before the host",
    "/": "it has a path",
    "\\": "it has a path",
    "?": "it has a query",
    "#": "it has a fragment",
    "%": "it has percent-encoding",
    "[": "it is an IP address",
    ":": "it has a port",
}

# RFC 6761, RFC 6762 and RFC 8375, ICANN's reserved `internal`, and what networks use at home.
_PRIVATE: Final = frozenset(
    {
        *("localhost", "local", "internal", "test", "example", "invalid", "arpa"),
        *("localdomain", "intranet", "lan", "home", "corp", "private"),
    }
)


def placeholders(template: str) -> frozenset[str]:
    """The names of the values that a template needs: `{"host"}` for `https://{host}/api`."""
    return frozenset(PLACEHOLDER.findall(template))


def origin_template(url: str) -> str:
    """The part of a URL's template that decides where it leads: `https://{host}`."""
    found = _ORIGIN.match(url)
    assert found is not None
    return found[0]


def origin_problem(
    template: str, values: Mapping[str, str], *, allow_local: bool = False
) -> str | None:
    """Fill in an origin's template, and say what keeps it from being trusted, or None."""
    origin = PLACEHOLDER.sub(lambda found: values[found[1]], template)
    if not origin.startswith(_HTTPS):
        return "it is not an https address"
    return host_problem(origin.removeprefix(_HTTPS), allow_local=allow_local)


def host_problem(host: str, *, allow_local: bool = False) -> str | None:
    """Say what keeps a host from being trusted with a secret, or None.

    Refused are user information, a port, a path, an IP address in any spelling, and names that
    only mean something in a private network, such as `localhost`.

    Args:
        host: The host as it would stand in the URL.
        allow_local: Accept ports, IPv4 addresses and private names: for tests on loopback.
    """
    if allow_local:
        host = _PORT.sub("", host)
    for character, problem in _GIVEAWAYS.items():
        if character in host:
            return problem
    labels = host.split(".")
    if len(host) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        return "it is not a host name"
    return None if allow_local else _local(labels)


def _local(labels: list[str]) -> str | None:
    last = labels[-1].lower()
    # A resolver takes `127.1`, `0x7f.1` and `2130706433` for addresses: all end in a number.
    if last.isdecimal() or last.startswith("0x"):
        return "it is an IP address"
    if len(labels) == 1 or last in _PRIVATE:
        return "it is a name in a private network"
    return None

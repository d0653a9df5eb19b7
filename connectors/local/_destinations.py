"""Where a call goes: to a host that the integration type declares, or nowhere.

A path comes from the app, and means one thing to everybody who reads it, or is refused and never
repaired: nothing in it is resolved away, however often it is decoded, and nothing in it can be read
as another host. What decides the host is the catalogue and the values of the connection, which are
held to the rules of the catalogue again, because the token is sent there.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias
from unicodedata import normalize
from urllib.parse import quote, unquote, urlsplit

from connectors.catalog import Integration, config_problem
from connectors.local._answers import Refusal
from connectors.local._calls import Call
from connectors.local._escapes import has_broken_escape
from connectors.local._fields import ConnectionConfig
from connectors.local._oauth._templates import filled, filled_url
from connectors.local._records import StoredConnection
from transports import Secret

Values: TypeAlias = Mapping[str, Secret]
"""The values that fill in a type's templates, by their names."""

_UNSENDABLE: Final = re.compile(r"[\x00-\x20\x7f?#]|[\ud800-\udfff]")
_MISREAD: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_DOTS: Final = frozenset({".", ".."})
# A path that was encoded more often than this is no honest one.
_MOST_LAYERS: Final = 8
# What a path segment may hold as it is (RFC 3986, section 3.3), and escapes.
_KEPT: Final = "/%!$&'()*+,;=:@~"


def values_of(
    connection: StoredConnection, integration: Integration, *, allow_local_hosts: bool = False
) -> Values:
    """The values that the type of a connection knows, and its defaults.

    Raises:
        Refusal: One of them is not what the type allows.
    """
    fields = integration.connection_config
    known = {*(f.name for f in fields), *(capture.name for capture in integration.captures)}
    kept = connection.connection_config or {}
    values = ConnectionConfig(
        {f.name: f.default for f in fields if f.default is not None}
        | {name: kept[name] for name in kept.keys() & known}
    )
    problem = config_problem(integration, values, allow_local_hosts=allow_local_hosts)
    if problem is not None:
        raise Refusal(
            409, f"{problem} Connect it again with other values", code="CONNECTION_CONFIG"
        )
    return {name: Secret(values[name]) for name in values}


def destination(call: Call, integration: Integration, values: Values) -> str:
    """The address that a call goes to.

    Raises:
        Refusal: It goes to no path, or to a host that the type does not declare.
    """
    base = filled_url(integration.api.base_url, values)
    if isinstance(base, ValueError):
        raise Refusal(409, f"{base}: connect it again with that", code="CONNECTION_CONFIG")
    parts = urlsplit(base.reveal())
    path, host = _path(call.path), parts.netloc
    if call.host is None:
        path = _below(parts.path.rstrip("/"), path)
    else:
        host = _declared(call.host.lower(), {host.lower(), *_more_hosts(integration, values)})
    return f"{parts.scheme}://{host}{path}{call.query and '?'}{call.query}"


def _below(base: str, path: str) -> str:
    return path if f"{path}/".startswith(f"{base}/") else base + path


def _declared(asked: str, hosts: set[str]) -> str:
    if asked not in hosts:
        raise Refusal(
            422, f"host must be one that the connector declares: {', '.join(sorted(hosts))}"
        )
    return asked


def _more_hosts(integration: Integration, values: Values) -> set[str]:
    hosts = (filled(host, values) for host in integration.api.hosts)
    return {host.reveal().lower() for host in hosts if host is not None}


def _path(path: str) -> str:
    if (
        not path.startswith("/")
        or path.startswith("//")
        or _UNSENDABLE.search(path)
        or has_broken_escape(path)
        or _has_two_readings(path)
    ):
        raise Refusal(
            422,
            "path must begin with one '/' and have no '.' or '..' segment, no backslash, no "
            "control character, no query and no fragment; a query goes into `query`",
        )
    return quote(path, safe=_KEPT)


def _has_two_readings(path: str) -> bool:
    """Does it mean something else to somebody who decodes it, be it more often than once?"""
    for _ in range(_MOST_LAYERS):
        # Somebody may also take a letter for the one that it looks like.
        seen = normalize("NFKC", path)
        segments = (segment.partition(";")[0] for segment in seen.split("/"))
        if _MISREAD.search(seen) or not _DOTS.isdisjoint(segments):
            return True
        try:
            decoded = unquote(path, errors="strict")
        except UnicodeDecodeError:
            return True
        if decoded == path:
            return False
        path = decoded
    return True

"""What a request asks the service for: which route, and of which connector."""

import re
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

import attrs

from transports import Request

What: TypeAlias = Literal[
    "available", "call", "connect", "connection", "disconnect", "list", "remove"
]

_ROUTES: Final[Sequence[tuple[What, str, str]]] = (
    ("connection", "GET", "external-auth/tokens/*"),
    ("connection", "GET", "external-auth/tokens/connectors/*"),
    ("connection", "GET", "app-user-auth/connectors/*/token"),
    ("call", "POST", "connectors/*/call"),
    ("connect", "POST", "app-user-auth/connectors/*/initiate"),
    ("disconnect", "DELETE", "app-user-auth/connectors/*"),
    ("available", "GET", "external-auth/available-integrations"),
    ("list", "GET", "external-auth/list"),
    ("remove", "DELETE", "external-auth/integrations/*/remove"),
)

_PATTERNS: Final = [
    (what, method, re.compile("/api/apps/[^/]+/" + path.replace("*", "([^/]+)")))
    for what, method, path in _ROUTES
]


@attrs.frozen
class Asked:
    """What a request asks for."""

    what: What
    """Which route."""

    name: str
    """The connector's name or id; empty where the route has none."""


def asked_by(request: Request) -> Asked | None:
    """What a request asks for; None is nothing that is played here."""
    path = urlsplit(request.url).path
    for what, method, pattern in _PATTERNS:
        match = pattern.fullmatch(path)
        if match and method == request.method:
            return Asked(what, unquote("".join(match.groups())))
    return None

"""What a route asks of a request, as values that can say in what a request differs.

A request matches when there is no difference: so the message about a request that nothing matches
can never disagree with the matching. A difference names fields and places, never their values; a
path is shown as it is in every error.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import attrs
from attrs import NOTHING

from transports._base import Request
from transports._checks import DEFAULT_PORTS, method_problem, url_problem
from transports._headers import Fields, Headers, checked_headers
from transports.mock._decoding import (
    NotDecoded,
    Values,
    fields_of,
    json_of,
    query_of,
    raw_path_of,
)
from transports.mock._json_paths import json_differences
from transports.mock._paths import Template, template

Query: TypeAlias = Mapping[str, str | Sequence[str]]
"""The fields of a query; a name that comes more than once has a sequence of values."""

_MOST: Final = 5
"""Differences of one part that are said. Who has seen these knows which route was meant."""


@attrs.frozen
class Conditions:
    """What a request must be."""

    method: str
    """The method."""

    server: tuple[str, str, int] | None
    """Scheme, host and port; None is every server."""

    path: Template
    """The path."""

    query: Values | None = attrs.field(repr=False)
    """The fields of the query; None is any."""

    headers: Headers
    """Header fields that must be there, beside any others."""

    json: str | None = attrs.field(repr=False)
    """The value of the body, as JSON; None is any body."""

    def differences(self, request: Request) -> dict[str, str]:
        """The parts in which a request is another, and how; empty for one that matches."""
        found = ((part, said(self, request)) for part, said in _PARTS.items())
        return {part: how for part, how in found if how}


def conditions(
    method: str, url: str, query: Query | None, value: object, headers: Fields
) -> Conditions | Exception:
    """The conditions that a test has written, or what is wrong with them."""
    path_alone = isinstance(url, str) and url.startswith("/")
    absolute = f"http://host{url}" if path_alone else url
    problem = method_problem(method) or url_problem(absolute)
    if problem:
        return problem
    path = template(raw_path_of(absolute))
    fields = _query(absolute, query)
    kept = checked_headers(headers)
    text = _json(value)
    for part in (path, fields, kept, text):
        if isinstance(part, Exception):
            return part
    server = None if path_alone else _server_of(url)
    return Conditions(method, server, path, fields, kept, text)  # type: ignore[arg-type]


def _query(url: str, given: Query | None) -> Values | Exception | None:
    written = urlsplit(url).query
    if given is None:
        return None if written == "*" else fields_of(written)
    if "?" in url:
        return ValueError("The query stands in the URL or in query=, not in both.")
    try:
        return {name: _values(values) for name, values in given.items()}
    except (AttributeError, TypeError):
        return TypeError("query= maps a name to a str, or to a sequence of them.")


def _values(given: str | Sequence[str]) -> tuple[str, ...]:
    values = (given,) if isinstance(given, str) else tuple(given)
    if not all(isinstance(value, str) for value in values):
        raise TypeError
    return values


def _json(value: object) -> str | Exception | None:
    if value is NOTHING:
        return None
    try:
        return json.dumps(value, allow_nan=False, sort_keys=True)
    except (RecursionError, TypeError, ValueError):
        return TypeError("json= is made of JSON values: nothing else can be in a body.")


def _server_of(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]


def _method(known: Conditions, request: Request) -> str:
    if request.method == known.method:
        return ""
    return f"{request.method}, the route has {known.method}"


def _server(known: Conditions, request: Request) -> str:
    found = _server_of(request.url)
    if known.server in {None, found}:
        return ""
    assert known.server is not None
    return f"{_origin(found)}, the route has {_origin(known.server)}"


def _origin(server: tuple[str, str, int]) -> str:
    scheme, host, port = server
    return f"{scheme}://{host}" + (f":{port}" if port != DEFAULT_PORTS[scheme] else "")


def _path(known: Conditions, request: Request) -> str:
    return known.path.difference(raw_path_of(request.url))


def _query_fields(known: Conditions, request: Request) -> str:
    return "" if known.query is None else _listed(_by_name(known.query, query_of(request)))


def _header_fields(known: Conditions, request: Request) -> str:
    asked, wanted = request.headers, known.headers
    # Of a name that comes more than once, the values that nobody asked for don't count.
    found = {
        name: tuple(value for value in asked.get_all(name) if value in wanted.get_all(name))
        for name in wanted
        if name in asked
    }
    return _listed(_by_name({name: wanted.get_all(name) for name in wanted}, found))


def _body(known: Conditions, request: Request) -> str:
    if known.json is None:
        return ""
    found = json_of(request)
    if isinstance(found, NotDecoded):
        return found.why
    return _listed(json_differences(json.loads(known.json), found))


_PARTS: Final[dict[str, Callable[[Conditions, Request], str]]] = {
    "method": _method,
    "server": _server,
    "path": _path,
    "query": _query_fields,
    "headers": _header_fields,
    "json": _body,
}


def _by_name(known: Values, found: Values) -> Iterator[str]:
    for name in {**known, **found}:
        if name not in found:
            yield f"{name!r} is missing"
        elif name not in known:
            yield f"{name!r} is not in the route"
        elif known[name] != found[name]:
            yield f"{name!r} has another value"


def _listed(said: Iterable[str]) -> str:
    found = list(said)
    more = [f"{len(found) - _MOST} more"] if len(found) > _MOST else []
    return "; ".join([*islice(found, _MOST), *more])

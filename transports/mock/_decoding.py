"""A request in the terms in which a test speaks of it: path, query, form and JSON.

A body may hold a token, so nothing here raises while it has one in its frame: what a body is not,
is returned.
"""

import json
from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from transports._base import Request

Values: TypeAlias = Mapping[str, tuple[str, ...]]
"""Names with their values, each in the order in which they came."""


@attrs.frozen
class NotDecoded:
    """Why a body is not what it was taken for."""

    why: str


def raw_path_of(url: str) -> str:
    """The path of an absolute URL as it stands."""
    return urlsplit(url).path or "/"


def path_of(request: Request) -> str:
    """The path, without its percent-encoding."""
    return unquote(raw_path_of(request.url))


def query_of(request: Request) -> Values:
    """The fields of the query."""
    return fields_of(urlsplit(request.url).query)


def json_of(request: Request) -> object:
    """The JSON value of the body, or a `NotDecoded`."""
    if request.body is None:
        return NotDecoded("it has no body")
    try:
        return json.loads(request.body)
    except ValueError:
        return NotDecoded("its body is no JSON")
    except RecursionError:
        return NotDecoded("its body is nested too deeply")


def form_of(request: Request) -> Values | NotDecoded:
    """The fields of a form in the body."""
    kind = request.headers.get("content-type", "")
    if request.body is None:
        return NotDecoded("it has no body")
    if kind.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return NotDecoded(f"its content-type is {kind!r}")
    return fields_of(request.body.decode("utf-8", "replace"))


def fields_of(text: str) -> Values:
    """The fields of a query or a form, those without a value among them."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found[name] = (*found.get(name, ()), value)
    return found

"""Which handler answers a request: a table of routes, looked up by the path as it was sent.

The path is split before it is decoded, so an encoded slash never makes two segments of one, and
every segment has one reading: what is no text, or would be resolved away as `.` and `..` are, is
refused and never repaired.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias
from urllib.parse import unquote

import attrs

from connectors.local._answers import Refusal
from connectors.local._authority import Principal, Role
from connectors.local._escapes import has_broken_escape
from connectors.local._services import Services
from transports import Headers, Request, Response

_ANY: Final = "*"
_BEFORE_APP: Final = ("api", "apps")


@attrs.frozen
class Place:
    """Where a request goes: the segments of its path, and its query."""

    path: tuple[str, ...]
    """The segments, decoded; a path that is not below an app has no route."""

    query: str = attrs.field(repr=False)
    """The query as it was sent."""


@attrs.frozen
class RoutedRequest:
    """A request as its handler sees it: who asks for what."""

    services: Services
    """What answers it."""

    principal: Principal
    """Who asks."""

    app_id: str
    """The app that is asked about."""

    name: str
    """The identifier in the path: an integration type or the id of a connector; may be empty."""

    query: str = attrs.field(repr=False)
    """The query as it was sent."""

    headers: Headers
    """The header fields."""

    body: bytes | None = attrs.field(repr=False)
    """The body as it was sent."""


Handler: TypeAlias = Callable[[RoutedRequest], Awaitable[Response]]
"""Answers a request, or raises a `Refusal`."""


@attrs.frozen
class Access:
    """Who may use a route."""

    roles: frozenset[Role]
    """One of these is needed."""

    detail: str
    """What somebody else is told."""

    def check(self, principal: Principal) -> None:
        """Let somebody pass.

        Raises:
            Refusal: They may not.
        """
        if self.roles.isdisjoint(principal.roles):
            raise Refusal(403, self.detail)


def _pattern(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


@attrs.frozen
class Route:
    """A method and a path, and what answers them."""

    method: str
    """The method."""

    pattern: tuple[str, ...] = attrs.field(converter=_pattern)
    """The path below the app; `*` stands for an identifier."""

    access: Access
    """Who may use it."""

    handler: Handler
    """What answers."""

    def names(self, path: tuple[str, ...]) -> str | None:
        """The identifier in a path that fits, '' where there is none; None if it does not fit."""
        if len(path) != len(self.pattern):
            return None
        name = ""
        for wanted, found in zip(self.pattern, path, strict=True):
            if wanted == _ANY and found:
                name = found
            elif wanted != found:
                return None
        return name


def is_at(request: Request, path: str) -> bool:
    """Does a request go to exactly this path, as it stands?"""
    return f"/{_path_and_query(request)[0]}" == path


def place_of(request: Request) -> Place:
    """Where a request goes.

    Raises:
        Refusal: A segment of its path has no one reading.
    """
    path, query = _path_and_query(request)
    segments = _segments(path)
    if segments is None:
        raise Refusal(
            400,
            "The path has a segment that can't be read: a broken percent-escape, bytes that are no "
            "UTF-8, a character that can't be printed, '.' or '..'",
        )
    return Place(segments, query)


def _path_and_query(request: Request) -> tuple[str, str]:
    # The first slash that is neither of those before the authority, which is not ours to judge.
    url, _, query = request.url.partition("?")
    return "".join(url.split("/", 3)[3:]), query


def _segments(path: str) -> tuple[str, ...] | None:
    if has_broken_escape(path):
        return None
    try:
        segments = tuple(unquote(segment, errors="strict") for segment in path.split("/"))
    except UnicodeDecodeError:
        return None
    readable = all(segment.isprintable() and segment not in {".", ".."} for segment in segments)
    return segments if readable else None


@attrs.frozen
class Match:
    """A route that was found, and the identifiers in the path."""

    route: Route
    app_id: str
    name: str


def find_route(routes: Iterable[Route], method: str, path: tuple[str, ...]) -> Match:
    """The route of a method and a path.

    Raises:
        Refusal: There is no such path, or it has another method.
    """
    below = path[len(_BEFORE_APP) + 1 :] if path[: len(_BEFORE_APP)] == _BEFORE_APP else ()
    app_id = path[len(_BEFORE_APP)] if below else ""
    found = {route.method: Match(route, app_id, name) for route, name in _fitting(routes, below)}
    if not app_id or not found:
        raise Refusal(404, "Not Found")
    if method not in found:
        raise Refusal(405, "Method Not Allowed", headers={"allow": ", ".join(sorted(found))})
    return found[method]


def _fitting(routes: Iterable[Route], path: tuple[str, ...]) -> Iterable[tuple[Route, str]]:
    named = ((route, route.names(path)) for route in routes)
    return ((route, name) for route, name in named if name is not None)

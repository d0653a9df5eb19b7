"""What a test can look at afterwards: the calls that came, and the routes that it gave.

A test prints these when it fails, so a repr holds no value of a query, a body or a header field
that could be a credential.
"""

from collections.abc import Mapping
from typing import TypeVar, final

import attrs

from transports._base import Request, Response
from transports._checks import without_query
from transports.mock._decoding import NotDecoded, form_of, json_of, path_of, query_of

_T = TypeVar("_T")


@final
@attrs.define(eq=False)
class Route:
    """A route of a mock, as `MockTransport.route` returns it."""

    method: str
    """The method."""

    url: str = attrs.field(repr=lambda url: repr(shown_url(url)))
    """The URL or the path, as it was written."""

    times: int | None = None
    """How often it is to be called; None is once at least."""

    optional: bool = False
    """May it be called less often?"""

    calls: "list[Call]" = attrs.field(
        factory=list, init=False, repr=lambda calls: f"<{len(calls)}>"
    )
    """The calls that it got, in the order in which they came."""

    def __str__(self) -> str:
        return f"{self.method} {shown_url(self.url)}"


@final
@attrs.define
class Call:
    """One request that reached a mock, and how it ended; neither answer nor error: cancelled."""

    request: Request
    """What was sent, headers included."""

    response: Response | None = None
    """What was answered."""

    error: Exception | None = attrs.field(default=None, repr=lambda error: type(error).__name__)
    """What was raised instead."""

    route: Route | None = attrs.field(default=None, repr=str)
    """Which route got it; None is the handler, or nothing."""

    params: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """What the `{name}`s of the route's path stood for, without percent-encoding."""

    @property
    def path(self) -> str:
        """The path, without percent-encoding."""
        return path_of(self.request)

    @property
    def query(self) -> Mapping[str, tuple[str, ...]]:
        """The fields of the query: every value of a name, in order."""
        return query_of(self.request)

    @property
    def json(self) -> object:
        """The value of the body.

        Raises:
            AssertionError: It is no JSON.
        """
        return self._decoded(json_of(self.request), "JSON")

    @property
    def form(self) -> Mapping[str, tuple[str, ...]]:
        """The fields of the form in the body: every value of a name, in order.

        Raises:
            AssertionError: It is no form, by its content-type.
        """
        return self._decoded(form_of(self.request), "form")

    def _decoded(self, found: _T | NotDecoded, what: str) -> _T:
        if not isinstance(found, NotDecoded):
            return found
        asked = f"{self.request.method} {without_query(self.request.url)}"
        raise AssertionError(f"{asked} has no {what} to look at: {found.why}.")


def shown_url(url: str) -> str:
    """The URL of a route as it may be printed; that it takes any query is no secret."""
    return url if url.endswith("?*") else without_query(url)

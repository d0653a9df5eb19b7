"""Calls to a service, each as both sides make it: a `Request` here, keywords of aiohttp there.

The service answers from the same table, so what is played can be compared with what was said.
"""

import gzip
import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import attrs

from transports import Request, Response

FORM: Final = "application/x-www-form-urlencoded"
BINARY: Final = bytes(range(256))


@attrs.frozen
class Call:
    """A request, and what the service answers."""

    name: str
    answer: Response
    path: str = "/plain"
    method: str = "GET"
    json: object = None
    form: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict)

    def request(self, origin: str) -> Request:
        """As our transports send it."""
        query = f"?{urlencode(self.query)}" if self.query else ""
        url = f"{origin}{self.path}{query}"
        if self.json is not None:
            kind, body = "application/json", json.dumps(self.json)
        elif self.form:
            kind, body = FORM, urlencode(self.form)
        else:
            return Request(self.method, url, self.headers)
        return Request(self.method, url, {**self.headers, "Content-Type": kind}, body.encode())

    def for_aiohttp(self, origin: str) -> dict[str, object]:
        """As the arguments of `ClientSession.request`."""
        given = {
            "method": self.method,
            "url": f"{origin}{self.path}",
            "headers": dict(self.headers),
            "json": self.json,
            # Of a name that comes twice, a dict would have one value.
            "data": self._as_dict_or_pairs(),
            "params": list(self.query),
        }
        return {name: value for name, value in given.items() if value}

    def _as_dict_or_pairs(self) -> object:
        names = [name for name, _ in self.form]
        return dict(self.form) if len(names) == len(set(names)) else list(self.form)

    @property
    def body(self) -> bytes:
        """The body of the answer, decoded."""
        raw = self.answer.body
        return gzip.decompress(raw) if "content-encoding" in self.answer.headers else raw

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The header fields that a cassette keeps as they are."""
        kept = (pair for pair in self.answer.headers.fields if pair[0] != "content-encoding")
        return sorted(kept, key=lambda pair: pair[0])


def text(body: str, kind: str = "text/plain; charset=utf-8") -> Response:
    return Response(200, {"content-type": kind}, body.encode())


def as_json(body: str, status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, body.encode())


CALLS: Final = (
    Call("get", text("hello")),
    Call("json", as_json('{"ok":true}'), "/json", "POST", json={"a": ["ä", None, 1.5], "b": {}}),
    Call("string", as_json('{"ok":0}'), "/string", "POST", json={"string": "a", "encoding": "b"}),
    Call("form", as_json('{"ok":1}'), "/form", "POST", form=(("a", "1 2"), ("grant", "ü&="))),
    Call("form, twice", as_json('{"ok":2}'), "/twice", "POST", form=(("a", "1"), ("a", "2"))),
    Call("query", text("found"), "/query", query=(("q", "ä b&c"), ("page", "2"), ("empty", ""))),
    Call(
        "repeated fields",
        Response(
            200,
            (
                ("content-type", "text/plain"),
                ("link", '<https://service.example/2>; rel="next"'),
                ("etag", '"1"'),
                ("link", '<https://service.example/9>; rel="last"'),
            ),
            b"pages",
        ),
        "/repeated",
    ),
    Call("error", as_json('{"error":"no such thing"}', 404), "/missing"),
    Call("fault of the service", Response(503, {"retry-after": "7"}, b"later"), "/busy"),
    Call("empty", Response(200, {"content-type": "text/plain"}), "/empty"),
    Call("no content", Response(204, {"etag": '"2"'}), "/nothing", "DELETE"),
    Call("redirect", Response(302, {"location": "/elsewhere"}), "/redirect"),
    Call("head", Response(200, {"etag": '"3"'}), "/head", "HEAD"),
    Call(
        "gzip",
        Response(
            200,
            {"content-type": "text/plain", "content-encoding": "gzip"},
            gzip.compress(b"zipped " * 100),
        ),
        "/gzip",
    ),
    Call("not ASCII", text('Grüße, 世界 \N{GRINNING FACE} \u2028 \\ " \x7f'), "/text"),
    Call("line ends", text("a\r\nb\rc\n\td\n\n"), "/lines"),
    Call("credential", as_json('{"me":"ada"}'), "/me", headers={"Authorization": "Bearer t0k-1"}),
)
"""What both programs can hold, in whatever format."""

BYTES: Final = Call("binary", Response(200, {"content-type": "image/png"}, BINARY), "/binary")
"""What JSON can't hold, and every program has its own way for."""


async def service(request: Request) -> Response:
    """Answer from the table."""
    path = request.url.partition("?")[0].rpartition("/")[2]
    return next(call.answer for call in (*CALLS, BYTES) if call.path == f"/{path}")

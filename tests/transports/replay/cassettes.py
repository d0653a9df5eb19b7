"""Records and plays for the tests of cassettes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transports import Request, Response
from transports.mock import Handler, MockTransport
from transports.replay import ReplayTransport

URL = "https://service.example"


def get(path: str = "/a", **more: Any) -> Request:
    return Request("GET", URL + path, **more)


def post(path: str, body: str, kind: str = "application/json") -> Request:
    return Request("POST", URL + path, {"content-type": kind}, body.encode())


def numbered() -> Handler:
    """Answers 0, 1, 2, ..."""
    given = 0

    def answer(_: Request) -> Response:
        nonlocal given
        given += 1
        return Response(200, {"content-type": "text/plain"}, str(given - 1).encode())

    return answer


async def record(
    path: Path, requests: Sequence[Request], handler: Handler | None = None, **settings: Any
) -> None:
    settings.setdefault("mode", "all")
    inner = MockTransport(handler or numbered())
    async with ReplayTransport(path, inner=inner, **settings) as transport:
        for request in requests:
            await transport.send(request)


async def play(transport: ReplayTransport, *requests: Request) -> list[str]:
    return [(await transport.send(request)).body.decode() for request in requests]


def interactions(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["interactions"]
    return found

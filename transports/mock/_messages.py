"""What a failed test is told: what was asked, what comes nearest to it, and the line to add.

Whoever reads it has the test before them and not the request. So it is said field by field where
the two differ; names and places are shown, values never.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from transports._base import Request
from transports._checks import without_query
from transports.mock._decoding import raw_path_of
from transports.mock._stubs import Stub

_WEIGHTS: Final = {"path": 3, "method": 2, "server": 2, "query": 1, "headers": 1, "json": 1}
"""How far each difference takes a route away."""

_UNLIKE: Final = 6
"""How far a path takes it away that is nothing like the one that was asked for."""


def unmatched(request: Request, stubs: Sequence[Stub]) -> str:
    """Why nothing answers a request."""
    asked = f"{request.method} {without_query(request.url)}"
    return "\n".join(
        [
            f"No route of the mock transport answers {asked}.",
            *_reasons(request, stubs),
            "To answer it, add:",
            f"  {_line(request)}",
        ]
    )


def unkept(messages: Sequence[str], stubs: Sequence[Stub]) -> str:
    """What was asked and not answered, and what was to be asked and was not; empty if nothing."""
    short = [stub for stub in stubs if len(stub.route.calls) < stub.least]
    return "\n".join(
        [
            *(_times(message, times) for message, times in Counter(messages).items()),
            *(["These routes were not called as often as they should:"] if short else []),
            *(f"  {stub.name}: {_calls(stub)}" for stub in short),
        ]
    )


def _reasons(request: Request, stubs: Sequence[Stub]) -> list[str]:
    if not stubs:
        return ["It has no routes."]
    used_up = [stub for stub in stubs if stub.matches(request)]
    if used_up:
        return [f"{stub.name} matches, but {_end(stub)}." for stub in used_up]
    nearest = min(reversed(stubs), key=lambda stub: _distance(request, stub))
    differences = nearest.conditions.differences(request)
    return [
        f"The nearest of {_counted(len(stubs), 'route')} is {nearest.name}. The request differs:",
        *(f"  {part}: {how}" for part, how in differences.items()),
    ]


def _distance(request: Request, stub: Stub) -> float:
    differences = stub.conditions.differences(request)
    unlike = (
        1 - stub.conditions.path.likeness(raw_path_of(request.url)) if "path" in differences else 0
    )
    return sum(_WEIGHTS[part] for part in differences) + _UNLIKE * unlike


def _line(request: Request) -> str:
    parts = urlsplit(request.url)
    url = json.dumps((parts.path or "/") + ("?*" if parts.query else ""))
    return f'transport.route("{request.method}", {url}, json_response({{...}}))'


def _end(stub: Stub) -> str:
    if stub.in_turn:
        return f"has given its {_counted(len(stub.answers), 'answer')}: give it more of them"
    return f"has been called {_counted(len(stub.route.calls), 'time')}, as times= says: raise that"


def _calls(stub: Stub) -> str:
    wanted = _counted(stub.least, "call")
    return f"{len(stub.route.calls)} of {wanted if stub.route.times else f'at least {wanted}'}"


def _times(message: str, times: int) -> str:
    return message if times == 1 else f"{_counted(times, 'time')}: {message}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

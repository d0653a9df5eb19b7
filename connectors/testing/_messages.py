"""What a test is told of a request that it did not provide for, and the line to add."""

from collections.abc import Collection
from difflib import get_close_matches

from transports import Request


def not_given(name: str, known: Collection[str]) -> str:
    """The connector is not among those of the test."""
    near = get_close_matches(name, known, n=3)
    return "\n".join(
        [
            f"The program asks for {name!r}, which is not among the connectors of the test.",
            f"There are {_names(known)}." if known else "It has none.",
            *([f"Is it {' or '.join(map(repr, near))} that is meant?"] if near else []),
            _to_add(f'mock_client({{..., {_quoted(name)}: "a-token"}})'),
            f'or, with the fixture: mock_connectors[{_quoted(name)}] = "a-token"',
        ]
    )


def no_answer_left(name: str) -> str:
    """Each of its answers was given."""
    return (
        f"The program asks for {name!r} once more, which has given all its answers. Add one to its "
        "list, or give one that is no list: it is given every time."
    )


def no_api(name: str, known: Collection[str]) -> str:
    """The test did not say what the provider's API answers."""
    return "\n".join(
        [
            f"The program calls the API of {name!r}, and the test does not say what it answers.",
            f"There are answers of {_names(known)}." if known else "There are no such answers.",
            _to_add(f"mock_client({{...}}, api={{{_quoted(name)}: {{...}}}})"),
            f"or, with the fixture: mock_connectors.api[{_quoted(name)}] = {{...}}",
        ]
    )


def no_such_route(request: Request) -> str:
    """The service has such a route, maybe; the mock does not play it."""
    path = request.url.partition("?")[0].removeprefix("https://base44.test")
    return "\n".join(
        [
            f"The program sends {request.method} {path}, which the mock does not play.",
            _to_add(
                f'mock.transport.route("{request.method}", {_quoted(path)}, json_response({{...}}))'
            ),
        ]
    )


def _to_add(line: str) -> str:
    return f"To answer it, add:\n  {line}"


def _names(names: Collection[str]) -> str:
    return ", ".join(map(repr, sorted(names)))


def _quoted(text: str) -> str:
    return f'"{text}"'

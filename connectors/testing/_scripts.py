"""What a test gives for a connector, checked and wrapped, and what of it comes next.

A test's tokens are often real ones that somebody has pasted. So a token is wrapped as the first
thing that happens to it, and what is wrong is returned and not raised: no frame that an error
comes through has the token in it.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, final

from connectors._identity import checked_token
from connectors._models import Connection
from connectors._wire import encode_segment
from connectors.testing._words import Unusable
from transports import Response, Secret
from transports.mock import Answer, json_response

ConnectionMapping: TypeAlias = Mapping[str, object]
"""A connection as the wire has it: `access_token`, `connection_config`, `integration_type`."""

Given: TypeAlias = str | Secret | ConnectionMapping | Connection | Unusable | Answer
"""What a test may give for a connector: its token, the whole of it, a word such as `NOT_CONNECTED`,
or anything that a route of a `MockTransport` answers with."""

Step: TypeAlias = Connection | Unusable | Answer

_FIELDS: Final = ("access_token", "connection_config", "integration_type")


@final
class Script:
    """What one connector answers: always the same, or each of several once, in turn."""

    def __init__(self, steps: Sequence[Step], *, in_turn: bool) -> None:
        self._steps = steps
        self._in_turn = in_turn
        self._taken = 0

    @property
    def next(self) -> Step | None:
        """What comes next; None is that all of them are given."""
        index = self._taken if self._in_turn else 0
        return self._steps[index] if index < len(self._steps) else None

    def take(self) -> Step | None:
        """Give what comes next."""
        step = self.next
        self._taken += 1
        return step


def scripts_of(connections: object) -> dict[str, Script] | Exception:
    """What the connectors of a test answer, or what is wrong with what was given for one."""
    if not isinstance(connections, Mapping):
        return TypeError(
            f"connections must be a mapping such as {{'slack': 'xoxb-test'}}, "
            f"not {type(connections).__name__}."
        )
    scripts = {}
    for name, given in connections.items():
        script = name_problem(name) or _script_of(name, given)
        if isinstance(script, Exception):
            return script
        scripts[name] = script
    return scripts


def name_problem(name: object) -> Exception | None:
    """Can this be the name of a connector?"""
    try:
        encode_segment(name, "The name of a connector")
    except (TypeError, ValueError) as error:
        return error.with_traceback(None)
    return None


def connection_answer(name: str, connection: Connection) -> Response:
    """A connection as the service hands it out."""
    config = connection.connection_config
    return json_response(
        {
            "access_token": connection.access_token,
            "integration_type": connection.integration_type or name,
            "connection_config": None if config is None else dict(config),
        }
    )


def _script_of(name: str, given: object) -> Script | Exception:
    in_turn = isinstance(given, list | tuple)
    several = given if isinstance(given, list | tuple) else (given,)
    steps: list[Step] = []
    for one in several:
        step = _step(name, one)
        if isinstance(step, _Wrong):
            return step.error
        steps.append(step)
    return Script(steps, in_turn=in_turn) if steps else _empty(name)


@final
class _Wrong:
    """What is wrong; an exception alone could be an answer."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _step(name: str, given: object) -> Step | _Wrong:
    if isinstance(given, str | Secret):
        return _connection(name, {"access_token": given})
    if isinstance(given, Mapping):
        return _connection(name, given)
    if isinstance(given, Connection):
        return _connection(name, {field: getattr(given, field) for field in _FIELDS})
    if isinstance(given, Unusable | Response | Exception):
        return given
    if callable(given) and not isinstance(given, type):
        return given
    return _Wrong(
        TypeError(
            f"{name!r} can be a token, a mapping, a Connection, a word such as NOT_CONNECTED, "
            f"an answer of a MockTransport, or a list of those, not {_kind(given)}."
        )
    )


def _connection(name: str, given: Mapping[str, object]) -> Connection | _Wrong:
    config, kind = given.get("connection_config"), given.get("integration_type")
    problem = _token_problem(name, given.get("access_token")) or _problem(name, given, config, kind)
    if problem:
        return _Wrong(problem)
    return Connection(*(given.get(field) for field in _FIELDS))  # type: ignore[arg-type]


def _problem(
    name: str, given: Mapping[str, object], config: object, kind: object
) -> Exception | None:
    unknown = [str(field) for field in given if field not in _FIELDS]
    if unknown:
        return ValueError(
            f"{name!r} has {', '.join(map(repr, unknown))}; a connection has {', '.join(_FIELDS)}."
        )
    if not isinstance(kind, str | None):
        return TypeError(f"The integration_type of {name!r} must be a str, not {_kind(kind)}.")
    return _config_problem(name, config)


def _token_problem(name: str, token: object) -> Exception | None:
    what = f"The token of {name!r}"
    if token is None:
        return ValueError(f"{name!r} has no access_token.")
    if not isinstance(token, str | Secret):
        return TypeError(f"{what} must be a str, not {_kind(token)}.")
    try:
        checked_token(what, token if isinstance(token, Secret) else Secret(token))
    except ValueError as error:
        return error.with_traceback(None)
    return None


def _config_problem(name: str, config: object) -> Exception | None:
    what = f"The connection_config of {name!r}"
    if config is None:
        return None
    if not isinstance(config, Mapping):
        return TypeError(f"{what} must be a mapping of str to str, not {_kind(config)}.")
    for field, value in config.items():
        if not isinstance(field, str):
            return TypeError(f"{what} must have names that are str, not {_kind(field)}.")
        if not isinstance(value, str):
            return TypeError(f"{what} must have a str for {field!r}, not {_kind(value)}.")
    return None


def _empty(name: str) -> ValueError:
    return ValueError(f"{name!r} has an empty list: give it one answer at least.")


def _kind(value: object) -> str:
    return type(value).__name__

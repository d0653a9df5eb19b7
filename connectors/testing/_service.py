"""The service, played in memory: which connector is asked for, and what it answers.

What the test did not provide for is refused with an `UnmatchedRequestError`, and remembered: a
program may swallow even that.
"""

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Final, TypeAlias, final
from urllib.parse import quote

from connectors._models import ApiResponse, Connection
from connectors.testing._asked import Asked, What, asked_by
from connectors.testing._envelopes import data_envelope, envelope, json_problem, provider_envelope
from connectors.testing._messages import no_answer_left, no_api, no_such_route, not_given
from connectors.testing._scripts import Script, Step, connection_answer, name_problem
from connectors.testing._words import METERED, NOT_CONNECTED, Unusable
from transports import Request, Response, UnmatchedRequestError
from transports.mock import json_response

_Answering: TypeAlias = Callable[[Asked, Request], Response | Awaitable[Response]]


@final
class Service:
    """Answers for the connectors of a test.

    Args:
        scripts: What each connector answers.
        api: What the API of each answers.
    """

    def __init__(self, scripts: Mapping[str, Script], api: Mapping[str, object]) -> None:
        self.scripts = dict(scripts)
        self.requested: list[str] = []
        self._api = api
        self._unexpected: list[str] = []
        self._answering: Mapping[What, _Answering] = {
            "available": self._available,
            "call": self._call,
            "connect": self._connect,
            "connection": self._connection,
            "disconnect": self._disconnect,
            "list": self._list,
            "remove": self._disconnect,
        }

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer a request, or refuse it if the test did not provide for it."""
        asked = asked_by(request)
        if asked is None:
            raise self._refusal(no_such_route(request))
        return self._answering[asked.what](asked, request)

    def take_unexpected(self) -> list[str]:
        """What was refused since this was asked for the last time."""
        unexpected = list(dict.fromkeys(self._unexpected))
        self._unexpected.clear()
        return unexpected

    def _connection(self, asked: Asked, request: Request) -> Response | Awaitable[Response]:
        self.requested.append(asked.name)
        step = self._given(asked.name).take()
        if step is None:
            raise self._refusal(no_answer_left(asked.name))
        return _answer(asked.name, step, request)

    def _call(self, asked: Asked, request: Request) -> Response | Awaitable[Response]:
        self.requested.append(asked.name)
        script = self.scripts.get(asked.name)
        step = script and script.next
        if isinstance(step, Unusable) and step is not METERED:
            return _answer(asked.name, step, request)
        if asked.name not in self._api:
            raise self._refusal(no_api(asked.name, self._api))
        return _api_answer(asked.name, self._api[asked.name], request)

    def _connect(self, asked: Asked, _: Request) -> Response:
        self._given(asked.name)
        address = f"https://base44.test/consent?connector={quote(asked.name, safe='')}"
        return json_response({"redirect_url": address})

    def _disconnect(self, asked: Asked, _: Request) -> Response:
        self._given(asked.name)
        self.scripts[asked.name] = Script([NOT_CONNECTED], in_turn=False)
        return json_response({"status": "removed", "integration_type": asked.name})

    def _list(self, _: Asked, __: Request) -> Response:
        states = {name: _status(script.next) for name, script in self.scripts.items()}
        listed = [
            {"integration_type": name, "status": state, "scopes": []}
            for name, state in states.items()
            if state is not None
        ]
        return json_response({"integrations": listed})

    def _available(self, _: Asked, __: Request) -> Response:
        offered = [
            {"integration_type": name, "display_name": name.replace("_", " ").title()}
            for name in self.scripts
        ]
        return json_response({"integrations": offered})

    def _given(self, name: str) -> Script:
        script = self.scripts.get(name)
        if script is None:
            raise self._refusal(not_given(name, self.scripts))
        return script

    def _refusal(self, message: str) -> UnmatchedRequestError:
        self._unexpected.append(message)
        return UnmatchedRequestError(message)


def checked_api(api: Mapping[str, object] | None) -> dict[str, object]:
    """What the API of each connector answers.

    Raises:
        TypeError, ValueError: A name is none, or an answer is no JSON.
    """
    for name, given in (api or {}).items():
        is_function = callable(given) and not isinstance(given, type)
        is_data = not (is_function or isinstance(given, _NO_DATA))
        problem = name_problem(name) or (json_problem(name, given) if is_data else None)
        if problem:
            raise problem
    return dict(api or {})


_NO_DATA: Final = (ApiResponse, Exception, Response, Unusable)


def _answer(name: str, step: Step, request: Request) -> Response | Awaitable[Response]:
    given = step.answer(name) if isinstance(step, Unusable) else step
    if isinstance(given, Connection):
        return connection_answer(name, given)
    if isinstance(given, Exception):
        raise given.with_traceback(None)
    return given if isinstance(given, Response) else given(request)


def _api_answer(name: str, given: object, request: Request) -> Response | Awaitable[Response]:
    if isinstance(given, Unusable | Exception):
        return _answer(name, given, request)
    if isinstance(given, ApiResponse):
        return envelope(given)
    if callable(given):
        return _provider_answer(given(request))
    return provider_envelope(given) if isinstance(given, Response) else data_envelope(given)


async def _provider_answer(given: object) -> Response:
    response = await given if isawaitable(given) else given
    if not isinstance(response, Response):
        raise TypeError(f"A function in api gives a Response, not {type(response).__name__}.")
    return provider_envelope(response)


def _status(step: Step | None) -> str | None:
    return step.status if isinstance(step, Unusable) else "active"

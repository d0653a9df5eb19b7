"""Reads the catalogue, once, when it is first asked for.

`integrations.json` mirrors the classes of `_model` key by key; a key that is left out has the
class's default, and a key that no class knows is an error. So a reader here only says which keys
hold something that JSON has no type for.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, TypeVar

from connectors.catalog._model import (
    Api,
    Authorization,
    Call,
    Capture,
    ConfigField,
    Integration,
    Probe,
    Refresh,
    Scopes,
    Success,
    TokenAnswer,
    TokenCall,
)

_T = TypeVar("_T")


@cache
def integrations() -> Mapping[str, Integration]:
    """The integration types of the catalogue by their names, sorted.

    Reads a file of the package at the first call and keeps the result. A type that is not in it
    may still exist at the service.
    """
    # Imported here, as it would add a third to the time of `import connectors.catalog`.
    from importlib.resources import files  # noqa: PLC0415

    text = files("connectors.catalog").joinpath("integrations.json").read_text("utf-8")
    return MappingProxyType({name: _integration(data) for name, data in json.loads(text).items()})


def _reader(cls: Callable[..., _T], **readers: Callable[[Any], object]) -> Callable[[Any], _T]:
    def read(data: dict[str, Any]) -> _T:
        return cls(**data | {key: readers[key](data[key]) for key in readers.keys() & data.keys()})

    return read


def _each(read: Callable[[Any], _T]) -> Callable[[Iterable[Any]], tuple[_T, ...]]:
    return lambda items: tuple(map(read, items))


_call: Final = _reader(
    Call, headers=MappingProxyType, parameters=MappingProxyType, success=_reader(Success)
)
_token_call: Final = _reader(TokenCall, call=_call, answer=_reader(TokenAnswer))
_integration: Final = _reader(
    Integration,
    connection_config=_each(_reader(ConfigField)),
    captures=_each(_reader(Capture)),
    scopes=_reader(Scopes, required=tuple, examples=tuple),
    authorization=_reader(Authorization, parameters=MappingProxyType),
    token=_each(_token_call),
    refresh=_reader(
        Refresh,
        call=_token_call,
        terminal_errors=tuple,
        client_errors=tuple,
        passing_errors=tuple,
        lock_on=tuple,
    ),
    revocation=_call,
    api=_reader(
        Api,
        hosts=tuple,
        probe=_reader(Probe, call=_call),
        headers=MappingProxyType,
        optional_headers=tuple,
    ),
)

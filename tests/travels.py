"""The ways in which a value is copied: by the copy module and by every protocol of pickle."""

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import TypeAlias, TypeVar

import pytest

T = TypeVar("T")

Travel: TypeAlias = Callable[[T], T]


def _pickled(protocol: int, value: T) -> T:
    again: T = pickle.loads(pickle.dumps(value, protocol))
    return again


TRAVELS = [
    pytest.param(copy.copy, id="copy"),
    pytest.param(copy.deepcopy, id="deepcopy"),
    *(
        pytest.param(partial(_pickled, protocol), id=f"pickle-{protocol}")
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
]
travels = pytest.mark.parametrize("travel", TRAVELS)

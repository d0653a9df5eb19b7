"""How the exceptions of aiohttp become errors with a name."""

import asyncio
from collections.abc import Callable

import aiohttp
import pytest

from transports._aiohttp._translation import _ERRORS, _cause
from transports.aiohttp import _without_frames


def raised(error: BaseException, context: BaseException | None = None) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error
    caught.value.__context__ = context
    return caught.value


def test_no_row_of_the_table_is_hidden_by_an_earlier_one() -> None:
    kinds = [row[0] for row in _ERRORS]
    for place, kind in enumerate(kinds):
        assert not any(issubclass(kind, earlier) for earlier in kinds[:place]), kind
    assert kinds[-1] is Exception


def system_error() -> OSError:
    return OSError(104, "Connection reset by peer")


def chained() -> aiohttp.ClientOSError:
    error = aiohttp.ClientOSError(None, "Can not write to http://a/?secret")
    error.__cause__ = raised(system_error(), raised(ValueError("secret")))
    return error


@pytest.mark.parametrize("make", [system_error, chained])
def test_what_the_system_said_is_kept_alone(make: Callable[[], OSError]) -> None:
    cause = _cause(raised(make(), raised(ValueError("secret"))))
    assert isinstance(cause, OSError)
    assert (cause.errno, cause.strerror) == (104, "Connection reset by peer")
    assert (cause.__traceback__, cause.__cause__, cause.__context__) == (None, None, None)


def test_of_an_unknown_error_nothing_is_kept() -> None:
    assert _cause(raised(ValueError("secret"))) is None


def test_a_cancellation_keeps_the_cancellations_that_it_was_made_of_and_no_frames() -> None:
    inner = raised(asyncio.CancelledError("Cancelled via cancel scope 1"), raised(OSError("x")))
    outer = _without_frames(raised(asyncio.CancelledError(), inner))
    assert outer.__context__ is inner
    assert inner.__context__ is None
    assert (outer.__traceback__, inner.__traceback__) == (None, None)

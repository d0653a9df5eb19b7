"""Copies of exceptions: equal in all that can be read, made without running anybody's code."""

import json
import subprocess
import traceback
from dataclasses import dataclass
from typing import Self

import attrs
import pydantic_core
import pytest

from connectors._coalescer import Coalescer
from connectors._copying import copy_exception
from tests.coalescer.support import crowd


class StubbornError(Exception):
    """Can be made once, and only with what its author knows."""

    made = 0

    def __new__(cls, secret: int, /) -> Self:
        cls.made += 1
        return super().__new__(cls, "made", secret)

    def __init__(self, secret: int, /) -> None:
        if secret != 42:
            raise RuntimeError("This code is not to be run.")
        self.secret = secret


class SlottedError(Exception):
    __slots__ = ("empty", "filled", "none")

    empty: int

    def __init__(self) -> None:
        super().__init__("slots")
        self.filled = 1
        self.none = None


@attrs.frozen
class FrozenAttrsError(Exception):
    code: int


@dataclass(frozen=True)
class FrozenDataclassError(Exception):
    code: int


class TwoBasesError(ValueError, OSError):
    """Its layout is the second base's."""


class CodedGroup(ExceptionGroup[Exception]):
    def __new__(cls, message: str, errors: list[Exception], code: int) -> Self:
        self = super().__new__(cls, message, errors)
        self.code = code
        return self

    code: int


ERRORS: list[BaseException] = [
    Exception(),
    KeyError("key"),
    OSError("only a message"),
    OSError(2, "no file"),
    OSError(2, "a file", "name"),
    OSError(18, "two files", "from", None, "to"),
    BlockingIOError(11, "would block", 5),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    UnicodeEncodeError("ascii", "\xff", 0, 1, "not in range"),
    UnicodeTranslateError("\xff", 0, 1, "no"),
    StopIteration("value"),
    SystemExit(3),
    KeyboardInterrupt(),
    ImportError("no module", name="name", path="path"),
    NameError("no name", name="name"),
    AttributeError("no attribute", name="name", obj=object()),
    SyntaxError("bad", ("file", 1, 2, "text", 1, 5)),
    json.JSONDecodeError("bad", "document", 3),
    subprocess.CalledProcessError(1, ["command"], "output"),
    ExceptionGroup("group", [ValueError(1), TypeError(2)]),
    BaseExceptionGroup("group", [KeyboardInterrupt()]),
    StubbornError(42),
    SlottedError(),
    FrozenAttrsError(7),
    FrozenDataclassError(7),
    TwoBasesError(2, "two bases"),
]


def readable(error: BaseException) -> dict[str, str]:
    """What can be read from an error, as text where it has no equality of its own."""
    names = [name for name in dir(error) if not name.startswith("__")]
    found = {name: getattr(error, name, "unset") for name in names}
    values = {name: value for name, value in found.items() if not callable(value)}
    return {name: repr(value) for name, value in values.items()} | {"str": str(error)}


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_copy_reads_as_its_original(error: BaseException) -> None:
    copy = copy_exception(error)
    assert copy is not error
    assert type(copy) is type(error)
    assert readable(copy) == readable(error)


def test_neither_new_nor_init_is_run_again() -> None:
    error, before = StubbornError(42), StubbornError.made
    copy = copy_exception(error)
    assert (copy.secret, copy.args, StubbornError.made) == (42, error.args, before)


def test_an_empty_slot_stays_empty_and_none_is_not_empty() -> None:
    copy = copy_exception(SlottedError())
    assert not hasattr(copy, "empty")
    assert copy.none is None


def test_an_error_without_a_file_does_not_get_one() -> None:
    assert str(copy_exception(OSError(2, "no file"))) == "[Errno 2] no file"


def test_cause_context_and_traceback_are_kept() -> None:
    with pytest.raises(LookupError) as caught:
        _fail_with_cause_and_context()
    error = caught.value
    copy = copy_exception(error)
    assert isinstance(copy.__cause__, KeyError)
    assert isinstance(copy.__context__, ValueError)
    assert copy.__cause__ is error.__cause__
    assert copy.__context__ is error.__context__
    assert copy.__traceback__ is error.__traceback__
    assert copy.__suppress_context__


def _fail_with_cause_and_context() -> None:
    try:
        int("context")
    except ValueError:
        raise LookupError from KeyError("cause")


def test_a_context_that_is_shown_is_still_shown() -> None:
    error = LookupError()
    error.__context__ = KeyError()
    assert not copy_exception(error).__suppress_context__
    error.__suppress_context__ = True
    assert copy_exception(error).__suppress_context__


def test_the_notes_of_a_copy_are_its_own() -> None:
    error = LookupError()
    error.add_note("shared")
    copy = copy_exception(error)
    copy.add_note("own")
    assert (error.__notes__, copy.__notes__) == (["shared"], ["shared", "own"])


def test_notes_that_are_no_list_are_kept_as_they_are() -> None:
    error = LookupError()
    error.__notes__ = ("odd",)  # type: ignore[assignment]
    assert copy_exception(error).__notes__ == ("odd",)  # type: ignore[comparison-overlap]


def test_the_members_of_a_group_are_copied_too() -> None:
    member = LookupError("member")
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [member])])
    [inner] = copy_exception(group).exceptions
    assert isinstance(inner, ExceptionGroup)
    [copy] = inner.exceptions
    assert copy is not member
    assert repr(copy) == repr(member)


def test_a_group_of_ones_own_keeps_its_further_arguments() -> None:
    copy = copy_exception(CodedGroup("group", [ValueError(1)], 7))
    assert (copy.code, copy.message) == (7, "group")
    assert repr(copy.args) == "('group', [ValueError(1)], 7)"


class OpaqueGroup(ExceptionGroup[Exception]):
    """Hides its members, so that nobody can make another one of it."""

    @property
    def exceptions(self) -> tuple[Exception, ...]:
        return ()


def invalid() -> BaseException:
    schema = {"type": "int"}
    validator = pydantic_core.SchemaValidator(schema)
    try:
        validator.validate_python("no number")
    except pydantic_core.ValidationError as error:
        return error.with_traceback(None)
    raise AssertionError


@pytest.mark.parametrize(
    "error",
    [
        invalid(),  # Refuses to be made.
        pydantic_core.PydanticCustomError("kind", "message"),  # Wants arguments.
        pydantic_core.PydanticOmit(),  # Could be made, but would a copy know what this one does?
        OpaqueGroup("group", [ValueError()]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_whose_state_is_out_of_reach_is_shared(error: BaseException) -> None:
    assert copy_exception(error) is error


async def test_promise_07_a_shared_error_does_not_grow_with_each_caller() -> None:
    error = invalid()

    async def fetch() -> None:
        raise error

    async with crowd(Coalescer[str, None]()) as callers:
        calls = await callers.call(fetch, count=5)
    assert all(call.error is error for call in calls)
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert frames == ["run", "run", "outcome", "raise_copy", "fetch"]

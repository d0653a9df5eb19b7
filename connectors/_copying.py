"""Copies of exceptions, made without running any code of their classes.

Several callers that raise one exception object would grow its traceback together and overwrite
each other's context, so each of them raises a copy. Calling the class again, as `copy.copy` does,
runs an `__init__` that may want other arguments, or count, log and connect. Instead:

- a blank instance comes from the built-in class underneath, by that class's own `__new__`;
- what the built-in classes keep in C (`OSError.errno`, `StopIteration.value`) and what others keep
  in slots is read and written through the descriptors, past any `__setattr__`;
- `__dict__` is copied flat. Only the list of notes becomes a new one, because `add_note` grows it
  in place. The errors inside an exception group are copied too, causes and contexts are shared.

An exception of an extension module with a `__new__` of its own (pydantic's `ValidationError`, for
one) keeps its state where nobody else can read it: it is not copied but shared.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from types import (
    BuiltinFunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    TracebackType,
)
from typing import Final, NoReturn, TypeAlias, TypeVar

_E = TypeVar("_E", bound=BaseException)
_Field: TypeAlias = GetSetDescriptorType | MemberDescriptorType

_ARGS: Final = vars(BaseException)["args"]
_CONTEXT: Final = vars(BaseException)["__context__"]
_UNSET: Final = object()
# In this order: to set the cause also sets the flag that suppresses the context.
_CHAIN: Final = tuple(
    vars(BaseException)[name]
    for name in ("__traceback__", "__context__", "__cause__", "__suppress_context__")
)


def raise_copy(error: BaseException, traceback: TracebackType | None) -> NoReturn:
    """Raise a copy of `error` as if it came up through `traceback` to this place.

    The copy keeps the context that the original was raised in, even when the caller is handling
    another exception at this moment. No frame is left with a reference to the copy.
    """
    copy = copy_exception(error)
    context = _CONTEXT.__get__(error)
    try:
        raise BaseException.with_traceback(copy, traceback)
    finally:
        if context is not None:
            _CONTEXT.__set__(copy, context)
        # This frame is on the copy's traceback: what it holds on to would never be freed.
        del copy, context, error


def copy_exception(error: _E) -> _E:
    """A copy of `error`: its type, arguments, attributes, notes, cause, context and traceback.

    Returns `error` itself when it cannot be copied (see the module's strategy).
    """
    copy = _blank(error)
    if copy is None:
        return error
    # A blank group has its message and its members already; those are arguments too.
    given = _ARGS.__get__(copy)
    _ARGS.__set__(copy, given + _ARGS.__get__(error)[len(given) :])
    for field in _fields(type(error)):
        _copy_field(field, error, copy)
    _copy_dict(error, copy)
    for field in _CHAIN:
        field.__set__(copy, field.__get__(error))
    return copy


def _blank(error: _E) -> _E | None:
    maker = _laid_out_by(type(error))
    if maker.__module__ != "builtins":
        return None
    new: Callable[..., _E] = vars(maker)["__new__"]
    try:
        return new(type(error), *_needed_to_be_made(error))
    except (TypeError, ValueError):
        return None


def _laid_out_by(cls: type) -> type:
    """The class that decides how an object of `cls` lies in memory, and so may make one."""
    while not isinstance(vars(cls).get("__new__"), BuiltinFunctionType):
        assert cls.__base__ is not None, "only `object` has none, and that has a `__new__`"
        cls = cls.__base__
    return cls


def _needed_to_be_made(error: BaseException) -> tuple[object, ...]:
    # A group refuses to be made without members, and to take them later.
    if isinstance(error, BaseExceptionGroup):
        return error.message, [copy_exception(member) for member in error.exceptions]
    return ()


def _fields(cls: type) -> Iterator[_Field]:
    for base in cls.__mro__[: cls.__mro__.index(BaseException)]:
        for name, field in vars(base).items():
            if isinstance(field, _Field) and name not in {"__dict__", "__weakref__"}:
                yield field


def _copy_field(field: _Field, error: BaseException, copy: BaseException) -> None:
    value = _read(field, error)
    # What the copy already has is not written again: an `OSError` without a file says so by NULL,
    # which reads as None but is printed otherwise.
    if value is not _UNSET and value is not _read(field, copy):
        with suppress(AttributeError, TypeError):  # Read-only: given to `__new__`, or computed.
            field.__set__(copy, value)


def _read(field: _Field, error: BaseException) -> object:
    try:
        return field.__get__(error)
    except (AttributeError, TypeError):
        return _UNSET


def _copy_dict(error: BaseException, copy: BaseException) -> None:
    attributes = vars(copy)
    attributes.update(vars(error))
    notes = attributes.get("__notes__")
    if isinstance(notes, list):
        attributes["__notes__"] = notes.copy()

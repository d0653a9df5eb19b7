"""Looks for a planted secret where it would come to light: in what is printed, raised or logged.

The locals of a traceback are looked at as structlog and rich print them when asked to: by their
repr. The frames of the checks themselves hold the secret, and are left out.
"""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from traceback import walk_tb
from typing import Final, final

import structlog

SECRET: Final = "planted-5f0c2b7e91"  # noqa: S105 - it opens nothing.
"""What is looked for."""

_HERE: Final = __name__.rpartition(".")[0]


def leak_in(error: BaseException) -> str | None:
    """Where the secret stands in an error, its causes and contexts, and their frames."""
    return next((place for one in _related(error, set()) for place in _places(one)), None)


def holds_secret(thing: object) -> bool:
    """Does a repr show the secret?"""
    shown = ""
    with suppress(Exception):  # What cannot be printed is not in print.
        shown = repr(thing)
    return SECRET in shown


def _related(error: BaseException | None, known: set[int]) -> Iterator[BaseException]:
    if error is None or id(error) in known:
        return
    known.add(id(error))
    yield error
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for other in (error.__cause__, error.__context__, *inner):
        yield from _related(other, known)


def _places(error: BaseException) -> Iterator[str]:
    kind = type(error).__name__
    parts = {
        "text": str(error),
        "arguments": error.args,
        "attributes": vars(error),
        "repr": error,
    }
    for name, part in parts.items():
        if holds_secret(part):
            yield f"the {name} of {kind}"
    for frame, line in walk_tb(error.__traceback__):
        code = frame.f_code
        if frame.f_globals.get("__name__", "").startswith(_HERE):
            continue
        for name, value in frame.f_locals.items():
            if holds_secret(value):
                yield f"the local {name!r} of {code.co_name} ({code.co_filename}:{line}) in {kind}"


@final
class _Logs(logging.Handler):
    """Everything that is logged, with logging or structlog, looked at when it is."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a record of logging."""
        self._look(f"the logger {record.name!r}", record.getMessage(), vars(record))

    def __call__(self, _: object, __: str, event: MutableMapping[str, object]) -> str:
        """Look at an event of structlog, and let it go no further."""
        self._look(f"structlog's event {event.get('event')!r}", "", dict(event))
        raise structlog.DropEvent

    def _look(self, origin: str, message: str, fields: dict[str, object]) -> None:
        error = _error_of(fields.get("exc_info"))
        leak = leak_in(error) if error else None
        if SECRET in message or holds_secret(fields):
            leak = "a message or its fields"
        if leak:
            self.leaks.append(f"{leak}, by {origin}")


def _error_of(exc_info: object) -> BaseException | None:
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case True:
            return sys.exception()
    return None


@contextmanager
def logs() -> Iterator[_Logs]:
    """Look at all that is logged in the block, at every level, and leave all as it was."""
    seen = _Logs()
    root = logging.getLogger()
    level = root.level
    was_configured, before = structlog.is_configured(), structlog.get_config()
    # Loggers that are bound already share this very list.
    processors = before["processors"]
    kept = [*processors]
    root.addHandler(seen)
    root.setLevel(logging.DEBUG)
    processors[:] = [seen]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        cache_logger_on_first_use=False,
    )
    try:
        yield seen
    finally:
        processors[:] = kept
        structlog.configure(**before)
        if not was_configured:
            structlog.reset_defaults()
        root.setLevel(level)
        root.removeHandler(seen)

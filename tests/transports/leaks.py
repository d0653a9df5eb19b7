"""Everything that a log could make of an exception, to look for a planted secret in it."""

import io
import pickle
import traceback
from collections.abc import Iterator

import structlog.tracebacks
from rich.console import Console
from rich.traceback import Traceback

TOKEN = "planted-token-6b1f0c9e"


def assert_no_leak(error: BaseException, *secrets: str) -> None:
    for place, text in _renderings(error):
        for secret in (TOKEN, *secrets):
            assert secret not in text, f"{secret} stands in the {place}:\n{text}"


def _renderings(error: BaseException) -> Iterator[tuple[str, str]]:
    for one in _chain(error):
        triple = (type(one), one, one.__traceback__)
        yield "text", str(one)
        yield "repr", repr(one)
        yield "attributes", repr(vars(one))
        yield "arguments", repr(one.args)
        yield "traceback", "".join(traceback.format_exception(*triple))
        for rich in (True, False):
            transform = structlog.tracebacks.ExceptionDictTransformer(
                show_locals=True,
                locals_max_length=10**6,
                locals_max_string=10**6,
                locals_hide_dunder=False,
                max_frames=1000,
                use_rich=rich,
            )
            yield f"structured traceback, rich={rich}", repr(_ours(transform(triple)))
        yield "rich traceback", _rich(one)
    if isinstance(error, Exception):
        yield "pickle", pickle.dumps(error).decode("latin-1")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, its causes and its contexts, the suppressed ones too."""
    if error is not None:
        yield error
        yield from _chain(error.__cause__)
        yield from _chain(error.__context__)


def _ours(stacks: list[dict[str, object]]) -> list[object]:
    # A test has the secret in its own frames; what it called has not.
    return [
        [{k: v for k, v in stack.items() if k != "frames"}]
        + [f for f in stack["frames"] if "/tests/" not in f["filename"]]  # type: ignore[attr-defined]
        for stack in stacks
    ]


def _rich(error: BaseException) -> str:
    trace = Traceback.extract(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        locals_max_length=10**6,
        locals_max_string=10**6,
    )
    for stack in trace.stacks:
        stack.frames = [frame for frame in stack.frames if "/tests/" not in frame.filename]
    console = Console(width=400, record=True, file=io.StringIO())
    console.print(Traceback(trace, max_frames=1000))
    return console.export_text()

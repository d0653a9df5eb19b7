"""What a log shows of an error: the locals of every frame that its traceback went through."""

import json
import traceback
from pathlib import Path

from structlog.tracebacks import ExceptionDictTransformer

_TESTS = str(Path(__file__).parent)


def rendered(error: BaseException) -> str:
    """The error as structlog prints it, frames of tests left out: what they hold is theirs."""
    transform = ExceptionDictTransformer(
        show_locals=True, locals_max_string=1_000_000, locals_max_length=10_000
    )
    stack = transform((type(error), error, error.__traceback__))
    for trace in stack:
        trace["frames"] = [
            frame for frame in trace["frames"] if not frame["filename"].startswith(_TESTS)
        ]
    return json.dumps(stack) + "".join(traceback.format_exception(error))

"""What goes wrong on purpose: at the endpoints for tokens, one call at a time."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast, final

import anyio
import attrs
from attrs.validators import in_, instance_of, optional

from connectors._json import Problem, parsed
from connectors.local._sandbox._answers import json_answer
from transports import Request, Response

_MOST: Final = 1000
_FAULTY: Final = range(400, 600)
_LONGEST: Final = 86400


def _check_seconds(_: object, field: "attrs.Attribute[float]", seconds: float) -> None:
    if not 0 <= seconds <= _LONGEST:
        raise ValueError(f"{field.name} must be from 0 to {_LONGEST} seconds, not {seconds!r:.40}.")


@attrs.frozen(kw_only=True)
class Fault:
    """What happens to one call for a token.

    Raises:
        TypeError: A value is not of its kind.
        ValueError: A value is out of its range.
    """

    status: int | None = attrs.field(default=None, validator=optional(in_(_FAULTY)))
    """Answer with this error status, and do nothing."""

    retry_after: int | None = attrs.field(default=None, validator=optional(instance_of(int)))
    """Seconds, told with the status."""

    delay_before: float = attrs.field(default=0.0, validator=_check_seconds)
    """Seconds to wait before the call has any effect."""

    delay_after: float = attrs.field(default=0.0, validator=_check_seconds)
    """Seconds to wait when it has had its effect."""

    drop: bool = attrs.field(default=False, validator=instance_of(bool))
    """Let it have its effect and never answer: the caller waits until it gives up."""


@final
class Faults:
    """The faults that are still to come, in order."""

    def __init__(self) -> None:
        self._coming: deque[Fault] = deque(maxlen=_MOST)

    def add(self, fault: Fault, times: int) -> None:
        """Have a fault happen to so many calls."""
        self._coming.extend([fault] * min(times, _MOST))

    def read(self, request: Request) -> Response:
        """Add what a request describes: the fields of a fault, and `times`."""
        data = parsed(request.body or b"")
        if isinstance(data, Problem) or not isinstance(data, dict):
            return json_answer({"error": "The body must be a JSON object"}, 400)
        fields = cast("dict[str, Any]", data)
        times = fields.pop("times", 1)
        try:
            self.add(Fault(**fields), int(times))
        except (TypeError, ValueError):
            return json_answer({"error": f"A fault has {_FIELDS}, and 'times'"}, 400)
        return json_answer({"coming": len(self._coming)})

    async def around(self, answer: Callable[[], Response]) -> Response:
        """Answer a call, with the next fault if there is one.

        Cancelled while it waits, it ends at once; what has had its effect has had it.
        """
        if not self._coming:
            return answer()
        fault = self._coming.popleft()
        await anyio.sleep(fault.delay_before)
        if fault.status is not None:
            after = fault.retry_after
            headers = {} if after is None else {"retry-after": str(after)}
            return json_answer({"error": "fault_on_purpose"}, fault.status, headers)
        response = answer()
        if fault.drop:
            await anyio.sleep_forever()
        await anyio.sleep(fault.delay_after)
        return response


_FIELDS: Final = ", ".join(repr(field.name) for field in attrs.fields(Fault))

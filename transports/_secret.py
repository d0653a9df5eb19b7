"""A string that only shows itself when it is asked to.

A token that lies in a local variable as a plain `str` is one `show_locals` away from a log. So a
token is wrapped where it enters and unwrapped in the expression that sends it: no frame between
the two has it as a value that can be printed, pickled or formatted.
"""

import hmac
from typing import Final, NoReturn, final

_HIDDEN: Final = "[secret]"


@final
class Secret:
    """A token, password or key whose `repr` and `str` say nothing of it.

    Two secrets are compared in constant time. A secret refuses to be pickled: what leaves the
    process leaves it by `reveal()`, in plain sight of who reads the code. It never changes, so its
    copy is itself.

    Raises:
        TypeError: The value is no str. The message names its type, never the value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            kind = type(value).__name__
            del value
            raise TypeError(f"A Secret wraps a str, not {kind}.")
        self._value = value

    def reveal(self) -> str:
        """The string itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({_HIDDEN!r})"

    def __str__(self) -> str:
        return _HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_encoded(self._value), _encoded(other._value))

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, _memo: dict[int, object]) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret is not pickled; use reveal() where it has to leave the process.")


def _encoded(value: str) -> bytes:
    # Lone surrogates are no reason to fail: what is compared need not be valid text.
    return value.encode("utf-8", "surrogatepass")

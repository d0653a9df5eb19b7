"""Lines that are typed or pasted without being shown, while the event loop goes on.

`getpass` would hold up a thread that nothing can cancel. And a terminal that edits lines itself
takes no more than 4096 characters of one (on macOS 1024), which the address of a callback may
exceed. So the terminal passes on each character as it comes, and what a person expects of the keys
is done here.
"""

import os
import sys
from collections import deque
from types import TracebackType
from typing import Any, Final, Self, final

import anyio
import anyio.to_thread

from connectors._command._output import tell
from connectors._command._secret_input import typed_secret
from transports import Secret

_LONGEST: Final = 65536
_END_OF_LINE: Final = "\r\n"
_END_OF_INPUT: Final = "\x04"
_BACKSPACE: Final = "\x7f\b"
_KILL: Final = "\x15"

if sys.platform == "win32":  # pragma: no cover - there is no Windows among the tests' machines.

    @final
    class HiddenLines:
        """Lines from the terminal, which does not show them."""

        def __init__(self, prompt: str) -> None:
            self._prompt = prompt

        async def read(self) -> Secret | None:
            """The next line; None at the end of the input. It can't be cancelled."""
            with anyio.CancelScope(shield=True):
                return await anyio.to_thread.run_sync(typed_secret, self._prompt) or None

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

else:
    import termios

    @final
    class HiddenLines:
        """Lines from the terminal, which does not show them while the `with` block runs."""

        def __init__(self, prompt: str) -> None:
            self._prompt = prompt
            self._descriptor = sys.stdin.fileno()
            self._typed = TypedLines()
            self._before: list[Any] = []

        async def read(self) -> Secret | None:
            """The next line; None at the end of the input.

            Cancelled, it keeps what has been typed of it for the next time.
            """
            while not self._typed.complete:
                await anyio.wait_readable(self._descriptor)
                self._typed.type(os.read(self._descriptor, 4096))
            return self._typed.complete.popleft()

        def __enter__(self) -> Self:
            self._before = termios.tcgetattr(self._descriptor)
            changed = termios.tcgetattr(self._descriptor)
            changed[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, changed)
            tell(self._prompt)
            return self

        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            traceback: TracebackType | None,
        ) -> None:
            # What was typed behind the last line is not for the shell.
            termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, self._before)


@final
class TypedLines:
    """Lines as they are typed."""

    def __init__(self) -> None:
        self._begun = Secret("")
        self.complete: deque[Secret | None] = deque()
        """The lines that are complete; None stands for the end of the input."""

    def type(self, raw: bytes) -> None:
        """Take what has come from the terminal; nothing is the end of the input."""
        for character in raw.decode("utf-8", "replace") or _END_OF_INPUT:
            self._press(character)

    def _press(self, character: str) -> None:
        text = self._begun.reveal()
        if character in _END_OF_LINE:
            self.complete.append(self._begun)
            self._begun = Secret("")
        elif character == _END_OF_INPUT:
            # Behind the beginning of a line it does nothing, as in a terminal that edits lines.
            self.complete.extend([] if text else [None])
        elif character in _BACKSPACE:
            self._begun = Secret(text[:-1])
        elif character == _KILL:
            self._begun = Secret("")
        elif character.isprintable() and len(text) < _LONGEST:
            self._begun = Secret(text + character)

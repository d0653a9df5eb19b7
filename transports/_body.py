"""Collects the body of an answer: decoded, complete, and never larger than was asked for.

The cap is on decoded bytes, and inflating stops one byte above it, so that a small answer that
would become a large one costs no more memory than an honest one. What comes over the wire is
capped too: a stream of empty blocks would never end and never reach the first cap.
"""

import zlib
from typing import Final, final

ACCEPT_ENCODING: Final = "gzip"
"""What is asked for. Of 'deflate' there are two kinds in use, so nobody should ask for it."""

_WBITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""How zlib is told which framing to expect (RFC 9110, section 8.4.1)."""

_ROOM_ON_THE_WIRE: Final = 64 * 1024


class BodyError(Exception):
    """Raised when a body cannot be taken. Its message says why, and nothing of the body."""


class BodyCapError(BodyError):
    """Raised when a body is larger than allowed."""


@final
class Body:
    """A body as it comes in.

    Args:
        coding: The content coding, '' for none.
        limit: Decoded bytes that are accepted.
    """

    def __init__(self, coding: str, limit: int) -> None:
        self._coding = coding.strip().lower()
        self._limit = limit
        self._received = 0
        self._decoded = bytearray()
        self._inflate: zlib._Decompress | None = None

    def feed(self, data: bytes) -> None:
        """Take what has come.

        Raises:
            BodyError: It is not in its coding, or nobody here knows that.
            BodyCapError: It is more than is accepted.
        """
        if not self._received:  # An answer without a body has no coding to know.
            self._inflate = _decoder(self._coding)
        self._received += len(data)
        if self._inflate is not None:
            data = self._inflated(data)
        self._decoded += data
        most_on_the_wire = 2 * self._limit + _ROOM_ON_THE_WIRE
        if len(self._decoded) > self._limit or self._received > most_on_the_wire:
            raise BodyCapError(f"it has more than {self._limit} bytes")

    def complete(self) -> bytes:
        """The whole body, now that its last byte has come.

        Raises:
            BodyError: Its coding says that it goes on.
        """
        if self._inflate is not None and self._received and not self._inflate.eof:
            raise BodyError("its compressed stream ends too soon")
        return bytes(self._decoded)

    def _inflated(self, data: bytes) -> bytes:
        assert self._inflate is not None
        room = self._limit - len(self._decoded)
        try:
            decoded = self._inflate.decompress(data, room + 1)
        except zlib.error:
            raise BodyError("it is not in its content coding") from None
        if self._inflate.unused_data:
            raise BodyError("something follows its compressed stream")
        return decoded


def _decoder(coding: str) -> "zlib._Decompress | None":
    if coding in {"", "identity"}:
        return None
    if coding not in _WBITS:
        raise BodyError(f"only the codings {', '.join(_WBITS)} are known here")
    return zlib.decompressobj(_WBITS[coding])

"""The cassette of a test: its file, and what it is recorded through.

The file is called like the test. The id of a parametrised test may be anything, so what a file
system could take amiss is replaced, and a digest of the id keeps two of them apart, also where
capital letters make no difference.
"""

import re
import ssl
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final, final

import anyio
import anyio.to_thread
import pytest

from transports import Request, Response
from transports.replay import ReplayTransport, UnrecordedRequestError

_UNSAFE: Final = re.compile(r"[^a-z0-9_.-]+")
_OF_THE_FIXTURE: Final = frozenset({"inner", "mode", "path"})
_LONGEST: Final = 100
"""Characters of an id in the name of a file: a path has room for 255 or less."""


def settings_in(mark: pytest.Mark) -> Mapping[str, object]:
    """What a mark says of a cassette.

    Raises:
        TypeError: It says what the fixture decides, or has a value without a name.
    """
    if mark.args or not _OF_THE_FIXTURE.isdisjoint(mark.kwargs):
        raise TypeError(
            "The mark connectors_cassette takes settings of a ReplayTransport by name, such as "
            "ordered=True. The file is called like the test, and --connectors-record is the mode."
        )
    return mark.kwargs


def cassette(item: pytest.Item, mode: str, settings: Mapping[str, object]) -> ReplayTransport:
    """The cassette of a test."""
    return ReplayTransport(path_of(item), mode, FreshTransport(), **settings)  # type: ignore[arg-type]


def told_of(transport: ReplayTransport, *, kept: bool) -> dict[str, object]:
    """What the summary of the session tells of it, in types that go from process to process."""
    return {
        "path": str(transport.path),
        "recorded": transport.recorded,
        "kept": kept,
        "unused": list(transport.unused),
    }


def add_hint(transport: ReplayTransport, error: BaseException) -> None:
    """Say how to record with pytest, if that is what is missing."""
    if isinstance(error, UnrecordedRequestError):
        mode = "new_episodes" if transport.path.exists() else "once"
        error.add_note(f"Under pytest that mode is an option: --connectors-record={mode}.")


def path_of(item: pytest.Item) -> Path:
    """Where the cassette of a test lies: beside the file of the test, in a folder of its own."""
    name = "/".join(item.nodeid.split("::")[1:])
    return item.path.parent / "cassettes" / item.path.stem / f"{file_name(name)}.json"


def file_name(test: str) -> str:
    """The name of a test as that of a file: `TestIt.test_one-asyncio`."""
    function, _, given = test.partition("[")
    name = function.replace("/", ".")
    return f"{name}-{_safe(given.removesuffix(']'))}" if given else name


def _safe(given: str) -> str:
    safe = _UNSAFE.sub("-", given.lower()).strip("-.")[:_LONGEST]
    if safe == given:
        return given
    return f"{safe}-{sha256(given.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


@final
class FreshTransport:
    """Carries each request with a transport of its own, so that nothing outlives a test's loop."""

    async def send(self, request: Request, /) -> Response:
        """Make one attempt, as `AiohttpTransport` does. Cancelled, it ends at once."""
        from transports.aiohttp import AiohttpTransport  # noqa: PLC0415 - not to play.

        secure = request.url.startswith("https:")
        context = await anyio.to_thread.run_sync(_certificates) if secure else None
        transport = AiohttpTransport(ssl_context=context)
        try:
            return await transport.send(request)
        finally:
            with anyio.CancelScope(shield=True):
                await transport.aclose()

    async def aclose(self) -> None:
        """Do nothing: there is nothing left."""


@cache
def _certificates() -> ssl.SSLContext:
    # It reads the system's certificates, which takes 30 to 45 ms.
    return ssl.create_default_context()

"""Files of other programs, as they write them."""

from pathlib import Path

from transports import Request, Response
from transports.replay import ReplayTransport


async def play(path: Path, *requests: Request) -> list[Response]:
    """Play all of a file, and see that it is as it was."""
    before = path.read_bytes()
    async with ReplayTransport(path) as transport:
        answers = [await transport.send(request) for request in requests]
    assert path.read_bytes() == before
    return answers

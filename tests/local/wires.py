"""HTTP by hand, for what no HTTP client would send."""

import asyncio
import json
from contextlib import closing

import attrs

from connectors.local import Server


@attrs.frozen
class Answer:
    """What came back, byte by byte."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> object:
        assert self.headers["content-type"] == "application/json"
        assert self.headers["cache-control"] == "no-store"
        return json.loads(self.body)


def head(line: str, *fields: str) -> bytes:
    return "\r\n".join((line, *fields, "", "")).encode("latin-1")


async def exchange(server: Server, *messages: bytes, answers: int = 1) -> list[Answer]:
    """Send bytes on one connection, and read that many answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with closing(writer):
        for message in messages:
            writer.write(message)
        async with asyncio.timeout(20):
            return [await read_answer(reader) for _ in range(answers)]


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    start = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = start.rstrip().split("\r\n")
    pairs = (field.split(": ", 1) for field in fields)
    headers = {name.lower(): value for name, value in pairs}
    length = int(headers.get("content-length", 0))
    return Answer(int(line.split(" ")[1]), headers, await reader.readexactly(length))

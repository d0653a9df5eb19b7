"""Make calls with aiohttp under vcrpy: `with_vcrpy.py MODE SERIALIZER CASSETTE`.

It runs in a process of its own, with the vcrpy and the aiohttp of the folder that is tested: the
older vcrpy does not work with the aiohttp that this project needs. The calls come as JSON on
standard input, and the answers go as JSON to standard output.
"""

import asyncio
import json
import sys
from base64 import b64encode
from typing import Any

import aiohttp
import vcr


async def answer(session: aiohttp.ClientSession, call: dict[str, Any]) -> dict[str, object]:
    async with session.request(**call, allow_redirects=False) as response:
        body = await response.read()
        return {
            "status": response.status,
            "reason": response.reason,
            "headers": [(name.lower(), value) for name, value in response.headers.items()],
            "body": b64encode(body).decode(),
        }


async def answers(calls: list[dict[str, Any]]) -> list[dict[str, object]]:
    async with aiohttp.ClientSession() as session:
        return [await answer(session, call) for call in calls]


def main(mode: str, serializer: str, cassette: str) -> None:
    calls = json.load(sys.stdin)
    for call in calls:
        if isinstance(call.get("data"), list):
            call["data"] = [tuple(pair) for pair in call["data"]]
    with vcr.VCR(record_mode=mode, serializer=serializer).use_cassette(cassette) as used:
        given = asyncio.run(answers(calls))
    told = {"vcrpy": vcr.__version__, "aiohttp": aiohttp.__version__, "played": used.play_count}
    json.dump({**told, "answers": given}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])

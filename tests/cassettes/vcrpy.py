"""vcrpy, run in a process of its own."""

import json
import os
import sys
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import anyio
import attrs

from tests.cassettes.calls import Call

VCRPY: Final = "BASE44_VCRPY"
"""The environment variable that names the folder with vcrpy and an aiohttp that it works with."""

_SCRIPT: Final = Path(__file__).with_name("with_vcrpy.py")

Serializer = Literal["json", "yaml"]


@attrs.frozen
class Answer:
    """What a program was given under vcrpy."""

    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes


async def record(path: Path, serializer: Serializer, calls: Sequence[Call], origin: str) -> None:
    """Have vcrpy record calls."""
    played, _ = await _run("all", path, serializer, [call.for_aiohttp(origin) for call in calls])
    assert played == 0


async def play(path: Path, calls: Sequence[Call], origin: str) -> dict[str, Answer]:
    """Have vcrpy play calls, and nothing else."""
    played, answers = await _run("none", path, "json", [call.for_aiohttp(origin) for call in calls])
    assert played == len(calls)
    return {call.name: answer for call, answer in zip(calls, answers, strict=True)}


async def _run(
    mode: str, path: Path, serializer: Serializer, calls: Sequence[object]
) -> tuple[int, list[Answer]]:
    ran = await anyio.run_process(
        [sys.executable, _SCRIPT, mode, serializer, path],
        input=json.dumps(calls).encode(),
        env={**os.environ, "PYTHONPATH": os.environ[VCRPY]},
        stderr=None,
    )
    told = json.loads(ran.stdout)
    answers = [
        Answer(
            one["status"],
            one["reason"],
            sorted(map(tuple, one["headers"]), key=lambda pair: pair[0]),
            b64decode(one["body"]),
        )
        for one in told["answers"]
    ]
    return told["played"], answers

"""What betamax records with requests plays here, whichever way it keeps the bodies."""

import json
import os
import sys
from pathlib import Path

import anyio
import pytest

from tests.cassettes.calls import BYTES, CALLS, service
from tests.cassettes.files import play
from tests.cassettes.vcrpy import VCRPY
from transports.testing import loopback

_SCRIPT = Path(__file__).with_name("with_betamax.py")


@pytest.mark.parametrize("kept", ["exact", "text"])
async def test_we_play_what_betamax_records(tmp_path: Path, kept: str) -> None:
    # As text it can't keep what is none.
    calls = [*CALLS, BYTES] if kept == "exact" else CALLS
    async with loopback(service) as origin:
        await anyio.run_process(
            [sys.executable, _SCRIPT, tmp_path, "recorded", kept],
            input=json.dumps([call.for_aiohttp(origin) for call in calls]).encode(),
            env={**os.environ, "PYTHONPATH": os.environ[VCRPY]},
            stderr=None,
        )
    answers = await play(tmp_path / "recorded.json", *(call.request(origin) for call in calls))
    for call, answer in zip(calls, answers, strict=True):
        assert (answer.status, answer.body) == (call.answer.status, call.body), call.name
        kept_fields = sorted((name.lower(), value) for name, value in answer.headers.fields)
        assert kept_fields == call.fields, call.name

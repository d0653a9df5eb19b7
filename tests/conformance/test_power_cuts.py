"""Whenever the power fails in a refresh, the vault opens and the connection is in a known state.

It takes Linux, and to be allowed to trace a child process.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import anyio
import pytest

from tests.conformance.power import can_trace
from tests.conformance.power_cuts import STATES

AT_ONCE: Final = 2


@pytest.mark.skipif(not can_trace(), reason="no process can be ended at a write here")
async def test_a_power_cut_at_any_write_leaves_a_connection_that_goes_on_as_it_should(
    tmp_path: Path,
) -> None:
    cuts: Counter[str] = Counter()

    async def do(part: int) -> None:
        arguments = (str(tmp_path / str(part)), str(part), str(AT_ONCE))
        command = [sys.executable, "-m", "tests.conformance.power_cuts", *arguments]
        ran = await anyio.run_process(command, check=False)
        assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode()[-2000:]
        cuts.update(json.loads(ran.stdout))

    async with anyio.create_task_group() as parts:
        for part in range(AT_ONCE):
            parts.start_soon(do, part)
    assert cuts.total() >= 500
    # Each of the states was seen, so the test does look at what it says.
    assert {tuple(json.loads(state)) for state in cuts} == STATES

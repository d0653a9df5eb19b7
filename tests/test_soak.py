"""What the soak shows in ten minutes, for a few seconds: it ends where it began."""

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parent.parent / "benchmarks" / "soak.py"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop", "trio"])
def test_after_a_soak_nothing_more_is_held_than_at_its_beginning(loop: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", SOAK, "--seconds", "8", "--loop", loop],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "a connection" in done.stdout
    assert "more at the end: nothing" in done.stdout

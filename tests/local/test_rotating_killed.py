"""The key of a vault is changed by a process that is killed, again and again."""

import os
import subprocess
import sys
from pathlib import Path

from tests.local.vaults import ROOT


def test_killed_anywhere_it_leaves_a_vault_that_can_be_used_and_is_run_again(
    tmp_path: Path,
) -> None:
    # The record of what a process covered is torn when it dies.
    measured = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.local.rotating", str(tmp_path), "4"],
        cwd=ROOT,
        env=measured,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.stdout.startswith("right after 4, 8 ... "), ran.stdout + ran.stderr

"""The whole suite: every benchmark in turn, each in a process of its own.

    python -m benchmarks --rounds 15 --out benchmarks/results

The arguments go to each of them. It ends with 1 if one could not be run, after all the others.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SUITE: Final = ("calls", "mock", "growth", "crossing")


def main() -> int:
    """Run them all."""
    failed = []
    for number, name in enumerate(SUITE, start=1):
        print(f"\n{name}, {number} of {len(SUITE)}\n", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]]
        done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603 - a script of our own.
        if done.returncode:
            failed.append(name)
    if failed:
        print(f"could not be run: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())

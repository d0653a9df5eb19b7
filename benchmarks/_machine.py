"""The machine: what it is, and which core each process has to itself."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SERVERS: Final = 0
"""The first core that may be used, where there are two."""

WORKERS: Final = -1
"""The last one."""

if sys.platform == "linux":

    def _cores() -> list[int]:
        return sorted(os.sched_getaffinity(0))

    def _move(cores: list[int]) -> None:
        os.sched_setaffinity(0, cores)
else:

    def _cores() -> list[int]:
        return []

    def _move(_: list[int]) -> None:
        raise AssertionError("there is nothing to pin to")


@contextmanager
def pinned(place: int) -> Iterator[None]:
    """What is started in here stays on one core, with all its threads."""
    cores = _cores()
    if len(cores) < 2:
        yield
        return
    _move([cores[place]])
    try:
        yield
    finally:
        _move(cores)


def pinning() -> str:
    """Which process is on which core, in words."""
    cores = _cores()
    if len(cores) < 2:
        return "not pinned: there is no second core to choose"
    return f"workers on core {cores[WORKERS]}, servers on core {cores[SERVERS]}"


def machine() -> dict[str, str | int | None]:
    """What the figures depend on."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _cpu() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in told.splitlines() if "model name" in line]
    return models[0] if models else platform.processor()

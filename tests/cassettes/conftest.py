"""Cassettes of other programs, played here, and ours, played by vcrpy.

`nox -s cassettes` runs these tests with two vcrpys: the current one, and 5.1.0, which many projects
are bound to. It says in the environment variable `BASE44_VCRPY` which folder has vcrpy, with an
aiohttp that it works with. The same by hand:

    pip install --target FOLDER vcrpy betamax requests aiohttp
    BASE44_VCRPY=FOLDER pytest tests/cassettes

Without that the tests that need another program are not collected; those that play its files are.
"""

import os

import pytest

from tests.cassettes.vcrpy import VCRPY

collect_ignore_glob = [] if VCRPY in os.environ else ["test_with_*.py"]


def pytest_report_header() -> str | None:
    if VCRPY in os.environ:
        return None
    return f"cassettes: vcrpy is not run without {VCRPY}; `nox -s cassettes` sets it"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"

"""The official JavaScript SDK and this project's client, side by side.

`nox -s conformance` runs these tests. It copies `package.json`, the lock and `.npmrc` to a folder
of its own, has npm install there exactly what the lock names, and says in the environment variable
`BASE44_CONFORMANCE_NODE_MODULES` where that is. The same by hand:

    cp tests/conformance/{package.json,package-lock.json,.npmrc} FOLDER
    (cd FOLDER && npm ci)
    BASE44_CONFORMANCE_NODE_MODULES=FOLDER/node_modules pytest tests/conformance

Without that variable there is nothing to compare with, so the tests are not collected. They run on
asyncio with the real clock, over real sockets and processes; Node.js is started once a module.

- `test_requests` compares what both send to a server that keeps it byte for byte.
- `test_answers` compares what both make of every answer and error of the protocol.
- `test_incoming_requests` compares clients that are made from an incoming request.
- `test_local_backend` compares both against `connectors dev`, run as a process.
- `test_differences` shows where the two differ on purpose.
"""

import os
from collections.abc import AsyncIterator

import pytest

from tests.conformance.sdks import NODE_MODULES, Official, official_sdk
from tests.conformance.stub import Stub, stub_server

collect_ignore_glob = [] if NODE_MODULES in os.environ else ["test_*.py"]


def pytest_report_header() -> str | None:
    if NODE_MODULES in os.environ:
        return None
    return f"conformance: not run without {NODE_MODULES}; `nox -s conformance` sets it"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def official() -> AsyncIterator[Official]:
    async with official_sdk() as sdk:
        yield sdk


@pytest.fixture(scope="module")
async def stub() -> AsyncIterator[Stub]:
    async with stub_server() as server:
        yield server

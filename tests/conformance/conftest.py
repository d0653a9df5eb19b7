"""The official JavaScript SDK and CLI and a certified provider, against this project.

`nox -s conformance` runs these tests. It copies `package.json`, the lock and `.npmrc` to a folder
of its own, has npm install there exactly what the lock names, unpacks the CLI that `cli.json` names
and says in two environment variables where both are. The same by hand:

    cp tests/conformance/{package.json,package-lock.json,.npmrc} FOLDER
    (cd FOLDER && npm ci --ignore-scripts && npm pack base44@VERSION && tar xf base44-*.tgz)
    export BASE44_CONFORMANCE_NODE_MODULES=FOLDER/node_modules
    BASE44_CONFORMANCE_CLI=FOLDER/package pytest tests/conformance

Without them there is nothing to compare with, so the tests are not collected. They run on asyncio
with the real clock, over real sockets and processes; Node.js is started once a module.

- `test_requests` compares what both SDKs send to a server that keeps it byte for byte.
- `test_answers` compares what both make of every answer and error of the protocol.
- `test_incoming_requests` compares clients that are made from an incoming request.
- `test_local_backend` compares both against `connectors dev`, run as a process.
- `test_differences` shows where the two differ on purpose.
- `test_sandbox` does so with the sandbox as the provider of every type.
- `test_cli` has the official CLI work against `connectors dev`.
- `test_oidc_provider` shows that the certified provider is as strict as the tests of OAuth need.
- `test_oauth` connects accounts there, and comes back with everything but what it was sent.
- `test_crew` shows that processes which refresh at once without a lock lose their grant there.
- `test_refreshing_at_once` shows that those of this project keep it, whatever happens to them.
- `test_power_cuts` shows that a refresh can be ended at each of its writes.
"""

import os
from collections.abc import AsyncIterator

import pytest

from tests.conformance.cli import CLI
from tests.conformance.sdks import NODE_MODULES, Official, official_sdk
from tests.conformance.stub import Stub, stub_server

NEEDED = {NODE_MODULES, CLI}

collect_ignore_glob = [] if NEEDED.issubset(os.environ) else ["test_*.py"]


def pytest_report_header() -> str | None:
    missing = sorted(NEEDED - os.environ.keys())
    if not missing:
        return None
    return f"conformance: not run without {' and '.join(missing)}; `nox -s conformance` sets them"


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

"""A client as a fixture of the plugins that run async tests.

They may end a fixture in another task than they began it in. anyio's runs these tests themselves;
the others run in processes of their own, because two plugins would take each other's tests.
"""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors import Client
from tests.lifetimes.runs import LIMIT
from tests.lifetimes.service import TOKEN, Service
from tests.loops import REAL


async def token(client: Client) -> str:
    return (await client.as_service_role.connectors.get_connection("slack")).access_token


@pytest.fixture(scope="module", params=REAL)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


@pytest.fixture(scope="module")
async def lasting(anyio_backend: object, lasting_service: Service) -> AsyncIterator[Client]:
    async with lasting_service.client() as client:
        yield client


@pytest.fixture
async def passing(lasting_service: Service) -> AsyncIterator[Client]:
    async with lasting_service.client() as client:
        yield client


@pytest.mark.parametrize("time", [1, 2])
async def test_a_fixture_of_a_module_serves_each_of_its_tests(lasting: Client, time: int) -> None:
    assert await token(lasting) == TOKEN


async def test_a_fixture_of_one_test_lives_beside_it(lasting: Client, passing: Client) -> None:
    assert [await token(client) for client in (passing, lasting)] == [TOKEN] * 2


PYTEST_ASYNCIO = """
import asyncio, contextlib
import pytest, pytest_asyncio
from connectors import Client, ClientUsageError

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lasting():
    async with Client.from_env() as client:
        yield client

@pytest_asyncio.fixture
async def passing():
    async with Client.from_env() as client:
        yield client

@pytest_asyncio.fixture
async def stacked():
    async with contextlib.AsyncExitStack() as stack:
        yield await stack.enter_async_context(Client.from_env())

async def token(client):
    return (await client.as_service_role.connectors.get_connection("slack")).access_token

@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("time", [1, 2])
async def test_of_the_module(lasting, time):
    assert await token(lasting) == TOKEN

@pytest.mark.asyncio
async def test_of_its_own(passing, stacked):
    assert await asyncio.gather(token(passing), token(stacked)) == [TOKEN] * 2

@pytest.mark.asyncio
async def test_in_another_loop_than_its_fixture(lasting):
    with pytest.raises(ClientUsageError, match="make one for each loop"):
        await asyncio.wait_for(token(lasting), LIMIT)
"""

PYTEST_TRIO = """
import pytest, trio
from connectors import Client

@pytest.fixture
async def passing():
    async with Client.from_env() as client:
        yield client

@pytest.fixture
async def stacked(nursery):
    async with Client.from_env() as client:
        yield client

async def token(client):
    return (await client.as_service_role.connectors.get_connection("slack")).access_token

@pytest.mark.trio
async def test_of_its_own(passing, stacked):
    assert await token(passing) == await token(stacked) == TOKEN

@pytest.mark.trio
async def test_in_the_nursery_of_the_test(passing, nursery):
    for _ in range(3):
        nursery.start_soon(token, passing)
"""


PLUGINS = {
    "pytest-asyncio": (
        PYTEST_ASYNCIO,
        # Unless that is said, it warns when it is loaded.
        ["-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function"],
        "4 passed in",
    ),
    "pytest-trio": (PYTEST_TRIO, ["-p", "pytest_trio.plugin"], "2 passed in"),
}


@pytest.mark.parametrize(("source", "options", "summary"), PLUGINS.values(), ids=PLUGINS)
def test_the_fixtures_of_another_plugin_work_without_a_warning(
    lasting_service: Service, tmp_path: Path, source: str, options: list[str], summary: str
) -> None:
    (tmp_path / "test_theirs.py").write_text(f"TOKEN, LIMIT = {TOKEN!r}, {LIMIT}\n{source}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "--rootdir", tmp_path, *options],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env={**lasting_service.environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        text=True,
        timeout=6 * LIMIT,
    )
    assert summary in done.stdout, done.stdout + done.stderr
    assert (done.returncode, done.stderr) == (0, "")

"""The fixtures and the guard work under every plugin that runs async tests, and under pytest-xdist.

Each of these takes the tests of the others, so each runs in a process of its own.
"""

from collections.abc import Sequence

import attrs
import pytest

from tests.plugin.projects import Project, Service

TESTS = """
import contextlib, os, socket
import pytest
from connectors import Client

def connect():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.1", 9))

async def get(client, name):
    connectors = client.as_service_role.connectors
    return (await connectors.get_connection(name)).access_token

@MARK
async def test_mock(mock_connectors):
    mock_connectors["slack"] = "xoxb-test"
    assert await get(mock_connectors.client, "slack") == "xoxb-test"

@MARK
async def test_cassette(connectors_cassette):
    async with Client(
        app_id="app", service_token="a", server_url=os.environ["SERVICE"],
        transport=connectors_cassette,
    ) as client:
        assert await get(client, "slack")

@MARK
async def test_swallows_an_unexpected_request(mock_connectors):
    with contextlib.suppress(AssertionError):
        await get(mock_connectors.client, "slack")

@MARK
async def test_swallows_a_real_connection():
    with contextlib.suppress(AssertionError):
        connect()

@MARK
async def test_asks_a_real_service():
    async with Client(app_id="app", service_token="a", retry=False) as client:
        await get(client, "slack")
"""

ANYIO = """
import pytest
MARK = pytest.mark.anyio

@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param
"""

UVLOOP = """
import pytest, uvloop
MARK = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio", {"loop_factory": uvloop.new_event_loop}
"""

UNMARKED = "MARK = lambda test: test"


@attrs.frozen
class Plugin:
    setup: str
    options: Sequence[str]
    times: int = 1


_ASYNCIO = ("-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")
PLUGINS = {
    "anyio": Plugin(ANYIO, ("-p", "anyio"), times=2),
    "uvloop": Plugin(UVLOOP, ("-p", "anyio")),
    "asyncio-strict": Plugin("import pytest\nMARK = pytest.mark.asyncio", _ASYNCIO),
    "asyncio-auto": Plugin(UNMARKED, (*_ASYNCIO, "-o", "asyncio_mode=auto")),
    "trio": Plugin("import pytest\nMARK = pytest.mark.trio", ("-p", "pytest_trio.plugin")),
    "xdist": Plugin(ANYIO, ("-p", "anyio", "-p", "xdist.plugin", "-n", "2"), times=2),
}


@pytest.mark.parametrize("plugin", PLUGINS.values(), ids=PLUGINS)
def test_the_fixtures_and_the_guard_work_under(
    project: Project, service: Service, plugin: Plugin
) -> None:
    project.write("test_it.py", plugin.setup + TESTS)
    recorded = project.run(
        *plugin.options,
        "--connectors-record=once",
        "-k",
        "test_cassette",
        environment=service.environment,
    )
    assert f"{plugin.times} passed" in recorded.output, recorded.output
    assert service.asked() == plugin.times
    run = project.run(*plugin.options, environment=service.environment)
    assert run.counts(failed=3 * plugin.times, passed=2 * plugin.times), run.output
    assert service.asked() == plugin.times
    assert "asks for 'slack'" in run.output
    assert "connects to 192.0.2.1 port 9" in run.output
    # On uvloop it is not heard that a name is looked up, but that something is connected to.
    assert "base44.app" in run.output


def test_all_plugins_at_once_are_found_by_themselves(project: Project, service: Service) -> None:
    project.write("test_it.py", "import pytest\nMARK = pytest.mark.asyncio" + TESTS)
    options = (*_ASYNCIO[2:], "-k", "test_mock or test_swallows")
    run = project.run(*options, environment={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""})
    assert run.counts(failed=2, passed=1, deselected=2), run.output

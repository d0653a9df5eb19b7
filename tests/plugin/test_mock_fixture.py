"""The fixture `mock_connectors`: a mock for each test, whose surprises fail the test."""

from tests.plugin.projects import Project

TESTS = """
import asyncio, contextlib
import pytest
from connectors import NotConnectedError
from connectors.testing import NOT_CONNECTED
from transports import UnmatchedRequestError

async def token(mock, name):
    return (await mock.client.as_service_role.connectors.get_connection(name)).access_token

async def swallowing(mock, name):
    try:
        return await token(mock, name)
    except AssertionError:
        return None

def test_answers(mock_connectors):
    mock_connectors["slack"] = "xoxb-test"
    mock_connectors["never asked for"] = "is-fine"
    assert asyncio.run(token(mock_connectors, "slack")) == "xoxb-test"

def test_is_new_for_each(mock_connectors):
    with pytest.raises(UnmatchedRequestError):
        asyncio.run(token(mock_connectors, "slack"))
    with pytest.raises(UnmatchedRequestError):
        mock_connectors.assert_nothing_unexpected()

def test_swallowed(mock_connectors):
    asyncio.run(swallowing(mock_connectors, "github"))

def test_raised(mock_connectors):
    asyncio.run(token(mock_connectors, "box"))

def test_turned_into_another(mock_connectors):
    asyncio.run(swallowing(mock_connectors, "gmail"))
    assert "500" == "200"

@pytest.fixture
def asking_last(mock_connectors):
    yield
    asyncio.run(swallowing(mock_connectors, "hubspot"))

def test_in_a_fixture(asking_last): pass

def test_beside(): pass
"""


def test_what_the_test_did_not_provide_for_fails_it_once_whatever_the_program_does(
    project: Project,
) -> None:
    project.write("test_it.py", TESTS)
    run = project.run()
    assert run.counts(failed=3, passed=4, error=1), run.output
    summary = run.output.partition("short test summary info")[2]
    for line in (
        "FAILED test_it.py::test_swallowed - transports.",
        "FAILED test_it.py::test_raised - transports.",
        "FAILED test_it.py::test_turned_into_another - transports.",
        "ERROR test_it.py::test_in_a_fixture - transports.",
    ):
        assert line in summary, summary
    assert "direct cause of the following exception" in run.output
    assert 'mock_connectors["github"] = "a-token"' in run.output
    # Its own frames say nothing to somebody who looks for a mistake in their program.
    assert "_hooks.py" not in run.output


def test_the_fixtures_are_listed_with_what_they_are(project: Project) -> None:
    run = project.run("--fixtures")
    assert "mock_connectors -- " in run.output
    assert "Connections from the test's own words" in run.output
    assert "Answers recorded in `cassettes/<test file>/<test>.json`" in run.output

"""The fixture `connectors_cassette`: a recording for each test, in a file called like it."""

import json

import pytest

from connectors._pytest_plugin._cassettes import FreshTransport, file_name
from tests.loops import REAL, on
from tests.plugin.projects import Project, Service
from transports import Request, TLSError

HELPERS = """
import asyncio, contextlib, os, socket
import pytest
from connectors import Client

async def ask(transport, *names):
    async with Client(
        app_id="app",
        service_token="service-planted-77",
        server_url=os.environ["SERVICE"],
        transport=transport,
    ) as base44:
        for name in names:
            await base44.as_service_role.connectors.get_connection(name)
"""

ONE = (
    HELPERS
    + """
def test_one(connectors_cassette):
    for name in ("slack", "github"):
        asyncio.run(ask(connectors_cassette, name))
"""
)
FILE = "cassettes/test_it/test_one.json"


def test_what_is_recorded_once_is_played_from_then_on(project: Project, service: Service) -> None:
    project.write("test_it.py", ONE)
    recorded = project.run("--connectors-record=once", environment=service.environment)
    assert recorded.counts(passed=1), recorded.output
    assert "connectors cassettes" in recorded.output
    assert f"{FILE}: recorded 2" in recorded.output
    assert service.asked() == 2
    text = (project.folder / FILE).read_text()
    assert len(json.loads(text)["interactions"]) == 2
    assert "planted" not in text
    assert "xoxb" not in text
    played = project.run(environment=service.environment)
    assert played.counts(passed=1), played.output
    assert "connectors cassettes" not in played.output
    assert service.asked() == 2


def test_without_a_recording_the_test_says_how_to_make_one(
    project: Project, service: Service
) -> None:
    project.write("test_it.py", ONE)
    run = project.run(environment=service.environment)
    assert run.counts(failed=1), run.output
    assert "There is no cassette" in run.output
    assert "Under pytest that mode is an option: --connectors-record=once." in run.output
    assert not (project.folder / "cassettes").exists()
    assert service.asked() == 0


@pytest.mark.parametrize(
    ("options", "environment", "asked"),
    [
        ([], {"BASE44_RECORD_MODE": "once"}, 2),
        ([], {"BASE44_RECORD_MODE": ""}, 0),
        (["--connectors-record=none"], {"BASE44_RECORD_MODE": "once"}, 0),
        (["--connectors-record=all"], {"BASE44_RECORD_MODE": "none"}, 2),
        (["--connectors-record=all"], {"CI": "true"}, 0),
    ],
)
def test_the_option_goes_before_the_environment_and_ci_before_both(
    project: Project,
    service: Service,
    options: list[str],
    environment: dict[str, str],
    asked: int,
) -> None:
    project.write("test_it.py", ONE)
    project.run(*options, environment={**service.environment, **environment})
    assert service.asked() == asked


def test_a_mode_that_is_none_is_told(project: Project) -> None:
    run = project.run(environment={"BASE44_RECORD_MODE": "twice"})
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "BASE44_RECORD_MODE must be one of none, once, new_episodes, all, not 'twice'" in (
        run.output
    )
    assert project.run("--connectors-record=twice").code == pytest.ExitCode.USAGE_ERROR


LESS = (
    HELPERS
    + """
NAMES = ("slack", "github") if os.environ.get("ALL") else ("slack",)

def test_one(connectors_cassette):
    asyncio.run(ask(connectors_cassette, *NAMES))

@pytest.mark.connectors_cassette(allow_unused=True)
def test_lenient(connectors_cassette):
    asyncio.run(ask(connectors_cassette, *NAMES))

def test_that_fails(connectors_cassette):
    asyncio.run(ask(connectors_cassette, *NAMES))
    assert len(NAMES) == 2

@pytest.mark.connectors_cassette(ordered=True)
def test_ordered(connectors_cassette):
    asyncio.run(ask(connectors_cassette, *(NAMES if len(NAMES) == 2 else ("github", "slack"))))
"""
)


@pytest.mark.parametrize("options", [[], ["-p", "xdist.plugin", "-n", "2"]], ids=["alone", "xdist"])
def test_what_is_not_used_fails_a_test_that_passes_and_is_reported(
    project: Project, service: Service, options: list[str]
) -> None:
    project.write("test_it.py", LESS)
    both = {**service.environment, "ALL": "1"}
    recorded = project.run(*options, "--connectors-record=once", environment=both)
    assert recorded.counts(passed=4), recorded.output
    run = project.run(*options, environment=service.environment)
    assert run.counts(failed=2, passed=2, error=1), run.output
    summary = run.output.partition("short test summary info")[2]
    assert "ERROR test_it.py::test_one - " in summary
    assert "FAILED test_it.py::test_that_fails - AssertionError: assert 1 == 2" in summary
    assert "FAILED test_it.py::test_ordered - " in summary
    url = f"{service.url}/api/apps/app/external-auth/tokens"
    report = run.output.partition("connectors cassettes")[2]
    for name in ("test_one", "test_lenient", "test_that_fails"):
        line = f"cassettes/test_it/{name}.json: not used: GET {url}/github\n"
        assert report.count(line) == 1, report


def test_what_is_not_used_fails_a_test_wherever_nothing_is_recorded(
    project: Project, service: Service
) -> None:
    project.write("test_it.py", LESS)
    both = {**service.environment, "ALL": "1"}
    assert project.run("--connectors-record=once", environment=both).code == 0
    run = project.run("--connectors-record=once", "-k", "one", environment=service.environment)
    assert run.counts(passed=1, error=1, deselected=3), run.output


INTERRUPTED = (
    HELPERS
    + """
def test_one(connectors_cassette):
    asyncio.run(ask(connectors_cassette, "slack"))
    if not os.environ.get("ALL"):
        raise KeyboardInterrupt
    asyncio.run(ask(connectors_cassette, "github"))
"""
)


def test_ctrl_c_in_a_test_is_no_error_of_its_cassette(project: Project, service: Service) -> None:
    project.write("test_it.py", INTERRUPTED)
    both = {**service.environment, "ALL": "1"}
    assert project.run("--connectors-record=once", environment=both).code == 0
    run = project.run(environment=service.environment)
    assert run.code == pytest.ExitCode.INTERRUPTED, run.output
    assert "UnusedInteractionError" not in run.output


@pytest.mark.parametrize("settings", ["'a.json'", "mode='once'", "path='a.json'", "inner=None"])
def test_a_mark_that_says_what_the_fixture_decides_is_told(project: Project, settings: str) -> None:
    project.write(
        "test_it.py",
        f"""
        import pytest

        @pytest.mark.connectors_cassette({settings})
        def test_one(connectors_cassette):
            pass
        """,
    )
    run = project.run()
    assert run.counts(error=1), run.output
    assert "takes settings of a ReplayTransport by name" in run.output


def test_a_test_that_records_reaches_the_network_and_no_other(
    project: Project, service: Service
) -> None:
    project.write(
        "test_it.py",
        HELPERS
        + """
def connect():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.connect(("192.0.2.1", 9))

def test_one(connectors_cassette):
    asyncio.run(ask(connectors_cassette, "slack"))
    connect()

def test_other(): connect()
""",
    )
    for options, outcomes in (
        (["--connectors-record=once"], {"passed": 1, "failed": 1}),
        (["--connectors-record=all"], {"passed": 1, "failed": 1}),
        (["--connectors-record=once"], {"failed": 2}),
        ([], {"failed": 2}),
    ):
        run = project.run(*options, environment=service.environment)
        assert run.counts(**outcomes), run.output


NAMES = {
    "test_one": "test_one",
    "TestIt/test_one": "TestIt.test_one",
    "test_one[asyncio]": "test_one-asyncio",
    "test_one[a-1.5_b]": "test_one-a-1.5_b",
}
ODD = [
    "a/b",
    "a:b",
    "a\\b",
    "A-B",
    "a-B",
    "a b",
    "../..",
    "nul.",
    "é",
    "a" * 300,
    "a" * 301,
    "\ud800",
]


@pytest.mark.parametrize(("test", "name"), NAMES.items())
def test_a_cassette_is_called_like_its_test(test: str, name: str) -> None:
    assert file_name(test) == name


def test_what_is_replaced_in_a_name_leaves_it_readable() -> None:
    assert file_name("test_one[Not Connected]").startswith("test_one-not-connected-")


def test_an_odd_id_makes_a_name_that_every_file_system_takes_and_no_other_has() -> None:
    names = [file_name(f"test_one[{given}]") for given in [*ODD, "a-b"]]
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert name.isascii()
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.-")
        assert len(name) < 150
        assert not name.endswith(".")


@on(REAL)
async def test_what_records_opens_a_connection_for_each_request_and_leaves_none(
    service: Service,
) -> None:
    transport = FreshTransport()
    for _ in range(2):
        assert (await transport.send(Request("GET", service.url))).status == 200
    with pytest.raises(TLSError):
        await transport.send(Request("GET", service.url.replace("http:", "https:")))
    await transport.aclose()
    assert service.asked() == 2


SWALLOWED = (
    HELPERS
    + """
def test_one(connectors_cassette):
    with contextlib.suppress(Exception):
        asyncio.run(ask(connectors_cassette, "slack"))
"""
)


def test_a_request_without_an_answer_fails_a_test_that_swallows_the_error(
    project: Project, service: Service
) -> None:
    project.write("test_it.py", SWALLOWED)
    run = project.run(environment=service.environment)
    assert run.counts(passed=1, error=1), run.output
    assert "There is no cassette" in run.output


HALF = (
    HELPERS
    + """
def test_one(connectors_cassette):
    asyncio.run(ask(connectors_cassette, "slack"))
    assert os.environ.get("WELL")
"""
)


def test_what_a_test_has_recorded_that_does_not_pass_is_not_kept(
    project: Project, service: Service
) -> None:
    project.write("test_it.py", HALF)
    failed = project.run("--connectors-record=once", environment=service.environment)
    assert failed.counts(failed=1), failed.output
    assert f"{FILE}: recorded 1, not kept: the test has not passed" in failed.output
    assert not (project.folder / "cassettes").exists()
    well = {**service.environment, "WELL": "1"}
    assert project.run("--connectors-record=once", environment=well).counts(passed=1)
    before = (project.folder / FILE).read_bytes()
    again = project.run("--connectors-record=all", environment=service.environment)
    assert again.counts(failed=1), again.output
    assert (project.folder / FILE).read_bytes() == before

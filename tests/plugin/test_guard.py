"""A test that connects to another machine fails, whatever the program makes of the error.

The addresses are those that are kept for documentation (RFC 5737): nobody is there.
"""

import pytest

from tests.plugin.projects import Project

ON = """
[pytest]
connectors_guard = on
"""

HELPERS = """
import asyncio, contextlib, socket, threading
import pytest

FOREIGN = ("192.0.2.1", 9)

def datagram():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

def connect():
    # To connect a socket for datagrams sends nothing.
    with datagram() as sock:
        sock.connect(FOREIGN)

def swallow(call, *arguments):
    with contextlib.suppress(AssertionError):
        call(*arguments)
"""


@pytest.fixture
def guarded(project: Project) -> Project:
    project.write("pytest.ini", ON)
    return project


def test_every_way_to_another_machine_is_refused_and_no_way_to_this_one(guarded: Project) -> None:
    guarded.write(
        "test_it.py",
        HELPERS
        + """
def stream(family, address, method="connect"):
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            getattr(sock, method)(address)

def send(address):
    with datagram() as sock:
        sock.sendto(b"", address)

def send_message(address):
    with datagram() as sock:
        sock.sendmsg([b""], [], 0, address)

WAYS = {
    "connect": lambda: stream(socket.AF_INET, FOREIGN),
    "connect_ex": lambda: stream(socket.AF_INET, FOREIGN, "connect_ex"),
    "connect-6": lambda: stream(socket.AF_INET6, ("2001:db8::1", 9)),
    "connect-mapped": lambda: stream(socket.AF_INET6, ("::ffff:192.0.2.1", 9)),
    "create_connection": lambda: socket.create_connection(FOREIGN, timeout=1),
    "datagram": connect,
    "sendto": lambda: send(FOREIGN),
    "sendmsg": lambda: send_message(FOREIGN),
    "getaddrinfo": lambda: socket.getaddrinfo("foreign.invalid", 9),
    "getaddrinfo-bytes": lambda: socket.getaddrinfo(b"foreign.invalid", 9),
    "gethostbyname": lambda: socket.gethostbyname("foreign.invalid"),
    "gethostbyaddr": lambda: socket.gethostbyaddr("foreign.invalid"),
}

@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_refused(way):
    with pytest.raises(AssertionError, match="test_refused.*(192.0.2.1|2001:db8::1|foreign)"):
        way()

def test_this_machine(tmp_path):
    with socket.create_server(("", 0)) as server, socket.socket(socket.AF_UNIX) as unix:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "localhost", ""):
            stream(socket.AF_INET, (host, port))
        socket.create_connection(("localhost", port)).close()
        send(("127.0.0.1", port))
        with datagram() as sock:
            sock.connect(("127.0.0.1", port))
            sock.sendmsg([b""])
        socket.getaddrinfo(None, 0, flags=socket.AI_PASSIVE)
        socket.getaddrinfo("192.0.2.1", 9)
        socket.getfqdn()
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(tmp_path / "s"))
""",
    )
    run = guarded.run()
    # Each was told where it connected, and it is told again because it has swallowed that.
    assert run.counts(failed=12, passed=1), run.output


def test_the_error_says_who_connects_where_and_what_to_do(guarded: Project) -> None:
    guarded.write("app.py", HELPERS)
    guarded.write("test_it.py", "from app import connect\ndef test_one():\n    connect()")
    run = guarded.run()
    assert run.counts(failed=1)
    told = "RealConnectionError: test_it.py::test_one connects to 192.0.2.1 port 9 at app.py:13. "
    assert told in run.output
    assert "sock.connect(FOREIGN)" in run.output
    assert "another exception occurred" not in run.output
    for way_out in (
        "the fixture mock_connectors",
        "--connectors-record=once",
        "@pytest.mark.connectors_allow_network",
        "connectors_allow_hosts",
    ):
        assert way_out in run.output


def test_an_error_that_the_program_swallows_fails_the_test_all_the_same(guarded: Project) -> None:
    guarded.write(
        "test_it.py",
        HELPERS
        + """
def in_thread(call):
    thread = threading.Thread(target=swallow, args=(call,), name="my-thread")
    thread.start()
    thread.join()

def test_one(): swallow(connect)
def test_two(): in_thread(connect)
def test_skipped():
    swallow(connect)
    pytest.skip("no network")
def test_background():
    async def connect_later():
        connect()
    async def main():
        asyncio.create_task(connect_later()).add_done_callback(lambda task: task.exception())
        await asyncio.sleep(0.01)
    asyncio.run(main())
def test_looked_up_by_the_loop():
    async def main():
        with contextlib.suppress(AssertionError):
            await asyncio.open_connection("foreign.invalid", 9)
    asyncio.run(main())
def test_failed_by_itself():
    swallow(connect)
    assert 500 == 200
def test_none(): pass
""",
    )
    run = guarded.run()
    assert run.counts(failed=6, passed=1), run.output
    for line in (
        "test_two connects to 192.0.2.1 port 9 at test_it.py:13 in the thread 'my-thread'.",
        "test_looked_up_by_the_loop looks up the name foreign.invalid in the thread 'asyncio_0'.",
        "assert 500 == 200",
    ):
        assert line in run.output, run.output


def test_a_fixture_that_connects_is_an_error_of_its_test(guarded: Project) -> None:
    guarded.write(
        "test_it.py",
        HELPERS
        + """
@pytest.fixture
def before(): swallow(connect)
@pytest.fixture
def after():
    yield
    swallow(connect)
def test_before(before): raise NotImplementedError("never run")
def test_after(after): pass
def test_neither(): pass
""",
    )
    run = guarded.run()
    assert run.counts(error=2, passed=2), run.output
    assert "never run" not in run.output.partition("short test summary")[2]


def test_a_test_may_be_allowed_the_network_and_a_project_some_hosts(project: Project) -> None:
    project.write(
        "pytest.ini",
        ON
        + """
connectors_allow_hosts =
    192.0.2.0/24
    foreign.invalid
""",
    )
    project.write(
        "test_it.py",
        HELPERS
        + """
@pytest.mark.connectors_allow_network
def test_allowed():
    with datagram() as sock, contextlib.suppress(OSError):
        sock.connect(("198.51.100.1", 9))

def test_host():
    with contextlib.suppress(OSError):
        connect()
    with contextlib.suppress(OSError):
        socket.getaddrinfo("foreign.invalid", 9)

def test_another():
    with datagram() as sock:
        sock.connect(("198.51.100.1", 9))
""",
    )
    run = project.run()
    assert run.counts(failed=1, passed=2), run.output


ONE_THAT_CONNECTS = (
    HELPERS
    + """
def test_connects():
    with contextlib.suppress(OSError):
        connect()

def test_how_the_guard_is(pytestconfig):
    from connectors._pytest_plugin._hooks import _GUARD
    print("guarded" if _GUARD in pytestconfig.stash else "free")
"""
)
ONE_OF_THE_KIT = "def test_mock(mock_connectors): pass"


@pytest.mark.parametrize(
    ("switch", "also", "outcomes"),
    [
        ("off", ONE_OF_THE_KIT, {"passed": 3}),
        ("auto", "", {"passed": 2}),
        ("auto", ONE_OF_THE_KIT, {"failed": 1, "passed": 2}),
        ("on", "", {"failed": 1, "passed": 1}),
    ],
)
def test_the_guard_is_on_for_whom_it_was_made(
    project: Project, switch: str, also: str, outcomes: dict[str, int]
) -> None:
    project.write("pytest.ini", f"[pytest]\nconnectors_guard = {switch}")
    project.write("test_it.py", ONE_THAT_CONNECTS)
    project.write("test_kit.py", also)
    run = project.run()
    assert run.counts(**outcomes), run.output


def test_who_asks_for_a_part_of_the_tests_gets_the_same_guard(project: Project) -> None:
    project.write("test_it.py", ONE_THAT_CONNECTS + ONE_OF_THE_KIT)
    run = project.run("-k", "connects", "--strict-markers")
    assert run.counts(failed=1, deselected=2), run.output


STRAY = (
    HELPERS
    + """
import time
connecting = threading.Event()

def stray():
    connecting.wait()
    with contextlib.suppress(AssertionError, OSError):
        connect()
    connected.set()

connected = threading.Event()
threading.Thread(target=stray, daemon=True).start()

@pytest.fixture
def last():
    yield

def test_one(): pass

@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish():
    connecting.set()
    connected.wait()
"""
)


@pytest.mark.parametrize("options", [[], ["-p", "xdist.plugin", "-n", "1"]], ids=["alone", "xdist"])
@pytest.mark.parametrize("more", ["", "def test_two(): pass"], ids=["last", "between"])
def test_what_connects_when_no_test_runs_fails_the_session(
    guarded: Project, more: str, options: list[str]
) -> None:
    guarded.write("test_it.py", STRAY + more)
    guarded.write("conftest.py", "from test_it import pytest_runtest_logfinish")
    run = guarded.run(*options)
    assert run.code == 1, run.output
    assert "real connections between the tests" in run.output
    assert "After test_it.py::test_one something connects to 192.0.2.1 port 9" in run.output
    assert "failed" not in run.summary


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("connectors_guard = maybe", "connectors_guard must be one of auto, off, on, not 'maybe'"),
        (
            "connectors_guard = on\nconnectors_allow_hosts = https://a.example",
            "connectors_allow_hosts: 'https://a.example' is no host name",
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_told(project: Project, line: str, told: str) -> None:
    project.write("pytest.ini", f"[pytest]\n{line}")
    project.write("test_it.py", "def test_one(): pass")
    run = project.run()
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert told in run.output

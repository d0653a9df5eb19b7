"""`connectors record`: what it runs is recorded, shown without a secret, and ends as it would."""

import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from connectors._command._child import _Signals
from connectors._recordings import (
    CASSETTE,
    MODE,
    RECORDED,
    cassette_transport,
    record_mode,
    report,
    reported,
)
from tests.command.support import COMMAND, Terminal, environment, here

SERVICE_TOKEN = "planted-service-token-9f31c2"
ACCESS_TOKEN = "xoxb-planted-access-token-51f0"
PLANTED = (SERVICE_TOKEN, ACCESS_TOKEN)

PROGRAM = """
import asyncio, sys
from connectors import Client

async def main():
    async with Client.from_env(retry=False) as base44:
        connection = await base44.as_service_role.connectors.get_connection("slack")
        print("connected to", connection.integration_type, flush=True)

asyncio.run(main())
"""
ENDING_BADLY = PROGRAM + "sys.exit(3)"
KILLED = PROGRAM + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
WAITING = PROGRAM.replace("flush=True)", "flush=True); await asyncio.sleep(600)")
NEVER_CLOSED = """
import asyncio
from connectors import Client

async def main():
    global base44
    base44 = Client.from_env()
    await base44.as_service_role.connectors.get_connection("slack")

asyncio.run(main())
"""
ONE_AFTER_THE_OTHER = PROGRAM + PROGRAM.replace('"slack"', '"github"')
# The terminal does not know of what it starts, so Ctrl-C comes there only if it is passed on.
APART = """
import subprocess, sys
from connectors._command._child import _Signals

signals = _Signals()
with signals.passed_on():
    command = [sys.executable, "-c", sys.argv[1]]
    with subprocess.Popen(command, start_new_session=True) as process:
        signals.go_to(process)
        sys.exit(process.wait())
"""
TELLING = """
import signal, sys
signal.signal(signal.SIGINT, lambda *_: print("it came", flush=True))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("ready", flush=True)
while True:
    signal.pause()
"""
TWO_PROCESSES = f"""
import subprocess, sys
program = {PROGRAM!r}
one, two = (subprocess.Popen([sys.executable, "-c", program]) for _ in range(2))
assert one.wait() == two.wait() == 0
"""


class Service(BaseHTTPRequestHandler):
    """Has a token for everybody."""

    def do_GET(self) -> None:
        body = json.dumps({"access_token": ACCESS_TOKEN, "integration_type": "slack"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def variables(url: str) -> Mapping[str, str]:
    return {
        "BASE44_APP_ID": "app",
        "BASE44_SERVICE_TOKEN": SERVICE_TOKEN,
        "BASE44_API_URL": url,
    }


def ran(
    folder: Path, arguments: Sequence[object], url: str = "http://127.0.0.1:9", **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, and see that no secret is shown, nor in any file."""
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    done = subprocess.run(
        [*map(str, arguments)],
        env=environment(folder, **variables(url), TMPDIR=str(temporary), **more),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert list(temporary.glob("connectors-*")) == []
    nothing_is_shown(folder, done.stdout + done.stderr)
    return done


def nothing_is_shown(folder: Path, text: str) -> None:
    files = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    assert not any(token in shown for token in PLANTED for shown in (text, *files))


def record(
    folder: Path, program: str, url: str, *options: str
) -> "subprocess.CompletedProcess[str]":
    cassette = ("--cassette", "slack.json")
    arguments = (*COMMAND, "record", *cassette, *options, "--", sys.executable, "-c", program)
    return ran(folder, arguments, url)


def test_what_was_written_and_scrubbed_is_shown_and_plays_without_a_service(
    tmp_path: Path, service: str
) -> None:
    done = record(tmp_path, PROGRAM, service)
    assert (done.returncode, done.stdout) == (0, "connected to slack\n")
    assert done.stderr.splitlines() == [
        f"Recorded {tmp_path / 'slack.json'}: 1 interaction.",
        "  scrubbed:",
        "    body access_token: 1",
        "    header authorization: 1",
    ]
    before = (tmp_path / "slack.json").read_bytes()
    played = ran(tmp_path, [sys.executable, "-c", PROGRAM], service, **{CASSETTE: "slack.json"})
    assert (played.returncode, played.stdout, played.stderr) == (0, "connected to slack\n", "")
    assert (tmp_path / "slack.json").read_bytes() == before


def test_nothing_is_recorded_without_it(tmp_path: Path, service: str) -> None:
    played = ran(tmp_path, [sys.executable, "-c", PROGRAM], service, **{CASSETTE: "slack.json"})
    assert played.returncode == 1
    assert "There is no cassette" in played.stderr
    path = tmp_path / "slack.json"
    assert f"connectors record --cassette {path} -- COMMAND" in played.stderr
    assert not path.exists()


def test_what_the_cassette_does_not_have_is_told_with_how_to_add_it(
    tmp_path: Path, service: str
) -> None:
    record(tmp_path, PROGRAM, service)
    other = PROGRAM.replace("slack", "github")
    played = ran(tmp_path, [sys.executable, "-c", other], service, **{CASSETTE: "slack.json"})
    assert played.returncode == 1
    path = tmp_path / "slack.json"
    assert f"--cassette {path} --mode new_episodes -- COMMAND" in played.stderr


@pytest.mark.parametrize(("program", "code"), [(ENDING_BADLY, 3), (KILLED, 137)])
def test_a_program_that_fails_has_its_exit_code_and_its_report(
    tmp_path: Path, service: str, program: str, code: int
) -> None:
    done = record(tmp_path, program, service)
    assert done.returncode == code
    assert "slack.json: 1 interaction.\n" in done.stderr


def test_a_fault_is_counted(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        done = record(tmp_path, PROGRAM, url)
    assert done.returncode == 1
    assert "slack.json: 1 interaction, 1 of them without an answer.\n" in done.stderr


def test_a_client_that_is_never_closed_is_recorded_all_the_same(
    tmp_path: Path, service: str
) -> None:
    done = record(tmp_path, NEVER_CLOSED, service)
    assert done.returncode == 0
    assert "slack.json: 1 interaction.\n" in done.stderr


@pytest.mark.parametrize("mode", ["once", "new_episodes", "all"])
def test_clients_one_after_the_other_share_a_cassette(
    tmp_path: Path, service: str, mode: str
) -> None:
    done = record(tmp_path, ONE_AFTER_THE_OTHER, service, "--mode", mode)
    assert done.returncode == 0
    assert "slack.json: 2 interactions.\n" in done.stderr
    assert done.stderr.count("Recorded") == 1


AGAIN = PROGRAM.replace("connected to", "again")


@pytest.mark.parametrize("mode", ["once", "all"])
def test_what_one_client_has_recorded_is_not_played_to_the_next(
    tmp_path: Path, service: str, mode: str
) -> None:
    # Its token is none, and what is sent with that would be recorded, too.
    done = record(tmp_path, PROGRAM + AGAIN, service, "--mode", mode)
    assert done.returncode == 0
    assert "slack.json: 2 interactions.\n" in done.stderr


@pytest.mark.parametrize("program", [PROGRAM, NEVER_CLOSED], ids=["closed", "never closed"])
def test_why_a_cassette_could_not_be_written_is_shown(
    tmp_path: Path, service: str, program: str
) -> None:
    ends = 'get_connection("slack")'
    blocked = program.replace(ends, f"{ends}; open('folder', 'x')")
    arguments = (*COMMAND, "record", "--cassette", "folder/slack.json", "--", sys.executable, "-c")
    done = ran(tmp_path, (*arguments, blocked), service)
    assert done.returncode == 1
    assert "folder/slack.json can't be written: " in done.stderr
    assert "Nothing was recorded" not in done.stderr


def test_processes_at_the_same_time_share_a_cassette(tmp_path: Path, service: str) -> None:
    done = record(tmp_path, TWO_PROCESSES, service)
    assert (done.returncode, done.stderr.count("Recorded")) == (0, 1)
    # Two that the machine has run one after the other have two.
    assert re.search(r"slack\.json: (1 interaction|2 interactions)\.\n", done.stderr)
    assert [one.name for one in tmp_path.glob("*.json")] == ["slack.json"]


def test_a_cassette_that_is_there_is_recorded_anew_only_when_it_is_asked_for(
    tmp_path: Path, service: str
) -> None:
    record(tmp_path, PROGRAM, service)
    before = (tmp_path / "slack.json").read_bytes()
    again = record(tmp_path, PROGRAM, service)
    assert (again.returncode, again.stdout) == (0, "connected to slack\n")
    assert again.stderr.startswith(f"Nothing was recorded. {tmp_path / 'slack.json'} is there")
    assert "--mode all" in again.stderr
    assert (tmp_path / "slack.json").read_bytes() == before
    enough = record(tmp_path, PROGRAM, service, "--mode", "new_episodes")
    assert "Only a Client.from_env() without a transport of its own" in enough.stderr
    assert (tmp_path / "slack.json").read_bytes() == before
    anew = record(tmp_path, PROGRAM, service, "--mode", "all")
    assert "slack.json: 1 interaction.\n" in anew.stderr
    assert (tmp_path / "slack.json").read_bytes() != before


def test_why_nothing_was_recorded_is_said(tmp_path: Path) -> None:
    nothing = (*COMMAND, "record", "--", sys.executable, "-c", "")
    without = ran(tmp_path, nothing)
    assert "Without --cassette only tests with the fixture connectors_cassette" in without.stderr
    named = ran(tmp_path, nothing, **{CASSETTE: "slack.json"})
    assert "Only a Client.from_env() without a transport of its own" in named.stderr
    assert without.returncode == named.returncode == 0


def test_ctrl_c_in_a_terminal_ends_the_program_and_the_report_is_shown(
    tmp_path: Path, service: str
) -> None:
    path = tmp_path / "slack.json"
    program = (sys.executable, "-c", WAITING)
    with Terminal(
        tmp_path, "record", "--cassette", path, "--", *program, columns=200, **variables(service)
    ) as terminal:
        terminal.expect("connected to slack")
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert f"Recorded {path}: 1 interaction." in terminal.text
        nothing_is_shown(tmp_path, terminal.text)


def test_ctrl_c_in_a_terminal_is_not_passed_on_for_the_program_has_it_already(
    tmp_path: Path,
) -> None:
    with Terminal(tmp_path, APART, TELLING, program=(sys.executable, "-c")) as terminal:
        terminal.expect("ready")
        terminal.type("\x03")
        # It is shown after it was sent, and handled before what comes next.
        terminal.expect("^C")
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.wait() == 7
        assert "it came" not in terminal.text


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_a_signal_to_it_alone_is_passed_on(
    tmp_path: Path, service: str, number: signal.Signals, code: int
) -> None:
    arguments = ("record", "--cassette", tmp_path / "slack.json", "--", sys.executable, "-c")
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments), WAITING],
        env=environment(tmp_path, **variables(service)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # It has no terminal, as in a service.
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "connected to slack\n"
        process.send_signal(number)
        assert process.wait(60) == code
        told = process.stderr.read()
    assert ("1 interaction" if number == signal.SIGINT else "Nothing was recorded.") in told
    nothing_is_shown(tmp_path, told)


def test_a_signal_that_comes_before_the_program_is_there_is_not_lost() -> None:
    signals = _Signals()
    with signals.passed_on():
        signal.raise_signal(signal.SIGTERM)
        with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
            signals.go_to(process)
            assert process.wait(60) == -signal.SIGTERM


def test_a_program_that_is_not_there_or_can_not_be_run_has_the_exit_code_of_a_shell(
    tmp_path: Path,
) -> None:
    absent = here(tmp_path, "record", "--", "no-such-program-here")
    assert (absent.code, absent.err) == (
        127,
        "Error: Can't run no-such-program-here: No such file or directory.\n",
    )
    (tmp_path / "text").write_text("no program")
    text = here(tmp_path, "record", "--", tmp_path / "text")
    assert (text.code, text.err) == (126, f"Error: Can't run {tmp_path}/text: Permission denied.\n")


def test_where_ci_is_set_nothing_is_run(tmp_path: Path) -> None:
    run = here(tmp_path, "record", "--", "touch", tmp_path / "made", CI="true")
    assert run.code == 1
    assert "Error: CI is set, so nothing would be recorded, and nothing was run." in run.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [(), ("--",), ("--mode", "none", "--", "true")])
def test_what_can_not_be_meant_is_refused(tmp_path: Path, arguments: Sequence[str]) -> None:
    assert here(tmp_path, "record", *arguments).code == 2


def test_a_mode_that_nobody_knows_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="BASE44_RECORD_MODE must be one of none, once, "):
        record_mode({MODE: "twice"})
    assert record_mode({}) == record_mode({MODE: ""}) == "none"
    assert record_mode({MODE: "all"}) == "all"


TESTS = """
import os
import pytest
from connectors import Client

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
@pytest.mark.parametrize("name", ["slack", "github"])
async def test_it(connectors_cassette, name):
    async with Client(
        app_id="app",
        service_token=os.environ["BASE44_SERVICE_TOKEN"],
        server_url=os.environ["BASE44_API_URL"],
        transport=connectors_cassette,
    ) as base44:
        await base44.as_service_role.connectors.get_connection(name)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_the_cassettes_of_tests_are_shown(
    tmp_path: Path, service: str, workers: Sequence[str]
) -> None:
    (tmp_path / "test_them.py").write_text(TESTS)
    tests = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *workers, "test_them.py")
    done = ran(tmp_path, [*COMMAND, "record", "--", *tests], service)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("slack", "github"):
        path = tmp_path / "cassettes" / "test_them" / f"test_it-{name}.json"
        assert f"Recorded {path}: 1 interaction.\n" in done.stderr
    assert done.stderr.count("    header authorization: 1\n") == 2
    again = ran(tmp_path, [*COMMAND, "record", "--", *tests], service)
    assert "Nothing was recorded. Without --cassette only tests" in again.stderr


REPORTING = """
import sys
from pathlib import Path
from connectors._recordings import report
for name in sys.argv[1:]:
    report(Path(name))
"""


def test_others_can_report_what_they_have_written(tmp_path: Path) -> None:
    (tmp_path / "damaged.json").write_text("{")
    line = '{"version": 1, "interactions": []}'
    (tmp_path / "empty\n.json").write_text(line)
    names = ("damaged.json", "gone.json", "empty\n.json", "gone.json")
    done = ran(tmp_path, [*COMMAND, "record", "--", sys.executable, "-c", REPORTING, *names])
    assert f"{tmp_path}/damaged.json is a damaged cassette: its JSON breaks off" in done.stderr
    assert done.stderr.count("gone.json was recorded, and is not there any more.") == 1
    assert "0 interactions.\n  Nothing in it had to be scrubbed.\n" in done.stderr
    assert "Nothing was recorded" not in done.stderr


async def test_a_client_that_was_closed_leaves_nothing_to_do_at_the_end(tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.touch()
    transport = cassette_transport({CASSETTE: str(tmp_path / "a.json"), RECORDED: str(told)})
    assert transport is not None
    kept = weakref.ref(transport)
    await transport.aclose()
    del transport
    gc.collect()
    assert kept() is None


def test_who_reports_needs_nobody_who_wants_to_know(tmp_path: Path) -> None:
    told = tmp_path / "told"
    report(tmp_path / "a.json", {})
    report(tmp_path / "a.json", {RECORDED: str(tmp_path / "gone" / "told")})
    assert list(tmp_path.iterdir()) == []
    told.touch()
    for name in ("a.json", "b.json", "a.json"):
        report(tmp_path / name, {RECORDED: str(told)})
    report(tmp_path / "b.json", {RECORDED: str(told)}, problem="full")
    assert reported(told) == {tmp_path / "a.json": None, tmp_path / "b.json": "full"}
    assert len(told.read_text().splitlines()) == 4


def test_a_line_is_written_at_once_by_many_processes(tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.touch()
    names = [f"{'x' * 200}-{number}.json" for number in range(200)]
    command = [sys.executable, "-c", REPORTING, *names]
    env = environment(tmp_path, **{RECORDED: str(told)})
    running = [subprocess.Popen(command, env=env, cwd=tmp_path) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert len(told.read_text().splitlines()) == 800
    assert reported(told) == dict.fromkeys(tmp_path / name for name in names)

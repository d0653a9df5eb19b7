"""`connectors demo`: what it shows is what happens, and it leaves nothing behind."""

import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from connectors._command._demo import PROGRAM, report
from connectors._command._failures import Failure
from connectors.local import serve
from connectors.local._demo import Demo, Measured, demo
from tests.command.support import COMMAND, Terminal, command, environment
from tests.loops import REAL_ASYNCIO, on
from transports import Request, Response, Secret
from transports.mock import json_response


def nothing() -> None:
    pass


def test_ten_thousand_calls_are_as_many_requests_by_hand_and_one_with_the_sdk(
    tmp_path: Path,
) -> None:
    ran = command(tmp_path / "unused.db", "demo", TMPDIR=str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    rows = [re.split(r" {2,}", line) for line in ran.stdout.splitlines()[1:3]]
    assert rows[0][:3] == ["by hand", "10,000", "10,000"]
    assert rows[1][:3] == ["base44-connectors", "10,000", "1"]
    assert [row[4] for row in rows] == ["none", "none"]
    assert len(ran.stderr.splitlines()) == 3
    assert "\x1b" not in ran.stdout + ran.stderr
    assert list(tmp_path.iterdir()) == []
    assert ran.stdout.endswith(f"The same in ten lines of Python:\n\n{PROGRAM}\n")


def test_the_ten_lines_are_ten_and_do_the_same(tmp_path: Path) -> None:
    assert len([line for line in PROGRAM.splitlines() if line]) == 10
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment(tmp_path / "unused.db", TMPDIR=str(tmp_path)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("10000 connections\n", "")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    with Terminal(tmp_path / "unused.db", "demo", TMPDIR=str(tmp_path)) as terminal:
        terminal.expect("100/10000")
        # Who is impatient does not keep it from cleaning up.
        terminal.type("\x03\x03\x03")
        assert terminal.wait() == 130
        assert "Traceback" not in terminal.text
        # The cursor is shown again.
        assert terminal.raw.rfind("\x1b[?25h") > terminal.raw.rfind("\x1b[?25l")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ignoring", [False, True])
def test_it_ends_when_it_is_told_to(tmp_path: Path, ignoring: bool) -> None:  # noqa: FBT001
    trap = 'trap "" INT; ' if ignoring else ""
    process = subprocess.Popen(
        ["sh", "-c", f'{trap}exec "$@"', "sh", *COMMAND, "demo"],
        env=environment(tmp_path / "unused.db", TMPDIR=str(tmp_path)),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stderr is not None
        while "by hand" not in process.stderr.readline():
            pass
        process.terminate()
        assert process.wait(60) == 130
        assert "Traceback" not in process.stderr.read()
    assert list(tmp_path.iterdir()) == []


WAYS = [Demo.by_hand, Demo.with_sdk]
Way = Callable[[Demo, int, Callable[[], None]], Awaitable[Measured]]


@on(REAL_ASYNCIO)
@pytest.mark.parametrize("way", WAYS)
async def test_each_call_that_ends_is_a_step(way: Way) -> None:
    steps: list[None] = []
    async with demo() as running:
        measured = await way(running, 20, lambda: steps.append(None))
    assert len(steps) == measured.calls == measured.answered == 20
    assert measured.seconds > 0


@on(REAL_ASYNCIO)
@pytest.mark.parametrize(
    ("way", "kind"), [(Demo.by_hand, "ClientResponseError"), (Demo.with_sdk, "UnauthorizedError")]
)
async def test_calls_that_fail_are_counted_by_their_error(way: Way, kind: str) -> None:
    async with demo() as running:
        wrong = Demo(running.url, Secret("wrong"), running.backend)
        measured = await way(wrong, 20, nothing)
    assert measured.answered == 0
    assert measured.errors == {kind: 20}


class Liar:
    requests = 0

    async def handle(self, _: Request) -> Response:
        return json_response({"access_token": "another", "integration_type": "slack"})


@on(REAL_ASYNCIO)
@pytest.mark.parametrize("way", WAYS)
async def test_a_wrong_token_is_no_answer(way: Way) -> None:
    async with serve(Liar()) as server:
        measured = await way(Demo(server.url, Secret("any"), Liar()), 20, nothing)
    assert measured.answered == 0
    assert measured.errors == {"wrong token": 20}


def test_calls_that_the_sdk_did_not_answer_are_a_failure_and_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = Measured(10_000, 10_000, 10_000, 1.5, {})
    bad = Measured(10_000, 0, 3, 1.5, {"ServerError": 9_999, "TimedOutError": 1})
    with pytest.raises(Failure, match="not all"):
        report(good, bad)
    assert "9,999 ServerError, 1 TimedOutError" in capsys.readouterr().out

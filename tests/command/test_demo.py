"""`connectors demo`: what it shows is what happens, and it leaves nothing behind."""

import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from connectors._command._demo import PROGRAM, Results, report
from connectors._command._failures import Failure
from connectors.local import serve
from connectors.local._demo import Demo, Measured, demo
from tests.command.support import COMMAND, Terminal, command, environment
from tests.loops import REAL_ASYNCIO, on
from transports import Request, Response, Secret
from transports.mock import json_response


def nothing() -> None:
    pass


def test_not_one_call_fails_though_the_token_expires_and_is_renewed_meanwhile(
    tmp_path: Path,
) -> None:
    began = time.monotonic()
    ran = command(tmp_path / "unused.db", "demo", TMPDIR=str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    # Whatever else the machine does meanwhile, which a quieter one does not.
    assert time.monotonic() - began < 60
    by_hand, with_sdk, while_it_expires = (
        re.split(r" {2,}", line) for line in ran.stdout.splitlines()[1:4]
    )
    assert by_hand[:3] == ["at once, by hand", "10,000", "10,000"]
    assert with_sdk[:4] == ["at once, base44-connectors", "10,000", "1", "1"]
    assert while_it_expires[:2] == ["over 9 s, base44-connectors", "10,000"]
    assert int(while_it_expires[3]) > 1
    assert [row[5] for row in (by_hand, with_sdk, while_it_expires)] == ["none"] * 3
    assert re.search(r"renewed it [1-9]\d* times meanwhile", ran.stdout)
    assert len(ran.stderr.splitlines()) == 4
    assert "\x1b" not in ran.stdout + ran.stderr
    assert list(tmp_path.iterdir()) == []
    assert ran.stdout.endswith(f"in ten lines of Python:\n\n{PROGRAM}\n")


def test_the_ten_lines_are_ten_and_do_the_same(tmp_path: Path) -> None:
    assert len([line for line in PROGRAM.splitlines() if line]) == 10
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment(tmp_path / "unused.db", TMPDIR=str(tmp_path)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
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
        assert any("by hand" in line for line in process.stderr)
        process.terminate()
        assert process.wait(60) == 130
        assert "Traceback" not in process.stderr.read()
    assert list(tmp_path.iterdir()) == []


WAYS = [Demo.by_hand, Demo.with_sdk, partial(Demo.for_a_while, seconds=0.1)]
NAMES = ["by hand", "with sdk", "for a while"]
Way = Callable[[Demo, int, Callable[[], None]], Awaitable[Measured]]


@on(REAL_ASYNCIO)
@pytest.mark.parametrize("way", WAYS, ids=NAMES)
async def test_each_call_that_ends_is_a_step(way: Way) -> None:
    steps: list[None] = []
    async with demo() as running:
        measured = await way(running, 20, lambda: steps.append(None))
    assert len(steps) == measured.calls == measured.answered == 20
    assert measured.seconds > 0


@on(REAL_ASYNCIO)
@pytest.mark.parametrize(
    ("way", "kind"),
    [
        (WAYS[0], "ClientResponseError"),
        (WAYS[1], "UnauthorizedError"),
        (WAYS[2], "UnauthorizedError"),
    ],
    ids=NAMES,
)
async def test_calls_that_fail_are_counted_by_their_error(way: Way, kind: str) -> None:
    async with demo() as running:
        wrong = Demo(running.url, Secret("wrong"), running.backend, running.provider)
        measured = await way(wrong, 20, nothing)
    assert measured.answered == 0
    assert measured.errors == {kind: 20}


class Liar:
    requests = 0

    async def handle(self, _: Request) -> Response:
        return json_response({"access_token": "another", "integration_type": "slack"})


@on(REAL_ASYNCIO)
async def test_a_token_that_the_provider_refuses_is_no_answer() -> None:
    async with serve(Liar()) as server, demo() as running:
        lied_to = Demo(server.url, Secret("any"), Liar(), running.provider)
        measured = await lied_to.for_a_while(20, nothing, seconds=0.1)
    assert measured.answered == 0
    assert measured.errors == {"RefusedTokenError": 20}


def test_calls_that_the_sdk_did_not_answer_are_a_failure_and_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = Measured(10_000, 10_000, 10_000, 1, 1.5, {})
    bad = Measured(10_000, 0, 3, 0, 1.5, {"ServerError": 9_999, "TimedOutError": 1})
    for results in (Results(good, bad, good, 1), Results(good, good, bad, 1)):
        with pytest.raises(Failure, match="not all"):
            report(results)
        assert "9,999 ServerError, 1 TimedOutError" in capsys.readouterr().out

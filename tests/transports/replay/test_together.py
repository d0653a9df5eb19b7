"""Processes that record into the same file at the same time leave it whole, with all that they
recorded; and what is killed while it writes leaves the file that was there.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.loops import REAL, on
from tests.transports.replay.cassettes import get, interactions, numbered, play, record
from transports import Response
from transports.mock import MockTransport
from transports.replay import CassetteError, Mode, ReplayTransport
from transports.replay._files import locked

RECORD = """
import anyio, sys
from transports import Request, Response
from transports.mock import MockTransport
from transports.replay import ReplayTransport

async def main(path, mode, name, count):
    inner = MockTransport(lambda request: Response(200, {}, b"x" * 2000))
    transport = ReplayTransport(path, mode, inner)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        await transport.send(Request("GET", f"https://service.example/{name}/{number}"))
        transport.save()
    await transport.send(Request("GET", "https://service.example/shared"))
    await transport.aclose()

anyio.run(main, *sys.argv[1:])
"""


COUNT = 6


def recorders(
    path: Path, mode: Mode, names: Sequence[str], count: int
) -> list[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RECORD, str(path), mode, name, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        for name in names
    ]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == b"ready\n"
    return started


def go(started: Sequence[subprocess.Popen[bytes]]) -> None:
    for one in started:
        assert one.stdin is not None
        one.stdin.write(b"go\n")
        one.stdin.flush()


@on(REAL[:1])
@pytest.mark.parametrize("mode", ["once", "new_episodes", "all"])
async def test_processes_that_record_the_same_file_do_not_destroy_it(
    tmp_path: Path, mode: Mode
) -> None:
    path = tmp_path / "a.json"
    if mode != "once":
        await record(path, [get("/before")])
    started = recorders(path, mode, ["one", "two", "three"], COUNT)
    go(started)
    for one in started:
        with one:
            assert one.wait(60) == 0
    asked = [
        one["request"]["uri"].removeprefix("https://service.example/") for one in interactions(path)
    ]
    own = [f"{name}/{number}" for name in ("one", "two", "three") for number in range(COUNT)]
    before = ["before"] if mode == "new_episodes" else []
    # What each of them asked for once, a test that plays asks for once.
    assert sorted(asked) == sorted([*own, *before, "shared"])
    for name in ("one", "two", "three"):
        numbers = [one for one in asked if one.startswith(f"{name}/")]
        assert numbers == [f"{name}/{number}" for number in range(COUNT)]
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


@on(REAL[:1])
async def test_a_recorder_that_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    await record(path, [get("/before")])
    for _ in range(5):
        (one,) = recorders(path, "new_episodes", ["one"], 100_000)
        with one:
            go([one])
            size = path.stat().st_size
            while path.stat().st_size <= size:
                assert one.poll() is None
            one.send_signal(signal.SIGKILL)
        json.loads(path.read_text())
        drafts = [one for one in tmp_path.iterdir() if one.name != "a.json"]
        for draft in drafts:
            draft.unlink()
    assert interactions(path)[0]["request"]["uri"].endswith("/before")


@on(REAL)
async def test_a_file_that_was_removed_meanwhile_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    await record(path, [get("/before")])
    async with ReplayTransport(path, "new_episodes", MockTransport(numbered())) as transport:
        await play(transport, get("/a"))
        path.unlink()
    assert [one["request"]["uri"][-2:] for one in interactions(path)] == ["re", "/a"]


@on(REAL)
async def test_what_others_recorded_meanwhile_is_not_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    first = ReplayTransport(path, "once", MockTransport(numbered()))
    second = ReplayTransport(path, "once", MockTransport(numbered()))
    await play(first, get("/a"), get("/b"))
    await play(second, get("/a"), get("/a"), get("/c"))
    await first.aclose()
    await second.aclose()
    asked = [one["request"]["uri"][-1] for one in interactions(path)]
    assert asked == ["a", "b", "a", "c"]


@on(REAL[:1])
async def test_who_waits_too_long_for_another_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    transport = ReplayTransport(path, "all", MockTransport(numbered()))
    await play(transport, get("/a"))
    errors: list[CassetteError] = []

    def save() -> None:
        try:
            transport.save()
        except CassetteError as error:
            errors.append(error)

    with locked(tmp_path):
        waiting = threading.Thread(target=save)
        waiting.start()
        waiting.join(60)
    (error,) = errors
    assert "Another process has been writing in" in str(error)
    transport.save()
    assert len(interactions(path)) == 1


@on(REAL)
async def test_what_was_scrubbed_again_is_not_taken_for_what_others_recorded(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.json"
    opaque = "opaque-8172635445"
    await record(path, [get("/a")], lambda _: Response(200, body=opaque.encode()))
    transport = ReplayTransport(path, "new_episodes", MockTransport(numbered()))
    assert await play(transport, get("/a")) == [opaque]
    # Only this shows that what the file holds is a secret.
    await transport.send(get("/b", headers={"authorization": f"Bearer {opaque}"}))
    transport.save()
    assert opaque not in path.read_text()
    await play(transport, get("/a"))
    await transport.aclose()
    assert [one["request"]["uri"][-1] for one in interactions(path)] == ["a", "b", "a"]

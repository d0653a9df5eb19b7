"""The benchmarks compare what ran in the same round, and leave nothing behind."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.error import URLError
from xml.etree import ElementTree as ET

import pytest

from benchmarks._cases import Case, Contender, Target, at_least, at_most
from benchmarks._report import table
from benchmarks._servers import json_server
from benchmarks._turns import Outcome, Spread, play
from benchmarks._workers import WorkerFailedError, WorkerMissingError, start

ROOT = Path(__file__).parent.parent

# A worker that takes as long as it is told to: seconds of CPU, one run after the other.
SCRIPTED = """
import json, sys
name, log, *seconds = sys.argv[1:]
print(json.dumps({"ready": {"scripted": "1.0"}}), flush=True)
for line, cpu in zip(sys.stdin, seconds):
    with open(log, "a") as file:
        file.write(name)
    calls = json.loads(line)["calls"]
    reply = {"calls": calls, "cpu": float(cpu), "wall": 1.0, "figures": {}}
    print(json.dumps(reply), flush=True)
"""


def scripted(name: str, log: Path, seconds: Sequence[float]) -> Contender:
    command = (sys.executable, "-c", SCRIPTED, name, str(log), *map(str, seconds))
    return Contender(name, command)


def played(case: Case, rounds: int) -> Outcome:
    return play(case, rounds, lambda _: None)


def test_a_ratio_is_taken_within_a_round(tmp_path: Path) -> None:
    # The machine is slower from round to round; the first run of each is no round.
    a = scripted("a", tmp_path / "log", (9, 1, 2, 4))
    b = scripted("b", tmp_path / "log", (1, 2, 4, 8))
    outcome = played(Case("case", (a, b), calls=1_000_000), 3)
    assert outcome.rows[0].figures == (1.0, 2.0, 4.0)
    assert outcome.rows[1].ratio == Spread(0.5, 0.5, 0.5)
    assert outcome.rows[0].ratio is None


def test_the_order_rotates(tmp_path: Path) -> None:
    contenders = [scripted(name, tmp_path / "log", (1,) * 5) for name in "abc"]
    played(Case("case", tuple(contenders), calls=1), 4)
    assert (tmp_path / "log").read_text() == "abc" + "abc" + "bca" + "cab" + "abc"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (at_most(0.5), "at most 0.5: met"),
        (at_most(0.49), "at most 0.49: MISSED"),
        (at_least(0.5), "at least 0.5: met"),
        (at_least(0.51), "at least 0.51: MISSED"),
    ],
    ids=str,
)
def test_a_promise_is_compared_with_the_median(tmp_path: Path, target: Target, said: str) -> None:
    a = scripted("a", tmp_path / "log", (1, 1, 1, 9))
    b = scripted("b", tmp_path / "log", (2, 2, 2, 2))
    outcome = played(Case("case", (a, b), {"b": target}, calls=1), 3)
    assert outcome.rows[1].met is said.endswith("met")
    assert said in table([outcome])


def test_calls_are_as_many_as_take_a_fifth_of_a_second(tmp_path: Path) -> None:
    # Once for nothing, then 64 and 256 calls, of which these are long enough to be sure.
    a = scripted("a", tmp_path / "log", (1, 0.025, 0.1, 1, 1, 1))
    assert played(Case("case", (a,)), 2).calls == 512


def test_who_is_not_on_this_machine_is_left_out(tmp_path: Path) -> None:
    a = scripted("a", tmp_path / "log", (1,) * 3)
    reply = json.dumps({"missing": "No module named 'absent'"})
    b = Contender("b", (sys.executable, "-c", f"print({reply!r})"))
    c = Contender("c", (str(tmp_path / "absent"),))
    outcome = played(Case("case", (a, b, c), {"b": at_most(1)}, calls=1), 2)
    assert [row.name for row in outcome.rows] == ["a"]
    assert outcome.left_out["b"] == "No module named 'absent'"
    assert "there is no program" in outcome.left_out["c"]
    assert "left out: No module named 'absent'" in table([outcome])
    with pytest.raises(WorkerMissingError, match="b: No module named 'absent'"):
        played(Case("case", (b, a), calls=1), 2)


def test_when_a_worker_breaks_down_the_others_end(tmp_path: Path) -> None:
    a, b = (scripted(name, tmp_path / "log", times) for name, times in (("a", ()), ("b", (1,))))
    with ExitStack() as stack:
        workers, _ = start((a, b), stack)
        with pytest.raises(WorkerFailedError, match="the worker of a ended with 0"):
            workers[a].run("call", 1, 1)
    assert workers[b].process.returncode is not None


def test_the_server_answers_the_same_to_all_and_ends_with_the_benchmark() -> None:
    with json_server('{"a": 1}') as url:
        for path in ("/", "/some/where?else"):
            with urllib.request.urlopen(url + path) as answer:
                assert answer.read() == b'{"a": 1}'
                assert answer.headers["Content-Type"] == "application/json"
    with pytest.raises(URLError):
        urllib.request.urlopen(url)


def test_a_benchmark_says_what_it_measured_and_keeps_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.mock", "--rounds", "2", "--out", str(tmp_path)]
    only = ["--only", "1 in flight, asyncio"]
    done = subprocess.run(
        [*command, *only], cwd=ROOT, capture_output=True, check=True, text=True, timeout=120
    )
    assert "get_connection" in done.stdout
    written = json.loads((tmp_path / "mock.json").read_bytes())
    (case,) = written["cases"]
    assert case["unit"] == "us of CPU a call"
    assert [len(one["figures"]) for one in case["contenders"]] == [2, 2]
    assert {"Python", "anyio"} <= case["contenders"][0]["versions"].keys()
    assert written["machine"]["cores"]
    assert ET.parse(tmp_path / "mock.svg").getroot().tag.endswith("svg")

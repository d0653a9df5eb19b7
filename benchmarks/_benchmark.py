"""What makes a script a benchmark: `main` is its command line, for itself and for its workers.

    WORKERS = {"ours": Work(ours, ("aiohttp",)), "httpx": Work(httpx, ("httpx",))}

    @contextmanager
    def cases() -> Iterator[list[Case]]:
        with json_server('{"a": 1}') as url:
            yield [
                Case(
                    "get, asyncio",
                    (
                        Contender("ours", python("calls", "ours", "asyncio", url)),
                        Contender("httpx", python("calls", "httpx", "asyncio", url)),
                    ),
                    targets={"httpx": at_most(0.4)},
                )
            ]

    if __name__ == "__main__":
        main("calls", "What a call costs", cases, WORKERS, serves=True)

`cases` keeps the servers running for as long as it is open. The command is

    python -m benchmarks.calls --rounds 15 --only asyncio --out benchmarks/results

and that of a worker `python -m benchmarks.calls worker ours asyncio http://127.0.0.1:4321`.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from benchmarks._cases import Case
from benchmarks._machine import machine, pinning
from benchmarks._plot import plot
from benchmarks._report import document, table, write
from benchmarks._servers import server_name
from benchmarks._turns import Outcome, play
from benchmarks._worker import Work, work

RESULTS: Final = Path(__file__).parent / "results"


def main(
    name: str,
    title: str,
    cases: Callable[[], AbstractContextManager[Sequence[Case]]],
    works: Mapping[str, Work],
    *,
    serves: bool = False,
) -> None:
    """Run the benchmark, or be one of its workers, as the command line says.

    Args:
        name: The module's, and of the files with the results.
        title: What it is about, for a person.
        cases: What is compared.
        works: Its workers, by name.
        serves: Do they ask a `json_server`? Then the results say which it was.
    """
    if sys.argv[1:2] == ["worker"]:
        work(works, *sys.argv[2:])
        return
    arguments = parser(title).parse_args()
    try:
        with cases() as all_cases:
            chosen = [case for case in all_cases if arguments.only in case.name]
            outcomes = [play(case, arguments.rounds, _progress) for case in chosen]
    except KeyboardInterrupt:
        sys.exit("\nstopped; nothing was written")
    _progress("")
    if outcomes:
        about = {
            "benchmark": name,
            "title": title,
            "date": time.strftime("%Y-%m-%d"),
            "rounds": arguments.rounds,
            "machine": machine(),
            "pinning": pinning(),
            **({"server": server_name()} if serves else {}),
        }
        _publish(about, outcomes, arguments.out)
    else:
        print(f"no case has {arguments.only!r} in its name")


def parser(title: str) -> argparse.ArgumentParser:
    """The command line of each benchmark and of the suite."""
    made = argparse.ArgumentParser(description=title)
    made.add_argument("--rounds", type=_rounds, default=15, help="turns that count (15)")
    made.add_argument("--only", default="", help="cases with this in their name")
    made.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    return made


def _rounds(given: str) -> int:
    rounds = int(given)
    if rounds < 2:
        raise argparse.ArgumentTypeError("quartiles need two rounds at least")
    return rounds


def _publish(about: Mapping[str, Any], outcomes: Sequence[Outcome], folder: Path) -> None:
    title, machine = about["title"], about["machine"]
    where = f"{machine['cpu']}, {machine['python']}, {about['pinning']}"
    note = f"{where}; medians of {about['rounds']} rounds"
    print(f"{title}\n{note}\n\n{table(outcomes)}\n")
    for kind, text in {
        "json": document(outcomes, about),
        "svg": plot(title, note, outcomes),
    }.items():
        file = f"{about['benchmark']}.{kind}"
        print(f"written: {write(folder, file, text)}")


def _progress(told: str) -> None:
    # On a terminal one line that changes; in a log the beginning of each case.
    if sys.stderr.isatty():
        print(f"\r\x1b[K{told}", end="", file=sys.stderr, flush=True)
    elif told.endswith("warming up"):
        print(told, file=sys.stderr, flush=True)

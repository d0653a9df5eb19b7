"""What is printed: for a person on a terminal of any kind, for a pipe, and for nobody."""

import os
import re
import subprocess
from pathlib import Path

import anyio
import pytest

from connectors._command._output import shown, steps
from connectors.catalog import integrations
from connectors.local import Grant, Owner, Vault
from tests.command.support import COMMAND, TOKEN, Terminal, command, environment

CODES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    async def connect() -> None:
        async with Vault(tmp_path / "vault.db") as vault:
            grant = Grant("slack", TOKEN, account_label="[bold]caf\u00e9[/bold] :smile:")
            await vault.put(Owner.app("local", "slack"), grant)

    anyio.run(connect)
    return tmp_path / "vault.db"


def writing_to(vault: Path, output: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(vault),
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("text", "as_shown"),
    [
        ("caf\u00e9 \u65e5\u672c", "caf\u00e9 \u65e5\u672c"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202eevil", "\\u202eevil"),
        ("\x9b31m", "\\x9b31m"),
        ("\udcff", "\\udcff"),
        ("\U000e0001", "\\U000e0001"),
        (7, "7"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(text: object, as_shown: str) -> None:
    assert shown(text) == as_shown


@pytest.mark.parametrize("arguments", [("list",), ("list-available",), ("get", "slack")])
def test_a_terminal_gets_bold_headings_and_a_pipe_gets_nothing_but_text(
    vault: Path, arguments: tuple[str, ...]
) -> None:
    with Terminal(vault, *arguments) as terminal:
        assert terminal.wait() == 0
        assert CODES.search(terminal.raw)
    assert "\x1b" not in command(vault, *arguments).stdout


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none(vault: Path, name: str, value: str) -> None:
    with Terminal(vault, "list", columns=100, **{name: value}) as terminal:
        assert terminal.wait() == 0
        assert "slack" in terminal.text
        assert "\x1b" not in terminal.raw


def test_a_label_is_text_and_no_markup(vault: Path) -> None:
    with Terminal(vault, "list") as terminal:
        assert terminal.wait() == 0
        assert "[bold]caf\u00e9[/bold] :smile:" in terminal.text


def test_what_the_output_can_not_have_is_written_as_an_escape(vault: Path) -> None:
    label = ("--account", "caf\u00e9 \u65e5")
    assert command(vault, "connect", "slack", *label, stdin="token").returncode == 0
    ran = subprocess.run(
        [*COMMAND, "list"],
        env=environment(vault, PYTHONIOENCODING="latin-1"),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert b"caf\xe9 \\u65e5 " in ran.stdout
    with Terminal(vault, "list", PYTHONIOENCODING="latin-1") as terminal:
        assert terminal.wait() == 0
        assert "\\u65e5" in terminal.text


def test_on_a_narrow_terminal_nothing_is_lost(vault: Path) -> None:
    with Terminal(vault, "list-available", columns=48) as terminal:
        assert terminal.wait() == 0
        lines = terminal.text.splitlines()
    assert max(map(len, lines)) <= 48
    # A name can be copied in one piece.
    assert [line.split(" ")[0] for line in lines[1:] if line[:1].strip()] == list(integrations())
    assert "\u2026" not in terminal.text


def test_a_terminal_has_no_room_for_columns_of_nothing_and_a_pipe_always_has_all(
    vault: Path,
) -> None:
    with Terminal(vault, "list", columns=60) as terminal:
        assert terminal.wait() == 0
        heads = terminal.text.splitlines()[0].split()
    assert heads == ["type", "state", "account", "since"]
    piped = command(vault, "list").stdout.splitlines()[0].split()
    assert piped == ["type", "connector", "user", "state", "account", "since", "ends", "scopes"]


def test_in_a_pipe_a_row_is_a_line_however_long(vault: Path) -> None:
    lines = command(vault, "list-available", COLUMNS="40").stdout.splitlines()
    assert len(lines) == 1 + len(integrations())
    assert all(line == line.rstrip() for line in lines)


def test_a_reader_who_has_had_enough_is_no_reason_for_words(vault: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing):
        for arguments in (("list",), ("list-available", "--json"), ("get", "slack", "--reveal")):
            ran = writing_to(vault, writing, *arguments)
            assert (ran.returncode, ran.stderr) == (1, "")


def test_a_full_disk_is_told(vault: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = writing_to(vault, full.fileno(), "list")
    assert (ran.returncode, ran.stderr) == (1, "Error: No space left on device\n")


@pytest.mark.parametrize(
    "arguments", [("list",), ("list", "--json"), ("get", "slack", "--reveal"), ("--help",)]
)
def test_without_an_output_what_was_asked_for_is_not_there(
    vault: Path, arguments: tuple[str, ...]
) -> None:
    ran = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, *arguments],
        env=environment(vault),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    assert (ran.returncode, ran.stderr) == (1, "Error: Standard output is closed\n")


def test_without_an_output_and_without_errors_there_is_still_the_exit_code(vault: Path) -> None:
    closed = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *COMMAND, "list"]
    assert subprocess.run(closed, env=environment(vault), check=False, timeout=120).returncode == 1


@pytest.mark.parametrize(("total", "moves"), [(46, 46), (10_000, 100)])
def test_a_bar_moves_for_a_few_steps_and_not_for_every_one_of_many(total: int, moves: int) -> None:
    told: list[tuple[int, int]] = []
    step = steps(total, lambda done, of: told.append((done, of)))
    for _ in range(total):
        step()
    assert len(told) == moves + 1
    assert (told[0], told[-1]) == ((0, total), (total, total))

"""Whatever goes wrong, a person gets a few lines and a program an exit code."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from connectors import ServerError, __version__
from connectors._command._failures import FAILED, INTERRUPTED, WRONG_USAGE, Failure, exit_code
from connectors.local import VaultBusyError
from tests.command.support import command, environment, here


def raising(error: BaseException) -> Callable[[], object]:
    def work() -> object:
        raise error

    return work


def aborted_by(cause: BaseException | None) -> click.Abort:
    error = click.Abort()
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (Failure("No."), FAILED, "Error: No.\n"),
        (click.UsageError("No such option."), WRONG_USAGE, "Error: No such option.\n"),
        (ServerError("Down", status=500), FAILED, "Error: Down (500). The service has a fault"),
        (VaultBusyError(Path("v.db"), "is busy"), FAILED, "v.db"),
        (FileNotFoundError(2, "No such file", "f.txt"), FAILED, "Error: f.txt: No such file\n"),
        (OSError("odd"), FAILED, "Error: odd\n"),
        (aborted_by(None), FAILED, ""),
        (aborted_by(KeyboardInterrupt()), INTERRUPTED, ""),
        (KeyboardInterrupt(), INTERRUPTED, ""),
    ],
)
def test_an_error_is_a_code_and_a_few_lines(
    error: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(raising(error)) == code
    shown = capsys.readouterr()
    assert says in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_a_bug_is_told_with_its_lines_and_without_locals_or_tokens(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def work() -> object:
        local = f"planted-{tmp_path.name}"
        raise LookupError(bool(local), "xoxb-1234567890-planted")

    assert exit_code(work) == FAILED
    shown = capsys.readouterr().err
    assert shown.startswith("Error: this is a bug in connectors; please report it")
    assert "LookupError: (True, '[redacted]')" in shown
    assert "in work" in shown
    assert f"planted-{tmp_path.name}" not in shown


def test_a_token_in_an_error_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code(raising(Failure("got xoxb-1234567890-planted")))
    assert "planted" not in capsys.readouterr().err


@pytest.mark.parametrize(("done", "code"), [(None, 0), ("text", 0), (3, 3)])
def test_what_works_is_zero_or_the_code_that_click_gives(done: object, code: int) -> None:
    assert exit_code(lambda: done) == code


def test_an_unknown_command_names_its_neighbours(tmp_path: Path) -> None:
    ran = command(tmp_path / "v.db", "conect", "slack")
    assert ran.returncode == WRONG_USAGE
    assert "There is no command 'conect'. Did you mean connect" in ran.stderr
    assert "Try 'connectors --help'" in ran.stderr


def test_an_unknown_command_like_no_other_names_none(tmp_path: Path) -> None:
    ran = command(tmp_path / "v.db", "zzz")
    assert "There is no command 'zzz'.\n" in ran.stderr


def test_without_a_command_there_is_the_help(tmp_path: Path) -> None:
    ran = command(tmp_path / "v.db")
    assert ran.returncode == WRONG_USAGE
    assert "list-available" in ran.stderr


def test_help_lists_every_command_with_examples(tmp_path: Path) -> None:
    ran = command(tmp_path / "v.db", "--help")
    assert ran.returncode == 0
    for name in ("demo", "connect", "list", "get", "disconnect", "dev", "list-available"):
        assert f"\n  {name} " in ran.stdout
        own = command(tmp_path / "v.db", name, "--help")
        assert (own.returncode, own.stderr) == (0, "")
        assert f"connectors {name}" in own.stdout


def completed(vault: Path, words: str, number: int) -> list[str]:
    variables = {
        "_CONNECTORS_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(number),
    }
    code = "import sys; sys.argv = ['connectors']; from connectors.__main__ import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(vault, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    found = [line.partition(",")[2] for line in ran.stdout.splitlines()]
    return [name for name in found if name]


def test_a_shell_completes_types_and_commands(tmp_path: Path) -> None:
    vault = tmp_path / "v.db"
    assert completed(vault, "connectors get sla", 2) == ["slack", "slackbot"]
    assert completed(vault, "connectors list", 1) == ["list", "list-available"]
    assert completed(vault, "connectors nothing x", 2) == []


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path) -> None:
    # None in its place hides a module from every import.
    code = (
        "import sys; sys.modules['click'] = sys.modules['rich'] = None\n"
        "from connectors.__main__ import main; main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tmp_path / "v.db"),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 2
    assert ran.stderr == (
        "The connectors command needs click, rich: pip install 'base44-connectors[local]'\n"
    )


def test_the_version_is_told(tmp_path: Path) -> None:
    assert here(tmp_path / "v.db", "--version").out == f"base44-connectors {__version__}\n"

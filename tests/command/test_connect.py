"""`connectors connect` and the ways in which a token may and may not come in."""

import fcntl
import json
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.command.support import COMMAND, TOKEN, Terminal, environment, here


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


def revealed(vault: Path, *arguments: str) -> str:
    ran = here(vault, "get", *arguments, "--reveal")
    return ran.out if ran.code == 0 else ran.err


def interrupted(process: "subprocess.Popen[bytes]") -> int:
    """The exit code after Ctrl-C; one that comes just before a read begins is seen after it."""
    for _ in range(60):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(1)
    raise AssertionError("it does not end")


def test_a_token_is_taken_from_standard_input_without_the_end_of_its_line(vault: Path) -> None:
    for given in (TOKEN, f"{TOKEN}\n", f"{TOKEN}\r\n"):
        ran = here(vault, "connect", "slack", stdin=given)
        assert (ran.code, ran.err) == (0, "")
        assert revealed(vault, "slack") == f"{TOKEN}\n"
        assert TOKEN not in ran.out


def test_a_second_token_takes_the_place_of_the_first(vault: Path) -> None:
    assert here(vault, "connect", "slack", stdin="first").out == (
        "Connected slack of the app local.\n"
    )
    assert here(vault, "connect", "slack", stdin="second").out == (
        "Connected slack of the app local, in place of what was there.\n"
    )
    assert revealed(vault, "slack") == "second\n"


def test_on_a_terminal_the_token_is_asked_for_and_not_shown(vault: Path) -> None:
    with Terminal(vault, "connect", "slack", "--with-token") as terminal:
        terminal.expect("Access token of Slack User (it is not shown): ")
        assert not terminal.echoes()
        terminal.type(f"{TOKEN}\n")
        assert terminal.wait() == 0
        assert "Connected slack of the app local." in terminal.text
        assert TOKEN not in terminal.raw
    assert revealed(vault, "slack") == f"{TOKEN}\n"


def test_ctrl_c_at_the_prompt_ends_it_with_nothing_kept_and_the_terminal_as_it_was(
    vault: Path,
) -> None:
    with Terminal(vault, "connect", "slack", "--with-token") as terminal:
        terminal.expect("it is not shown")
        terminal.type("half-a-tok")
        assert terminal.interrupt() == 130
        assert terminal.echoes()
        assert "Traceback" not in terminal.text
        assert "half-a-tok" not in terminal.raw
    assert not vault.exists()


def test_the_end_of_the_input_at_the_prompt_is_no_token(vault: Path) -> None:
    with Terminal(vault, "connect", "slack", "--with-token") as terminal:
        terminal.expect("it is not shown")
        terminal.type("\x04")
        assert terminal.wait() == 2
        assert "Error: There is no token." in terminal.text
    assert not vault.exists()


def test_on_a_terminal_without_a_client_both_ways_are_named(vault: Path) -> None:
    with Terminal(vault, "connect", "slack") as terminal:
        assert terminal.wait() == 1
        assert "There is no OAuth client to ask Slack User for consent with." in terminal.text
        assert "connectors configure slack " in terminal.text
        assert "connectors connect slack --with-token" in terminal.text
    assert not vault.exists()


def test_an_interrupt_while_standard_input_is_read_ends_it_quietly(vault: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "connect", "slack"],
        env=environment(vault),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdin is not None
        # More than this pipe holds: when it is written, the command is reading.
        fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, 4096)
        process.stdin.write(b"x" * 8192)
        process.stdin.flush()
        assert interrupted(process) == 130
        assert process.stderr is not None
        assert process.stderr.read().strip() == b""
    assert not vault.exists()


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("", "There is no token"),
        ("\n", "There is no token"),
        ("two\nlines", "line break"),
        ("one \n\n", "a space"),
        (f"Bearer {TOKEN}", "without 'Bearer'"),
        ("tok\u00e9n", "another character"),
        ("x" * 65537, "too long"),
    ],
)
def test_what_is_no_token_is_refused_without_being_shown(
    vault: Path, token: str, problem: str
) -> None:
    ran = here(vault, "connect", "slack", stdin=token)
    assert ran.code == 2
    assert problem in ran.err
    assert not token.strip() or token.strip() not in ran.err
    assert TOKEN not in ran.err
    assert not vault.exists()


def test_bytes_that_are_no_text_are_no_token(vault: Path) -> None:
    ran = subprocess.run(
        [*COMMAND, "connect", "slack"],
        env=environment(vault),
        input=b"\xff\xfe",
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 2
    assert b"another character" in ran.stderr


def test_a_closed_standard_input_is_no_token(vault: Path) -> None:
    ran = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *COMMAND, "connect", "slack"],
        env=environment(vault),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 2
    assert "There is no token" in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("slack", TOKEN),
        ("slack", "--token", TOKEN),
        ("slack", f"--token={TOKEN}"),
        ("--token", TOKEN),
        (TOKEN, "slack"),
    ],
)
def test_a_token_on_the_command_line_is_refused_with_the_reason_and_not_repeated(
    vault: Path, arguments: tuple[str, ...]
) -> None:
    ran = here(vault, "connect", *arguments, stdin=TOKEN)
    assert ran.code == 2
    assert "not taken from the command line" in ran.err
    assert "history" in ran.err
    assert TOKEN not in ran.err + ran.out


def test_what_is_too_much_is_called_no_token_and_is_not_repeated(vault: Path) -> None:
    ran = here(vault, "connect", "slack", "planted-a", "planted-b")
    assert ran.code == 2
    assert "There are too many arguments: it takes one TYPE." in ran.err
    assert "token" not in ran.err
    assert "planted" not in ran.err


def test_without_a_terminal_it_says_what_a_consent_takes(vault: Path) -> None:
    ran = here(vault, "connect", "gitlab")
    assert ran.code == 2
    assert "For a consent in the browser, run it on a terminal" in ran.err


@pytest.mark.parametrize("arguments", [(TOKEN,), ("slack", f"--{TOKEN}"), (f"--config={TOKEN}",)])
def test_a_token_in_a_wrong_place_is_not_repeated(vault: Path, arguments: tuple[str, ...]) -> None:
    ran = here(vault, "connect", *arguments)
    assert ran.code == 2
    assert TOKEN not in ran.err + ran.out


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("slak", "Did you mean slack"),
        ("Slack", "Did you mean slack"),
        ("google-calendar", "Did you mean googlecalendar"),
        ("zzzz", "type 'zzzz'.\n`connectors list-available` shows all."),
    ],
)
def test_an_unknown_type_is_refused_with_the_nearest_ones(
    vault: Path, given: str, advice: str
) -> None:
    ran = here(vault, "connect", given, stdin=TOKEN)
    assert ran.code == 2
    assert advice in ran.err
    assert "`connectors list-available` shows all." in ran.err
    assert not vault.exists()


def test_each_account_is_one_of_its_own(vault: Path) -> None:
    accounts: dict[str, tuple[str, ...]] = {
        "of-the-app": (),
        "of-the-workspace": ("--connector", "c/1"),
        "of-ada": ("--connector", "c/1", "--user", "ada"),
        "of-bob": ("--connector", "c/1", "--user", "bob"),
        "of-another-app": ("--app-id", "other app"),
    }
    for token, options in accounts.items():
        assert here(vault, "connect", "slack", *options, stdin=token).code == 0
    for token, options in accounts.items():
        assert revealed(vault, "slack", *options) == f"{token}\n"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--user", "ada"), "--user needs --connector"),
        (("--connector", ".."), "--connector must not be '..'"),
        (("--connector", ""), "--connector must not be empty"),
        (("--connector", "c", "--user", ""), "user must be printable text"),
        (("--app-id", "."), "app_id must not be '.'"),
        (("--account", "a\x1b[31m"), "account_label must be printable text"),
        (("--vault", "/"), "is a directory"),
    ],
)
def test_options_that_can_not_be_meant_are_refused(
    vault: Path, options: tuple[str, ...], problem: str
) -> None:
    ran = here(vault, "connect", "slack", *options, stdin=TOKEN)
    assert ran.code == 2
    assert problem in ran.err
    assert "\x1b" not in ran.err
    assert not vault.exists()


@pytest.mark.parametrize("scopes", ["chat:write,users:read", "chat:write  users:read"])
def test_the_scopes_of_a_token_are_separated_as_those_of_a_consent_are(
    vault: Path, scopes: str
) -> None:
    assert here(vault, "connect", "slack", "--scopes", scopes, stdin=TOKEN).code == 0
    [listed] = json.loads(here(vault, "list", "--json").out)
    assert listed["scopes"] == ["chat:write", "users:read"]


def test_a_type_of_which_not_all_is_confirmed_is_connected_with_a_note(vault: Path) -> None:
    ran = here(vault, "connect", "splitwise", stdin=TOKEN)
    assert ran.code == 0
    assert "Note: not all that the catalogue says of splitwise could be confirmed." in ran.err

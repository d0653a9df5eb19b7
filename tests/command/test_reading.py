"""`get`, `list`, `list-available`, `disconnect` and `user-token`."""

import json
import re
from datetime import datetime
from pathlib import Path

import anyio
import pytest

from connectors import Client
from connectors.catalog import integrations
from connectors.local import Grant, Owner, Vault
from tests.command.support import TOKEN, Terminal, command, here


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@pytest.fixture
def connected(vault: Path) -> Path:
    async def connect() -> None:
        async with Vault(vault) as opened:
            owner = Owner.app("local", "slack")
            label = "bot of [red]Acme[/red]"
            grant = Grant("slack", TOKEN, scopes=["chat:write", "users:read"], account_label=label)
            await opened.put(owner, grant)
            for user in ("ada", "bob"):
                mine = Owner.app_user("local", "c-1", user)
                await opened.put(mine, Grant("googlecalendar", f"{TOKEN}-{user}"))
            await opened.put(Owner.workspace("local", "c-2"), Grant("notion", TOKEN))
            await opened.disconnect(Owner.workspace("local", "c-2"))
            # A type that the catalogue does not have, from a newer release or a program.
            config = {"region": "planted-region"}
            await opened.put(
                Owner.app("local", "acme"), Grant("acme", TOKEN, connection_config=config)
            )

    anyio.run(connect)
    return vault


def test_get_hides_the_token_and_says_how_to_see_it(connected: Path) -> None:
    ran = here(connected, "get", "slack")
    assert (ran.code, ran.err) == (0, "")
    assert TOKEN not in ran.out
    assert re.search(r"^access_token +\[hidden; --reveal shows it\]$", ran.out, re.MULTILINE)


def test_get_as_json_has_null_for_what_is_hidden(connected: Path) -> None:
    hidden = json.loads(here(connected, "get", "slack", "--json").out)
    assert hidden == {
        "integration_type": "slack",
        "access_token": None,
        "connection_config": None,
    }
    revealed = json.loads(here(connected, "get", "slack", "--json", "--reveal").out)
    assert revealed == {**hidden, "access_token": TOKEN}


def test_get_reveals_the_token_alone_for_a_shell_to_take(connected: Path) -> None:
    assert here(connected, "get", "slack", "--reveal").out == f"{TOKEN}\n"
    options = ("--connector", "c-1", "--user", "bob", "--reveal")
    assert here(connected, "get", "googlecalendar", *options).out == f"{TOKEN}-bob\n"


def test_values_that_the_catalogue_does_not_know_are_hidden_like_secrets(connected: Path) -> None:
    ran = here(connected, "get", "acme")
    assert "connection_config.region" in ran.out
    assert "planted-region" not in ran.out


@pytest.mark.parametrize("name", ["get", "disconnect"])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("gitlab",), "gitlab of the app local is not connected."),
        (("slak",), "Did you mean slack"),
        (
            ("notion", "--connector", "c-2"),
            "notion (connector c-2) of the app local is not connected",
        ),
        (
            ("googlecalendar", "--connector", "c-1", "--user", "eve"),
            "googlecalendar (connector c-1) of the user eve of the app local is not connected",
        ),
        (
            ("slack", "--connector", "c-1", "--user", "ada"),
            "The connector c-1 is of the type googlecalendar, not slack",
        ),
        (("slack", "--app-id", "other"), "slack of the app other is not connected."),
    ],
)
def test_what_is_not_connected_fails_with_what_to_do_next(
    connected: Path, name: str, arguments: tuple[str, ...], told: str
) -> None:
    ran = here(connected, name, *arguments)
    assert ran.code == 1
    assert told in ran.err
    assert "`connectors connect" in ran.err or "`connectors list" in ran.err
    assert ran.out == ""
    assert len(ran.err.splitlines()) <= 3


@pytest.mark.parametrize("name", ["get", "disconnect"])
def test_a_command_that_only_looks_makes_no_vault(vault: Path, name: str) -> None:
    ran = here(vault, name, "slack")
    assert ran.code == 1
    assert f"There is no vault at {vault}." in ran.err
    assert "--vault or BASE44_VAULT" in ran.err
    assert here(vault, "list").code == 0
    assert list(vault.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["get", "disconnect", "list", "connect", "user-token", "dev"])
def test_a_file_that_is_no_vault_is_told_and_left_alone(vault: Path, name: str) -> None:
    vault.write_text("my diary, and no database at all")
    vault.chmod(0o600)
    argument = () if name in {"list", "dev"} else ("slack",)
    ran = here(vault, name, *argument, stdin=TOKEN)
    assert ran.code == 1
    assert ran.err.startswith(f"Error: {vault}: ")
    assert vault.read_text() == "my diary, and no database at all"


def test_list_has_a_line_for_each_account_and_no_token(connected: Path) -> None:
    ran = here(connected, "list")
    assert (ran.code, ran.err) == (0, "")
    assert TOKEN not in ran.out
    words = [line.split() for line in ran.out.splitlines()]
    assert words[0] == ["type", "connector", "user", "state", "account", "since", "ends", "scopes"]
    assert [(line[0], line[1], line[2], line[3]) for line in words[1:]] == [
        ("acme", "-", "-", "active"),
        ("slack", "-", "-", "active"),
        ("googlecalendar", "c-1", "ada", "active"),
        ("googlecalendar", "c-1", "bob", "active"),
        ("notion", "c-2", "-", "disconnected"),
    ]
    # What looks like markup is a label.
    assert "bot of [red]Acme[/red]" in ran.out
    assert ran.out.splitlines()[2].endswith("chat:write users:read")


def test_list_as_json_is_complete(connected: Path) -> None:
    listed = json.loads(here(connected, "list", "--json").out)
    slack = listed[1]
    times = [datetime.fromisoformat(slack.pop(name)) for name in ("created_at", "updated_at")]
    assert all(time.tzinfo is not None for time in times)
    assert slack == {
        "integration_type": "slack",
        "connector_id": None,
        "user": None,
        "status": "active",
        "reason": None,
        "source": "manual",
        "account": "bot of [red]Acme[/red]",
        "scopes": ["chat:write", "users:read"],
        "expires_at": None,
        "renewable": False,
        "failures": 0,
        "last_error": None,
    }
    assert [entry["user"] for entry in listed[2:4]] == ["ada", "bob"]
    assert listed[4]["connector_id"] == "c-2"


def test_an_empty_list_says_what_to_do_next_and_is_no_failure(vault: Path) -> None:
    ran = here(vault, "list", "--app-id", "mine")
    assert (ran.code, ran.out) == (0, "")
    assert f"Nothing is connected for the app mine in {vault}." in ran.err
    assert "`connectors connect TYPE`" in ran.err
    assert here(vault, "list", "--json").out == "[]\n"


def test_list_available_has_every_type_of_the_catalogue_and_marks_the_unsure(vault: Path) -> None:
    ran = here(vault, "list-available")
    lines = ran.out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(integrations())
    by_type = {line.split()[0]: line for line in lines}
    assert re.search(r" high +-$", by_type["slack"])
    assert " low " in by_type["splitwise"] or " medium " in by_type["splitwise"]
    assert by_type["googleads"].endswith("developer_token [login_customer_id]")


def test_list_available_as_json_tells_what_a_connection_needs(vault: Path) -> None:
    listed = {
        entry["integration_type"]: entry
        for entry in json.loads(here(vault, "list-available", "--json").out)
    }
    assert set(listed) == set(integrations())
    assert listed["slack"]["display_name"] == "Slack User"
    assert listed["slack"]["confidence"] == "high"
    (field,) = listed["bamboohr"]["connection_config_fields"]
    assert field["name"] == "subdomain"
    assert field["required"]
    assert not field["secret"]
    assert field["validation_pattern"]


def test_disconnect_erases_the_token(connected: Path) -> None:
    ran = here(connected, "disconnect", "slack")
    assert ran.code == 0
    assert ran.out == "Disconnected slack of the app local; its token is erased.\n"
    assert here(connected, "get", "slack").code == 1
    assert here(connected, "disconnect", "slack").code == 1
    options = ("--connector", "c-1", "--user", "ada")
    assert here(connected, "disconnect", "googlecalendar", *options).code == 0
    assert here(connected, "get", "googlecalendar", "--connector", "c-1", "--user", "bob").code == 0


def test_on_a_terminal_disconnect_asks_first(connected: Path) -> None:
    question = "Erase the token of slack of the app local? [y/N]:"
    for answer, code in (("n\n", 1), ("\n", 1), ("\x04", 1), ("y\n", 0)):
        assert here(connected, "get", "slack").code == 0
        with Terminal(connected, "disconnect", "slack") as terminal:
            terminal.expect(question)
            terminal.type(answer)
            assert terminal.wait() == code
            assert "Traceback" not in terminal.text
    assert here(connected, "get", "slack").code == 1


def test_ctrl_c_at_the_question_is_no(connected: Path) -> None:
    with Terminal(connected, "disconnect", "slack") as terminal:
        terminal.expect("[y/N]:")
        assert terminal.interrupt() == 130
        assert "Traceback" not in terminal.text
    assert here(connected, "get", "slack").code == 0


def test_on_a_terminal_disconnect_does_not_ask_who_said_yes(connected: Path) -> None:
    with Terminal(connected, "disconnect", "slack", "--yes") as terminal:
        assert terminal.wait() == 0
        assert "?" not in terminal.text


def test_a_user_token_is_good_for_that_user_alone(connected: Path) -> None:
    ran = here(connected, "user-token", "ada")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == here(connected, "user-token", "ada").out
    assert ran.out != here(connected, "user-token", "bob").out
    assert ran.out.startswith("b44u_")


def test_a_user_token_needs_a_name(connected: Path) -> None:
    ran = here(connected, "user-token", "")
    assert ran.code == 2
    assert "user must be printable text" in ran.err


def test_get_has_what_a_program_gets(connected: Path) -> None:
    async def got() -> str:
        async with Client.local(vault=connected) as base44:
            connectors = base44.as_service_role.connectors
            return (await connectors.get_connection("slack")).access_token

    assert anyio.run(got) == here(connected, "get", "slack", "--reveal").out.strip()


def test_the_vault_is_named_by_the_option_before_the_environment(
    connected: Path, tmp_path: Path
) -> None:
    other = tmp_path / "folder" / "other.db"
    assert here(connected, "connect", "slack", "--vault", other, stdin="other").code == 0
    assert here(connected, "get", "slack", "--vault", other, "--reveal").out == "other\n"
    assert here(connected, "get", "slack", "--reveal").out == f"{TOKEN}\n"


def test_without_both_the_vault_lies_in_the_users_data_folder(tmp_path: Path) -> None:
    folders = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    nowhere = Path()
    ran = command(nowhere, "connect", "slack", stdin=TOKEN, BASE44_VAULT="", **folders)
    assert ran.returncode == 0, ran.stderr
    (kept,) = tmp_path.rglob("vault.db")
    assert "base44-connectors" in kept.parts


@pytest.mark.parametrize("arguments", [("list",), ("get", "slack"), ("connect", "slack")])
def test_an_empty_path_is_no_vault(vault: Path, arguments: tuple[str, ...]) -> None:
    ran = here(vault, *arguments, "--vault", "", stdin=TOKEN)
    assert (ran.code, ran.out) == (2, "")
    assert "'--vault'" in ran.err
    assert "a path must not be empty" in ran.err


def test_a_variable_that_is_empty_counts_as_not_there(tmp_path: Path) -> None:
    ran = command(Path(), "list", BASE44_VAULT="", HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path))
    assert f"in {tmp_path / 'base44-connectors' / 'vault.db'}." in ran.stderr

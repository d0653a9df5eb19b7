"""`--config`: the values that a connection needs besides its token."""

import json
from pathlib import Path

import pytest

from tests.command.support import TOKEN, Terminal, here

DEVELOPER_TOKEN = "planted-developer-tok1"


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


def config_of(vault: Path, integration_type: str) -> object:
    ran = here(vault, "get", integration_type, "--json", "--reveal")
    return json.loads(ran.out)["connection_config"]


def test_values_that_match_the_catalogue_are_kept_with_its_defaults(vault: Path) -> None:
    ran = here(vault, "connect", "bamboohr", "--config", "subdomain=acme", stdin=TOKEN)
    assert ran.code == 0, ran.err
    assert config_of(vault, "bamboohr") == {"subdomain": "acme"}
    assert here(vault, "connect", "gitlab", stdin=TOKEN).code == 0
    assert config_of(vault, "gitlab") == {"host": "gitlab.com"}
    assert here(vault, "connect", "slack", stdin=TOKEN).code == 0
    assert config_of(vault, "slack") is None


@pytest.mark.parametrize(
    ("integration_type", "options", "problem"),
    [
        ("bamboohr", (), "connection_config['subdomain'] is missing"),
        ("bamboohr", ("--config", "subdomain=evil/x"), "is not of the expected form"),
        ("bamboohr", ("--config", "sub=acme"), "unknown name, 'sub'"),
        ("bamboohr", ("--config", "subdomain"), "--config takes NAME=VALUE"),
        ("bamboohr", ("--config", "=acme"), "--config takes NAME=VALUE"),
        ("gitlab", ("--config", "host=localhost"), "no public host"),
        ("wix", (), "connection_config['instance_id'] is missing"),
    ],
)
def test_a_value_that_is_missing_or_refused_is_told_with_its_form(
    vault: Path, integration_type: str, options: tuple[str, ...], problem: str
) -> None:
    ran = here(vault, "connect", integration_type, *options, stdin=TOKEN)
    assert ran.code == 2
    assert problem in ran.err
    assert "NAME=VALUE" in ran.err
    assert "evil" not in ran.err
    assert not vault.exists()


def test_a_value_that_is_a_secret_is_not_taken_from_the_command_line(vault: Path) -> None:
    option = f"developer_token={DEVELOPER_TOKEN}"
    ran = here(vault, "connect", "googleads", "--config", option, stdin=TOKEN)
    assert ran.code == 2
    assert "developer_token is a secret" in ran.err
    assert DEVELOPER_TOKEN not in ran.err


def test_a_value_may_come_from_a_file(vault: Path, tmp_path: Path) -> None:
    file = tmp_path / "developer-token"
    file.write_text(f"{DEVELOPER_TOKEN}\n")
    option = f"developer_token=@{file}"
    ran = here(vault, "connect", "googleads", "--config", option, stdin=TOKEN)
    assert ran.code == 0, ran.err
    assert config_of(vault, "googleads") == {"developer_token": DEVELOPER_TOKEN}


def test_a_file_that_can_not_be_read_is_told(vault: Path, tmp_path: Path) -> None:
    option = f"subdomain=@{tmp_path / 'nowhere'}"
    ran = here(vault, "connect", "bamboohr", "--config", option, stdin=TOKEN)
    assert ran.code == 1
    assert "nowhere can't be read: No such file" in ran.err


def test_on_a_terminal_what_is_missing_is_asked_for_and_a_secret_not_shown(vault: Path) -> None:
    with Terminal(vault, "connect", "googleads", "--with-token") as terminal:
        terminal.expect("(it is not shown): ")
        assert "eveloper" in terminal.text
        terminal.type(f"{DEVELOPER_TOKEN}\n")
        terminal.expect("Access token of Google Ads")
        terminal.type(f"{TOKEN}\n")
        assert terminal.wait() == 0
        assert DEVELOPER_TOKEN not in terminal.raw
    with Terminal(vault, "connect", "bamboohr", "--with-token") as terminal:
        terminal.expect("such as acme")
        assert terminal.echoes()
        terminal.type("ours\n")
        terminal.expect("Access token")
        terminal.type(f"{TOKEN}\n")
        assert terminal.wait() == 0
    assert config_of(vault, "googleads") == {"developer_token": DEVELOPER_TOKEN}
    assert config_of(vault, "bamboohr") == {"subdomain": "ours"}


def test_a_secret_value_is_shown_only_when_asked_for(vault: Path, tmp_path: Path) -> None:
    file = tmp_path / "developer-token"
    file.write_text(DEVELOPER_TOKEN)
    options = ("--config", f"developer_token=@{file}", "--config", "login_customer_id=1234567890")
    assert here(vault, "connect", "googleads", *options, stdin=TOKEN).code == 0
    shown = here(vault, "get", "googleads").out
    assert "1234567890" in shown
    assert DEVELOPER_TOKEN not in shown
    as_json = json.loads(here(vault, "get", "googleads", "--json").out)
    assert as_json["connection_config"] == {
        "developer_token": None,
        "login_customer_id": "1234567890",
    }

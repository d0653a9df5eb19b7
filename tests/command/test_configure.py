"""`connectors configure`: what it asks for, what it keeps, and that it shows no secret."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from connectors.local import Owner, Vault
from connectors.local._oauth import OAuthClient
from connectors.local._oauth_records import OAuthApp, StoredOAuthApp
from tests.command.support import Terminal, here
from transports import Secret

SECRET = "planted-client-secret-9e41"
DEVELOPER_TOKEN = "planted-developer-tok1"


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


def app(vault: Path, name: str = "gitlab") -> StoredOAuthApp:
    async def found() -> StoredOAuthApp | None:
        async with Vault(vault) as opened:
            return await opened.apps.get(name)

    kept = anyio.run(found)
    assert kept is not None
    return kept


def configure(vault: Path, name: str, *options: object, stdin: str = f"id\n{SECRET}\n") -> None:
    ran = here(vault, "configure", name, *options, stdin=stdin)
    assert ran.code == 0, ran.err
    assert SECRET not in ran.out + ran.err


def secret_of(kept: StoredOAuthApp) -> str | None:
    secret = kept.client.client_secret
    return None if secret is None else secret.reveal()


def test_on_a_terminal_the_client_is_asked_for_and_its_secret_not_shown(vault: Path) -> None:
    with Terminal(vault, "configure", "gitlab") as terminal:
        terminal.expect("Client ID at GitLab: ")
        assert terminal.echoes()
        terminal.type("the-id\n")
        terminal.expect("Client secret (it is not shown; empty: a client without one): ")
        assert not terminal.echoes()
        terminal.type(f"{SECRET}\n")
        terminal.expect("GitLab host, such as gitlab.com (empty: gitlab.com): ")
        terminal.type("git.example.org\n")
        assert terminal.wait() == 0
        assert "Configured gitlab. `connectors connect gitlab` connects it." in terminal.text
        assert SECRET not in terminal.raw
    kept = app(vault)
    assert (kept.client_id, secret_of(kept)) == ("the-id", SECRET)
    assert kept.config == {"host": "git.example.org"}


def test_a_space_that_was_copied_with_the_client_is_no_part_of_it(vault: Path) -> None:
    with Terminal(vault, "configure", "gitlab") as terminal:
        terminal.expect("Client ID at GitLab: ")
        terminal.type(" the-id \n")
        terminal.expect("Client secret")
        terminal.type(f"\t{SECRET} \n")
        terminal.expect("GitLab host")
        terminal.type("\n")
        assert terminal.wait() == 0
    kept = app(vault)
    assert (kept.client_id, secret_of(kept)) == ("the-id", SECRET)


def test_it_says_what_has_to_be_registered_where(vault: Path) -> None:
    ran = here(vault, "configure", "gitlab", stdin=f"id\n{SECRET}")
    assert "to come back to   http://localhost:8044/oauth/callback\n" in ran.err
    assert "what it accepts   http on localhost is accepted when registered.\n" in ran.err
    assert "with the scopes   read_user\n" in ran.err
    assert "and such as       api read_api read_repository\n" in ran.err
    assert "documentation     https://docs.gitlab.com/api/oauth2/\n" in ran.err
    assert "Note" not in ran.err
    ran = here(vault, "configure", "wix", "--redirect-uri", "https://a.example", stdin="id\ns")
    assert "to come back to   https://a.example\n" in ran.err
    assert "with the scopes" not in ran.err
    assert "and such as" not in ran.err
    assert "Note: not all that the catalogue says of wix could be confirmed." in ran.err


@pytest.mark.parametrize("name", ["slack", "instagram", "contentful"])
def test_an_address_that_the_provider_refuses_is_not_recommended(vault: Path, name: str) -> None:
    ran = here(vault, "configure", name, stdin=f"id\n{SECRET}")
    assert ran.code == 0
    assert "localhost:" not in ran.err
    assert "to come back to   an https address of your own, which --redirect-uri keeps" in ran.err
    assert f"`connectors connect {name} --redirect-uri URL` connects it." in ran.out
    ran = here(vault, "configure", name, "--redirect-uri", "https://a.example/x", stdin="")
    assert "to come back to   https://a.example/x\n" in ran.err
    assert f"`connectors connect {name}` connects it." in ran.out


def test_what_is_asked_for_and_left_is_left_for_connect(vault: Path) -> None:
    with Terminal(vault, "configure", "googleads") as terminal:
        terminal.expect("Client ID at Google Ads: ")
        terminal.type("the-id\n")
        terminal.expect("Client secret")
        terminal.type(f"{SECRET}\n")
        terminal.expect("(empty: left for `connectors connect`) (it is not shown): ")
        assert not terminal.echoes()
        terminal.type(f"{DEVELOPER_TOKEN}\n")
        terminal.expect("Manager account ID")
        terminal.type("\n")
        assert terminal.wait() == 0
        assert DEVELOPER_TOKEN not in terminal.raw
    assert app(vault, "googleads").config == {"developer_token": DEVELOPER_TOKEN}


def test_ctrl_c_at_a_prompt_keeps_nothing(vault: Path) -> None:
    with Terminal(vault, "configure", "gitlab") as terminal:
        terminal.expect("Client ID at GitLab: ")
        terminal.type("the-id\n")
        terminal.expect("Client secret")
        terminal.type("half")
        assert terminal.interrupt() == 130
        assert terminal.echoes()
        assert "Traceback" not in terminal.text
    assert not vault.exists()


def test_on_a_terminal_nothing_is_no_client_id(vault: Path) -> None:
    with Terminal(vault, "configure", "gitlab") as terminal:
        terminal.expect("Client ID at GitLab: ")
        terminal.type("\n")
        terminal.expect("Client secret")
        terminal.type(f"{SECRET}\n")
        assert terminal.wait() == 2
        assert "There is no client id." in terminal.text
    assert not vault.exists()


@pytest.mark.parametrize(
    ("given", "secret"),
    [
        (f"the-id\n{SECRET}\n", SECRET),
        (f"\r\n the-id \r\n\r\n {SECRET}\r\n", SECRET),
        ("the-id\n", None),
        (json.dumps({"client_id": "the-id", "client_secret": SECRET}), SECRET),
        (json.dumps({"client_id": "the-id", "client_secret": None}), None),
        (json.dumps({"client_id": "the-id"}), None),
    ],
)
def test_a_script_gives_it_on_standard_input(vault: Path, given: str, secret: str | None) -> None:
    configure(vault, "gitlab", stdin=given)
    kept = app(vault)
    assert (kept.client_id, secret_of(kept)) == ("the-id", secret)


def test_json_may_have_the_config_too_and_an_option_comes_before_it(vault: Path) -> None:
    config = {"developer_token": DEVELOPER_TOKEN, "login_customer_id": "1234567890"}
    given = {"client_id": "id", "client_secret": SECRET, "connection_config": config}
    option = ("--config", "login_customer_id=9876543210")
    configure(vault, "googleads", *option, stdin=json.dumps(given))
    assert app(vault, "googleads").config == {**config, "login_customer_id": "9876543210"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("", "There is no client id"),
        (f"a\n{SECRET}\nc", "more than two lines"),
        (f'{{"client_id": "a", "client_secret": "{SECRET}"', "it is not JSON"),
        (f'{{"client_secret": "{SECRET}"}}', "There is no client id"),
        (f'{{"client_id": ["{SECRET}"]}}', "must be strings"),
        (f'{{"client_id": "a", "client_secret": ["{SECRET}"]}}', "must be strings"),
        (f'{{"client_id": "a", "secret": "{SECRET}"}}', "other keys"),
        (f'{{"client_id": "a", "connection_config": "{SECRET}"}}', "must be a mapping"),
        (f'{{"client_id": "a", "connection_config": {{"a": ["{SECRET}"]}}}}', "map str to str"),
        (f"id\n{SECRET}\u00e9", "client_secret must be printable ASCII"),
        (f"\u00e9\n{SECRET}", "client_id must be printable ASCII"),
        ("x" * 70000, "too long"),
        ("..", "client_id must be printable"),
        ('{"client_id": "a "}', "client_id must be printable ASCII without a space at an end"),
        (f'{{"client_id": "a", "client_secret": " {SECRET}"}}', "without a space at an end"),
    ],
)
def test_what_is_no_client_is_refused_without_being_shown(
    vault: Path, given: str, problem: str
) -> None:
    ran = here(vault, "configure", "gitlab", stdin=given)
    assert ran.code == 2
    assert problem in ran.err
    assert SECRET not in ran.err + ran.out
    assert not vault.exists()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--redirect-uri", "http://example.com/x"), "--redirect-uri is refused: a code must not"),
        (("--redirect-uri", "nowhere"), "--redirect-uri is refused: it is not an absolute"),
        (("--scopes", 'a"b'), "is no scope"),
        (("--connector", ".."), "--connector must not be '..'"),
        (("--config", "host=localhost"), "no public host"),
        (("--config", "nothing=x"), "unknown name"),
        (("--config", "host"), "--config takes NAME=VALUE"),
        (("--json",), "--json is for the list of what is configured: leave out TYPE"),
        (("--remove", "--scopes", "api"), "--remove erases all of it"),
        (("--remove", "--redirect-uri", ""), "--remove erases all of it"),
        (("--remove", "--config", "host=a.example"), "--remove erases all of it"),
        (("--remove", "--connector", "c-1"), "--remove erases all of it"),
    ],
)
def test_options_that_can_not_be_meant_are_refused(
    vault: Path, options: tuple[str, ...], problem: str
) -> None:
    ran = here(vault, "configure", "gitlab", *options, stdin=f"id\n{SECRET}")
    assert ran.code == 2
    assert problem in ran.err
    assert not vault.exists()


def test_a_secret_value_is_not_taken_from_the_command_line(vault: Path, tmp_path: Path) -> None:
    option = ("--config", f"developer_token={DEVELOPER_TOKEN}")
    ran = here(vault, "configure", "googleads", *option, stdin=f"id\n{SECRET}")
    assert ran.code == 2
    assert "developer_token is a secret" in ran.err
    assert DEVELOPER_TOKEN not in ran.err
    file = tmp_path / "token"
    file.write_text(DEVELOPER_TOKEN)
    configure(vault, "googleads", "--config", f"developer_token=@{file}")
    assert app(vault, "googleads").config == {"developer_token": DEVELOPER_TOKEN}


def test_scopes_for_a_type_that_takes_none_are_refused(vault: Path) -> None:
    ran = here(vault, "configure", "notion", "--scopes", "read", stdin=f"id\n{SECRET}")
    assert ran.code == 2
    assert "notion takes no scopes" in ran.err


def test_scopes_are_separated_by_spaces_or_as_the_provider_does(vault: Path) -> None:
    configure(vault, "slack", "--scopes", "chat:write,users:read  channels:read")
    assert app(vault, "slack").scopes == ("chat:write", "users:read", "channels:read")


def test_an_unknown_type_is_refused_with_the_nearest_ones(vault: Path) -> None:
    ran = here(vault, "configure", "gitlap", stdin=f"id\n{SECRET}")
    assert ran.code == 2
    assert "Did you mean gitlab" in ran.err


def test_what_is_not_given_stays_as_it_was_and_an_empty_option_takes_it_away(vault: Path) -> None:
    options = ("--scopes", "api", "--redirect-uri", "https://a.example/x", "--connector", "c-1")
    configure(vault, "gitlab", *options, "--config", "host=git.example.org")
    configure(vault, "gitlab", "--connector", "c-2", "--connector", "c-3", stdin="")
    kept = app(vault)
    assert (kept.client_id, secret_of(kept), kept.generation) == ("id", SECRET, 2)
    assert (kept.scopes, kept.redirect_uri) == (("api",), "https://a.example/x")
    assert kept.connectors == ("c-2", "c-3")
    assert kept.config == {"host": "git.example.org"}
    empty = ("--scopes", "", "--redirect-uri", "", "--connector", "")
    configure(vault, "gitlab", *empty, stdin="")
    kept = app(vault)
    assert (kept.scopes, kept.redirect_uri, kept.connectors) == ((), None, ())
    assert secret_of(kept) == SECRET


def test_a_new_secret_takes_the_place_of_the_earlier_one(vault: Path) -> None:
    configure(vault, "gitlab", stdin="id\nearlier")
    with Terminal(vault, "configure", "gitlab") as terminal:
        terminal.expect("Client ID at GitLab [id]: ")
        terminal.type("\n")
        terminal.expect("Client secret (it is not shown; empty: the one there is): ")
        terminal.type("\n")
        terminal.expect("GitLab host")
        terminal.type("\n")
        assert terminal.wait() == 0
    assert secret_of(app(vault)) == "earlier"
    configure(vault, "gitlab")
    assert secret_of(app(vault)) == SECRET


def test_another_client_takes_nothing_of_the_secret_of_the_earlier_one(vault: Path) -> None:
    configure(vault, "gitlab")
    ran = here(vault, "configure", "gitlab", stdin="other-id\n")
    assert ran.code == 0
    assert "What was connected with the earlier client has to be connected again." in ran.err
    assert secret_of(app(vault)) is None


def test_a_connector_is_of_one_type(vault: Path) -> None:
    configure(vault, "gitlab", "--connector", "c-1")
    configure(vault, "gitlab", "--connector", "c-1")
    ran = here(vault, "configure", "slack", "--connector", "c-1", stdin=f"id\n{SECRET}")
    assert ran.code == 2
    assert "The connector c-1 is one of gitlab already." in ran.err


def test_what_is_configured_is_listed_without_secrets(vault: Path) -> None:
    secrets: dict[str, Any] = {"client_id": "ads-id", "client_secret": SECRET}
    secrets["connection_config"] = {"developer_token": DEVELOPER_TOKEN}
    number = ("--config", "login_customer_id=1234567890")
    configure(vault, "googleads", *number, stdin=json.dumps(secrets))
    configure(vault, "gitlab", "--scopes", "api", "--connector", "c-1")

    async def reject() -> None:
        async with Vault(vault) as opened:
            kept = await opened.apps.get("gitlab")
            assert kept is not None
            await opened.apps.reject(kept, problem="invalid_client", at=0.0, retry_at=1.0)
            # A type of a newer release.
            client = OAuthClient("id", Secret(SECRET))
            await opened.apps.configure(OAuthApp("acme", client, config={"region": "planted-eu"}))

    anyio.run(reject)
    ran = here(vault, "configure")
    assert (ran.code, ran.err) == (0, "")
    assert not any(value in ran.out for value in (SECRET, DEVELOPER_TOKEN, "planted-eu"))
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == [
        *("type", "client", "id", "comes", "back", "to", "scopes", "connectors", "config"),
        "problem",
    ]
    assert lines[1] == ["acme", "id", "-", "-", "-", "region=[hidden]", "-"]
    assert lines[2] == ["gitlab", "id", "-", "api", "c-1", "-", "invalid_client"]
    assert lines[3][:2] == ["googleads", "ads-id"]
    assert set(lines[3][5:7]) == {"developer_token=[hidden]", "login_customer_id=1234567890"}
    listed = json.loads(here(vault, "configure", "--json").out)
    assert [each["integration_type"] for each in listed] == ["acme", "gitlab", "googleads"]
    assert listed[1]["problem"] == "invalid_client"
    assert listed[1]["rejected_at"].startswith("19")
    assert listed[2] == {
        "integration_type": "googleads",
        "client_id": "ads-id",
        "client_secret": None,
        "redirect_uri": None,
        "scopes": [],
        "connectors": [],
        "connection_config": {"developer_token": None, "login_customer_id": "1234567890"},
        "problem": None,
        "rejected_at": None,
    }


def test_an_empty_list_says_what_to_do_next_and_makes_no_vault(vault: Path) -> None:
    ran = here(vault, "configure")
    assert (ran.code, ran.out) == (0, "")
    assert f"Nothing is configured in {vault}." in ran.err
    assert "`connectors configure TYPE`" in ran.err
    assert here(vault, "configure", "--json").out == "[]\n"
    assert not vault.exists()


@pytest.mark.parametrize(
    "options", [("--scopes", "a"), ("--config", "a=b"), ("--remove",), ("--connector", "c")]
)
def test_without_a_type_nothing_can_be_changed(vault: Path, options: tuple[str, ...]) -> None:
    ran = here(vault, "configure", *options)
    assert ran.code == 2
    assert "Which TYPE?" in ran.err


def test_a_client_is_removed_and_what_is_connected_stays(vault: Path) -> None:
    configure(vault, "gitlab")
    assert here(vault, "connect", "gitlab", stdin="token").code == 0
    ran = here(vault, "configure", "gitlab", "--remove")
    assert (ran.code, ran.out) == (0, "Removed the client of gitlab; its secret is erased.\n")
    assert "can't be renewed without it" in ran.err
    assert here(vault, "configure", "--json").out == "[]\n"

    async def connected() -> bool:
        async with Vault(vault) as opened:
            return await opened.get(Owner.app("local", "gitlab")) is not None

    assert anyio.run(connected)
    ran = here(vault, "configure", "gitlab", "--remove")
    assert ran.code == 1
    assert "gitlab is not configured." in ran.err


def test_on_a_terminal_it_asks_before_it_removes(vault: Path) -> None:
    configure(vault, "gitlab")
    for answer, code in (("n\n", 1), ("y\n", 0)):
        with Terminal(vault, "configure", "gitlab", "--remove") as terminal:
            terminal.expect("Erase the client id of gitlab? [y/N]:")
            terminal.type(answer)
            assert terminal.wait() == code
    configure(vault, "gitlab")
    with Terminal(vault, "configure", "gitlab", "--remove", "--yes") as terminal:
        assert terminal.wait() == 0
        assert "[y/N]" not in terminal.text

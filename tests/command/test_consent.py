"""`connectors connect` as a person does it: a terminal, a browser, and a provider on loopback."""

import errno
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from urllib.request import Request, urlopen

import anyio
import pytest

from connectors._command._consenting import Wish, _connected, _tell_taken, give_consent
from connectors._command._failures import Failure
from connectors.local import ConnectionConfig, Owner, StoredConnection, Vault, serve
from connectors.local._callback import CallbackPage
from connectors.local._connecting import Consents
from connectors.local._sandbox import Fault
from tests.command.at_sandbox import catalog
from tests.command.provider import Provider, provider
from tests.command.support import Terminal, here
from tests.local.vaults import database, everything_in
from transports.aiohttp import AiohttpTransport

WAITING = "Waiting for your consent"
PROMPT = "press Enter:"


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Provider]:
    with provider(tmp_path) as there:
        there.configure()
        there.configure("slack", "--redirect-uri", "https://slack.example.com/back")
        yield there


def connection(vault: Path, owner: Owner | None = None) -> StoredConnection | None:
    async def found() -> StoredConnection | None:
        async with Vault(vault) as opened:
            return await opened.get(owner or Owner.app("local", "gitlab"))

    return anyio.run(found)


def outcomes(vault: Path) -> list[str]:
    with database(vault) as other:
        return [outcome for (outcome,) in other.execute("SELECT outcome FROM consents")]


def asked(terminal: Terminal) -> dict[str, str]:
    """What the address of the consent page asks for."""
    terminal.expect("It comes back to ")
    address = re.search(r"http://\S+/authorize\S+", terminal.text)
    assert address is not None
    return dict(parse_qsl(urlsplit(address[0]).query))


def no_secret_shown(at: Provider, terminal: Terminal, seen: Any) -> None:
    row = connection(at.vault)
    tokens = [] if row is None else [row.access_token, row.refresh_token]
    code = dict(parse_qsl(urlsplit(seen["address"]).query)).get("code")
    planted = [at.secret("gitlab"), code, *(token.reveal() for token in tokens if token)]
    assert not [value for value in planted if value and value in terminal.raw]


def test_the_browser_opens_and_what_comes_back_is_connected(at: Provider) -> None:
    with at.connect("gitlab", "--port", 0, "--scopes", "api") as terminal:
        assert asked(terminal)["scope"] == "read_user api"
        assert terminal.wait() == 0
        assert WAITING in terminal.text
        assert "Connected gitlab of the app local." in terminal.text
        assert "Note" not in terminal.text
        assert "Traceback" not in terminal.text
        no_secret_shown(at, terminal, at.seen())
    seen = at.seen()
    assert (seen["status"], "GitLab is connected" in seen["page"]) == (200, True)
    row = connection(at.vault)
    assert row is not None
    assert (row.source, row.state, row.scopes) == ("oauth", "active", ("read_user", "api"))
    assert outcomes(at.vault) == ["active"]


def test_an_account_is_connected_again_in_place_of_what_was_there(at: Provider) -> None:
    assert at.here("connect", "gitlab", stdin="by-hand").code == 0
    before = connection(at.vault)
    with at.connect("gitlab", "--port", 0) as terminal:
        assert terminal.wait() == 0, terminal.text
        assert "Connected gitlab of the app local, in place of what was there." in terminal.text
    after = connection(at.vault)
    assert before is not None
    assert after is not None
    assert (after.id, after.source) == (before.id, "oauth")


def test_an_account_of_a_user_of_the_app_is_connected(at: Provider) -> None:
    options = ("--connector", "c-1", "--user", "ada", "--app-id", "other")
    with at.connect("gitlab", "--port", 0, *options) as terminal:
        assert terminal.wait() == 0
    owner = Owner.app_user("other", "c-1", "ada")
    assert connection(at.vault, owner) is not None
    assert connection(at.vault) is None


def test_a_consent_that_is_denied_connects_nothing(at: Provider) -> None:
    with at.connect("gitlab", "--port", 0, decision="deny") as terminal:
        assert terminal.wait() == 1
        assert re.search(r"Error: Not connected\. .*access_denied", terminal.text)
        assert "Traceback" not in terminal.text
    assert "Not connected" in at.seen()["page"]
    assert connection(at.vault) is None
    assert outcomes(at.vault) == ["denied"]


def test_a_client_with_a_wrong_secret_is_told_with_what_to_do(at: Provider) -> None:
    at.configure("gitlab", secret="planted-wrong-secret")
    with at.connect("gitlab", "--port", 0) as terminal:
        assert terminal.wait() == 1
        assert "whose id or secret is wrong: `connectors configure gitlab`" in flat(terminal)
        assert "planted-wrong" not in terminal.raw
    assert connection(at.vault) is None


def flat(terminal: Terminal) -> str:
    return " ".join(terminal.text.split())


def test_a_provider_that_is_down_is_told(at: Provider) -> None:
    at.sandbox.inject(Fault(status=503))
    with at.connect("gitlab", "--port", 0) as terminal:
        assert terminal.wait() == 1
        assert "Not connected. gitlab: the provider gave no tokens (status 503)" in flat(terminal)
    assert connection(at.vault) is None


def test_who_comes_too_late_is_told_and_so_is_who_waits(at: Provider) -> None:
    with at.connect("gitlab", "--port", 0, decision="stay") as terminal:
        terminal.expect(WAITING)
        address = at.seen()["address"]
        pretend_ten_minutes_have_passed(at.vault)
        with pytest.raises(OSError, match="400"):
            urlopen(address, timeout=60)
        assert terminal.wait() == 1
        assert "Nobody has come back from the provider in ten minutes" in flat(terminal)
    assert connection(at.vault) is None


def pretend_ten_minutes_have_passed(vault: Path) -> None:
    with database(vault) as other:
        other.execute("UPDATE consents SET expires_at = expires_at - 600")


def test_a_note_says_that_a_token_will_end_and_what_would_renew_it(at: Provider) -> None:
    at.configure("linkedin")
    with at.connect("linkedin", "--port", 0) as terminal:
        assert terminal.wait() == 0
        told = flat(terminal)
    assert "Connected linkedin" in told
    assert re.search(r"Note: LinkedIn gave nothing to renew the token with: it ends on 20", told)
    assert "Its condition for that: approved partner programmes only;" in told
    assert "has to be connected again when it ends" in at.seen()["page"]


def test_a_note_says_that_a_token_will_end_without_a_word_on_what_nobody_knows(
    at: Provider,
) -> None:
    at.configure("calendly")
    with at.connect("calendly", "--port", 0) as terminal:
        assert terminal.wait() == 0
        assert "Note: Calendly gave nothing to renew the token with" in flat(terminal)
        assert "condition" not in flat(terminal)


def test_a_terminal_that_can_only_print_lines_is_told_once_that_it_waits(at: Provider) -> None:
    with at.connect("gitlab", "--port", 0, TERM="dumb") as terminal:
        assert terminal.wait() == 0
        assert terminal.raw.count(WAITING) == 1


def test_only_the_address_is_shown_when_no_browser_is_wanted(at: Provider) -> None:
    with at.connect("gitlab", "--port", 0, "--no-browser") as terminal:
        terminal.expect(WAITING)
        assert asked(terminal)["client_id"] == "sandbox-gitlab"
        assert terminal.interrupt() == 130
    assert not at.record.exists()


def test_ctrl_c_ends_it_cleanly_and_the_consent_is_forgotten(at: Provider) -> None:
    with at.connect("gitlab", "--port", 0, decision="stay") as terminal:
        terminal.expect(WAITING)
        address = at.seen()["address"]
        assert terminal.interrupt() == 130
        assert "Nothing was connected, and the consent is forgotten." in terminal.text
        assert "Traceback" not in terminal.text
        assert terminal.echoes()
    assert outcomes(at.vault) == ["failed"]
    # Somebody else who serves the vault does not complete it any more.
    assert "It was given up in the terminal" in completed_elsewhere(at, address)
    assert connection(at.vault) is None


def completed_elsewhere(at: Provider, address: str) -> str:
    """What somebody else who serves the same vault says to the browser."""

    async def main() -> str:
        transport = AiohttpTransport()
        async with Vault(at.vault) as vault:
            known = catalog(at.origin)
            consents = Consents(vault, transport, catalog=known, redirect_uri=None)
            async with serve(CallbackPage(consents)) as server:
                there = urlunsplit(("http", f"localhost:{server.port}", *urlsplit(address)[2:]))
                page = await anyio.to_thread.run_sync(visited, there)
        await transport.aclose()
        return page

    return anyio.run(main)


def visited(address: str) -> str:
    try:
        with urlopen(address, timeout=60) as answer:
            page: str = answer.read().decode()
    except OSError as error:
        page = error.read().decode()  # type: ignore[attr-defined]
    return page


def test_ctrl_c_while_the_code_is_exchanged_waits_for_the_end(at: Provider) -> None:
    at.sandbox.inject(Fault(delay_after=2))
    with at.connect("gitlab", "--port", 0) as terminal:
        terminal.expect(WAITING)
        wait_for_the_exchange(at)
        terminal.type("\x03")
        assert terminal.wait() == 130
    assert "GitLab is connected" in at.seen()["page"]
    assert connection(at.vault) is not None
    assert outcomes(at.vault) == ["active"]


def wait_for_the_exchange(at: Provider) -> None:
    """Wait until the provider has given tokens, which are still on their way."""
    until = time.monotonic() + 60
    while not at.sandbox.stats.tokens:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert outcomes(at.vault) == ["taken"]


def test_with_a_port_that_is_taken_who_serves_the_vault_there_completes_it(at: Provider) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with at.connect("gitlab", "--port", port, decision="stay") as terminal:
            terminal.expect(f"Port {port} is taken.")
            terminal.expect(PROMPT)
            assert asked(terminal)["redirect_uri"].startswith(f"http://localhost:{port}/")
            assert "GitLab is connected" in completed_elsewhere(at, at.seen()["address"])
            assert terminal.wait() == 0
            assert "Connected gitlab" in terminal.text
            assert terminal.echoes()


def test_with_a_port_that_is_taken_the_address_can_be_pasted(at: Provider) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        at.connect("gitlab", "--port", taken.getsockname()[1], decision="stay") as terminal,
    ):
        terminal.expect(PROMPT)
        terminal.type(f"{at.seen()['address']}\n")
        assert terminal.wait() == 0
    assert connection(at.vault) is not None


def test_a_port_that_can_not_be_listened_on_is_told() -> None:
    # As for whoever may not use the low ports; the one who tests may be allowed to.
    with pytest.raises(Failure, match="Can't listen on port 80: Permission denied"):
        _tell_taken(PermissionError(errno.EACCES, "Permission denied"), 80)


def test_a_client_that_is_removed_before_the_consent_is_begun_is_told(tmp_path: Path) -> None:
    known = catalog("http://127.0.0.1:1")
    wish = Wish(
        owner=Owner.app("local", "gitlab"),
        integration=known["gitlab"],
        scopes=(),
        config=ConnectionConfig({}),
        redirect_uri=None,
        port=0,
        browser=False,
        paste=False,
    )
    with pytest.raises(Failure, match="There is no OAuth client for gitlab"):
        anyio.run(give_consent, tmp_path / "vault.db", wish, known)


def test_what_is_disconnected_again_at_once_is_told(at: Provider) -> None:
    with at.connect("gitlab", "--port", 0) as terminal:
        assert terminal.wait() == 0

    async def ended() -> None:
        async with Vault(at.vault) as vault:
            owner = Owner.app("local", "gitlab")
            row = await vault.get(owner)
            assert row is not None
            status = await vault.consent_rows.latest(row.id, time.time())
            await vault.disconnect(owner)
            await _connected(vault, owner, status)

    with pytest.raises(Failure, match="somebody has disconnected it since"):
        anyio.run(ended)


def test_the_address_is_pasted_unseen(at: Provider) -> None:
    with at.connect("gitlab", "--paste", decision="stay") as terminal:
        terminal.expect(PROMPT)
        assert not terminal.echoes()
        assert asked(terminal)["redirect_uri"] == "http://localhost:8044/oauth/callback"
        seen = at.seen()
        # Longer than a terminal's own line may be, with what some providers add.
        long = seen["address"].replace("?", f"?padding={'x' * 5000}&")
        terminal.type(f"{long}#_\r")
        assert terminal.wait() == 0
        assert terminal.echoes()
        no_secret_shown(at, terminal, seen)
        assert "padding" not in terminal.raw
    assert connection(at.vault) is not None


def test_a_provider_that_sends_elsewhere_has_its_address_pasted(at: Provider) -> None:
    with at.connect("slack", "--no-browser") as terminal:
        terminal.expect("It comes back to https://slack.example.com/back")
        terminal.expect(PROMPT)
        assert terminal.interrupt() == 130
        assert terminal.echoes()


@pytest.mark.parametrize("options", [(), ("--paste",), ("--port", "0")])
def test_a_provider_that_refuses_this_machine_is_told_before_anything_is_waited_for(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    vault = tmp_path / "vault.db"
    assert here(vault, "configure", "slack", stdin="id\nsecret").code == 0
    with Terminal(vault, "connect", "slack", "--no-browser", *options) as terminal:
        assert terminal.wait() == 1
        told = flat(terminal)
    assert "Slack User sends nobody back to http on this machine" in told
    assert "`connectors configure slack --redirect-uri URL`" in told
    assert "`connectors connect slack --redirect-uri URL`" in told
    assert outcomes(vault) == []


@pytest.mark.parametrize(
    ("address", "waits"),
    [
        ("https://once.example.com/x", PROMPT),
        # An app may be registered in a way for which the provider makes an exception.
        ("http://localhost:{}/oauth/callback", WAITING),
    ],
)
def test_a_provider_that_refuses_this_machine_is_asked_with_an_address_of_ones_own(
    tmp_path: Path, address: str, waits: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        redirect = address.format(free.getsockname()[1])
    vault = tmp_path / "vault.db"
    assert here(vault, "configure", "slack", stdin="id\nsecret").code == 0
    options = ("--no-browser", "--redirect-uri", redirect)
    with Terminal(vault, "connect", "slack", *options) as terminal:
        terminal.expect(waits)
        assert f"It comes back to {redirect}," in flat(terminal)
        assert terminal.interrupt() == 130


@pytest.mark.parametrize("once", [True, False])
def test_a_tunnel_leads_to_the_port_that_is_named(at: Provider, *, once: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    tunnel = ("--redirect-uri", "https://demo.ngrok.app/oauth/callback")
    if not once:
        at.configure("slack", *tunnel)
    options = ("--no-browser", "--port", port, *(tunnel if once else ()))
    with at.connect("slack", *options) as terminal:
        terminal.expect(WAITING)
        assert asked(terminal)["redirect_uri"] == tunnel[1]
        denied = urlencode({"state": asked(terminal)["state"], "error": "access_denied"})
        address = f"http://127.0.0.1:{port}/oauth/callback?{denied}"
        with pytest.raises(OSError, match="400"):
            urlopen(Request(address, headers={"Host": "demo.ngrok.app"}), timeout=60)
        assert terminal.wait() == 1
        assert "access_denied" in flat(terminal)


def test_an_address_of_ones_own_is_taken_this_once(at: Provider) -> None:
    options = ("--redirect-uri", "https://once.example.com/x", "--no-browser")
    with at.connect("gitlab", *options) as terminal:
        terminal.expect(PROMPT)
        assert asked(terminal)["redirect_uri"] == "https://once.example.com/x"
        terminal.interrupt()


def test_an_address_of_this_machine_is_listened_on_where_it_says(at: Provider) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    at.configure("gitlab", "--redirect-uri", f"http://127.0.0.1:{port}/oauth/callback")
    with at.connect("gitlab") as terminal:
        assert asked(terminal)["redirect_uri"] == f"http://127.0.0.1:{port}/oauth/callback"
        assert terminal.wait() == 0
    assert connection(at.vault) is not None


def test_what_is_pasted_wrongly_is_told_and_asked_for_again(at: Provider) -> None:
    with at.connect("gitlab", "--paste", decision="stay") as terminal:
        terminal.expect(PROMPT)
        address = at.seen()["address"]
        for pasted, told in (
            ("https://example.com/", "That is no address with a code"),
            ("https://example.com/?code=c", "has no state, or more than one"),
            ("https://example.com/?code=c&state=other", "was not begun here"),
        ):
            terminal.type(f"{pasted}\n")
            terminal.expect(told)
        terminal.type("\n")
        terminal.type(f"{address}\n")
        assert terminal.wait() == 0
    assert outcomes(at.vault) == ["active"]


def test_a_pasted_address_that_was_tampered_with_connects_nothing(at: Provider) -> None:
    with at.connect("gitlab", "--paste", decision="stay") as terminal:
        terminal.expect(PROMPT)
        parts = urlsplit(at.seen()["address"])
        pairs = {**dict(parse_qsl(parts.query)), "code": "planted-wrong-code"}
        terminal.type(f"{urlunsplit(parts._replace(query=urlencode(pairs)))}\n")
        assert terminal.wait() == 1
        assert "Error: Not connected." in terminal.text
        assert "planted-wrong-code" not in terminal.raw
    assert connection(at.vault) is None


def test_the_end_of_the_input_in_place_of_an_address_gives_up(at: Provider) -> None:
    with at.connect("gitlab", "--paste", "--no-browser") as terminal:
        terminal.expect(PROMPT)
        terminal.type("\x04")
        assert terminal.wait() == 1
        assert "No address was pasted: nothing was connected." in terminal.text
        assert terminal.echoes()
    assert outcomes(at.vault) == ["failed"]


def test_ctrl_c_while_a_pasted_code_is_exchanged_waits_for_the_end(at: Provider) -> None:
    with at.connect("gitlab", "--paste", decision="stay") as terminal:
        terminal.expect(PROMPT)
        at.sandbox.inject(Fault(delay_after=2))
        terminal.type(f"{at.seen()['address']}\n")
        wait_for_the_exchange(at)
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert terminal.echoes()
    assert outcomes(at.vault) == ["active"]
    assert connection(at.vault) is not None


def test_a_vault_that_fails_meanwhile_ends_it_in_its_own_words(at: Provider) -> None:
    with at.connect("gitlab", "--paste", decision="stay") as terminal:
        terminal.expect(PROMPT)
        address = at.seen()["address"]
        with database(at.vault) as other:
            other.execute("UPDATE consents SET verifier_ct = 'x'")
        terminal.type(f"{address}\n")
        assert terminal.wait() == 1
        assert f"Error: {at.vault}: " in flat(terminal).replace(" / ", "/")
        assert "Traceback" not in terminal.text


def test_values_that_are_missing_are_asked_for_before_the_consent(at: Provider) -> None:
    at.configure("snowflake")
    with at.connect("snowflake", "--port", 0) as terminal:
        terminal.expect("Account host, such as ")
        terminal.type("acme.snowflakecomputing.com\n")
        assert terminal.wait() == 0
    row = connection(at.vault, Owner.app("local", "snowflake"))
    assert row is not None
    assert row.connection_config == {"account_url": "acme.snowflakecomputing.com"}
    # Who connects again is asked nothing.
    with at.connect("snowflake", "--port", 0) as terminal:
        assert terminal.wait() == 0
        assert "such as" not in terminal.text


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--account", "me"), "--account is for a token that you have."),
        (("--redirect-uri", "http://example.com"), "--redirect-uri is refused: a code must not"),
        (("--redirect-uri", ""), "--redirect-uri is refused: it is not an absolute address"),
        (("--scopes", 'a"b'), "is no scope"),
        (("--config", "nothing=x"), "unknown name"),
        (("--with-token", "--paste"), "--port are for a consent"),
        (
            ("--paste", "--port", "0", "--redirect-uri", "https://a.example/x"),
            "--port is of no use with --paste: the address to come back to is https://a.example/x",
        ),
    ],
)
def test_options_that_can_not_be_meant_are_refused(
    at: Provider, options: tuple[str, ...], problem: str
) -> None:
    with at.connect("gitlab", *options) as terminal:
        assert terminal.wait() == 2
        assert problem in flat(terminal)
    assert outcomes(at.vault) == []


@pytest.mark.parametrize("option", [("--paste",), ("--no-browser",), ("--port", "0")])
def test_a_consent_takes_a_terminal(at: Provider, option: tuple[str, ...]) -> None:
    ran = at.here("connect", "gitlab", *option, stdin="token")
    assert ran.code == 2
    assert "a consent, which takes a terminal" in ran.err


def test_a_type_that_is_not_all_confirmed_is_told_before_the_consent(at: Provider) -> None:
    at.configure("wix")
    with at.connect("wix", "--port", 0) as terminal:
        terminal.expect("Note: not all that the catalogue says of wix could be confirmed.")
        assert terminal.wait() == 0


def test_nothing_of_a_code_is_left_in_any_file(at: Provider) -> None:
    with at.connect("gitlab", "--paste", decision="stay") as terminal:
        terminal.expect(PROMPT)
        seen = at.seen()
        at.record.unlink()
        terminal.type(f"{seen['address']}\n")
        assert terminal.wait() == 0
    pairs = dict(parse_qsl(urlsplit(seen["address"]).query))
    left = everything_in(at.vault.parent)
    assert pairs["code"].encode() not in left
    assert pairs["state"].encode() not in left


def test_killed_at_any_time_it_leaves_the_connection_as_it_was(at: Provider) -> None:
    assert at.here("connect", "gitlab", stdin="by-hand").code == 0
    before = connection(at.vault)
    at.sandbox.inject(Fault(delay_after=30))
    with at.connect("gitlab", "--port", 0) as terminal:
        terminal.expect(WAITING)
        wait_for_the_exchange(at)
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.wait()
    assert connection(at.vault) == before
    assert outcomes(at.vault) == ["taken"]
    with at.connect("gitlab", "--port", 0) as terminal:
        assert terminal.wait() == 0, terminal.text


def test_a_vault_of_the_sandbox_is_not_used_with_the_providers(at: Provider) -> None:
    for arguments in (("connect", "gitlab"), ("get", "gitlab"), ("disconnect", "gitlab")):
        ran = here(at.vault, *arguments, stdin="token")
        assert ran.code == 1
        assert "it is for the sandbox" in ran.err
    ran = here(at.vault, "configure", "gitlab", stdin="id\nsecret")
    assert ran.code == 1
    assert "it is for the sandbox" in ran.err

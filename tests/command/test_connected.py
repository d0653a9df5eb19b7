"""`list`, `get` and `disconnect` of what a consent has connected."""

import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import pytest

from connectors.local import Grant, Owner, StoredConnection, Vault
from connectors.local._sandbox import Fault
from tests.command.provider import Provider, provider
from tests.command.support import TOKEN, Terminal, here
from tests.local.vaults import database

GITLAB = Owner.app("local", "gitlab")


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Provider]:
    """Somebody with an account that a consent has connected."""
    with provider(tmp_path) as there:
        connect(there, "gitlab")
        yield there


def connect(at: Provider, name: str, *options: str) -> None:
    at.configure(name)
    with at.connect(name, "--port", 0, *options) as terminal:
        assert terminal.wait() == 0, terminal.text


def in_vault(path: Path, work: Callable[[Vault], Awaitable[object]]) -> None:
    async def main() -> None:
        async with Vault(path) as vault:
            await work(vault)

    anyio.run(main)


def row(path: Path, owner: Owner = GITLAB) -> StoredConnection:
    found: list[StoredConnection | None] = []

    async def get(vault: Vault) -> None:
        found.append(await vault.get(owner))

    in_vault(path, get)
    assert found[0] is not None
    return found[0]


def let_it_expire(at: Provider, name: str = "gitlab") -> None:
    with database(at.vault) as other:
        # Its times are no secrets, and are not sealed.
        other.execute(
            "UPDATE connections SET expires_at = ?, obtained_at = obtained_at - 3600"
            " WHERE integration_type = ?",
            (time.time() - 1, name),
        )


def fail(at: Provider) -> None:
    async def end(vault: Vault) -> None:
        found = await vault.get(GITLAB)
        assert found is not None
        assert await vault.refreshes.fail(found, "invalid_grant", "invalid_grant")

    in_vault(at.vault, end)


def listed(at: Provider) -> list[dict[str, object]]:
    ran = at.here("list", "--json")
    assert ran.code == 0
    found: list[dict[str, object]] = json.loads(ran.out)
    return found


def test_get_renews_a_token_that_has_expired(at: Provider) -> None:
    before = row(at.vault)
    let_it_expire(at)
    ran = at.here("get", "gitlab", "--reveal")
    assert (ran.code, ran.err) == (0, "")
    after = row(at.vault)
    assert after.generation == before.generation + 1
    assert after.access_token is not None
    assert ran.out == f"{after.access_token.reveal()}\n"
    assert at.sandbox.stats.refreshes == 1


def test_get_of_a_connection_that_has_ended_says_what_to_do(at: Provider) -> None:
    fail(at)
    ran = at.here("get", "gitlab")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "Error: The connection to gitlab can't be used: the provider has ended it; "
        "run: connectors connect gitlab.\n"
    )


def test_get_when_the_provider_is_down_says_when_to_try_again(at: Provider) -> None:
    let_it_expire(at)
    at.sandbox.inject(Fault(status=503, retry_after=30))
    began = time.monotonic()
    ran = at.here("get", "gitlab")
    assert time.monotonic() - began < 20
    assert ran.code == 1
    assert re.search(r"can't be renewed now: .*patience.*; try again in \d+ s\.$", ran.err)


def test_get_without_the_client_says_which_command_puts_it_in(at: Provider) -> None:
    let_it_expire(at)
    assert at.here("configure", "gitlab", "--remove").code == 0
    ran = at.here("get", "gitlab")
    assert ran.code == 1
    assert "run: connectors configure gitlab." in ran.err


def test_list_says_when_a_token_ends_and_that_it_is_renewed(at: Provider) -> None:
    ran = at.here("list")
    assert (ran.code, ran.err) == (0, "")
    head, line = (re.split(r"  +", each) for each in ran.out.splitlines())
    assert head[6] == "ends"
    assert line[3] == "active"
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d, renewed by itself", line[6])
    (told,) = listed(at)
    assert (told["status"], told["reason"], told["source"]) == ("active", None, "oauth")
    assert told["renewable"] is True
    assert str(told["expires_at"]).startswith("20")
    let_it_expire(at)
    # Whoever asks for it next gets a good one.
    assert listed(at)[0]["status"] == "active"


def test_list_says_what_has_ended_and_how_it_is_connected_again(at: Provider) -> None:
    connect(at, "linkedin", "--connector", "c-1", "--user", "ada")
    let_it_expire(at, "linkedin")
    fail(at)
    ran = at.here("list")
    assert "refresh_failed (invalid_grant)" in ran.out
    assert re.search(r"linkedin +c-1 +ada +expired +- +\S+ \S+ +\S+ \S+ ", ran.out)
    assert "To connect gitlab again: connectors connect gitlab\n" in ran.err
    assert (
        "To connect linkedin again: connectors connect linkedin --connector c-1 --user ada\n"
        in ran.err
    )
    gitlab, linkedin = listed(at)
    assert (gitlab["status"], gitlab["reason"]) == ("refresh_failed", "invalid_grant")
    assert gitlab["last_error"] == "invalid_grant"
    assert (linkedin["status"], linkedin["renewable"]) == ("expired", False)


def test_disconnect_has_the_provider_end_it(at: Provider) -> None:
    ran = at.here("disconnect", "gitlab")
    assert ran.code == 0
    assert ran.out == "Disconnected gitlab of the app local; its token is erased.\n"
    assert ran.err == "The provider has ended it too.\n"
    assert at.sandbox.stats.revocations == 1
    assert listed(at)[0]["status"] == "disconnected"


def test_disconnect_of_what_may_share_its_tokens_says_so(at: Provider) -> None:
    connect(at, "slackbot", "--connector", "c-1")
    connect(at, "slackbot", "--connector", "c-2")
    ran = at.here("disconnect", "slackbot", "--connector", "c-1")
    assert ran.err == (
        "The provider has ended it too, unless another connection shares its tokens.\n"
    )
    assert at.sandbox.stats.revocations == 0
    assert at.here("disconnect", "slackbot", "--connector", "c-2").code == 0
    assert at.sandbox.stats.revocations == 1


def test_disconnect_says_when_the_provider_refuses(at: Provider) -> None:
    at.configure(secret="planted-wrong-secret")
    ran = at.here("disconnect", "gitlab")
    assert ran.code == 0
    assert ran.err == "The provider did not take that (status 401): there it is still good.\n"


def test_disconnect_says_when_the_provider_can_not_be_reached_and_that_it_is_told_later(
    tmp_path: Path,
) -> None:
    with provider(tmp_path) as at:
        connect(at, "gitlab")
    ran = at.here("disconnect", "gitlab")
    assert ran.code == 0
    assert ran.err == (
        "The provider did not take that (ConnectError): there it is still good; "
        "`connectors dev` tries again.\n"
    )


def test_disconnect_of_what_no_provider_can_be_told_of_says_so(at: Provider) -> None:
    untold = "The provider was not told: if the token is good there, it stays so.\n"
    assert at.here("configure", "gitlab", "--remove").code == 0
    assert at.here("disconnect", "gitlab").err == untold
    assert at.here("connect", "slack", stdin=TOKEN).code == 0
    assert at.here("disconnect", "slack").err == untold
    # A type of a newer release.
    acme = Owner.app("local", "acme")
    in_vault(at.vault, lambda vault: vault.put(acme, Grant("acme", TOKEN, source="oauth")))
    assert at.here("disconnect", "acme").err == untold
    assert at.sandbox.stats.revocations == 0


def test_a_connection_whose_refresh_has_failed_is_disconnected(at: Provider) -> None:
    fail(at)
    ran = at.here("disconnect", "gitlab")
    assert ran.code == 0
    assert listed(at)[0]["status"] == "disconnected"
    assert here(at.vault, "list", "--json").code == 0


@pytest.mark.parametrize("presses", [1, 3])
def test_a_token_that_is_being_renewed_is_kept_however_often_ctrl_c_is_pressed(
    at: Provider, presses: int
) -> None:
    before = row(at.vault)
    let_it_expire(at)
    at.sandbox.inject(Fault(delay_after=2))
    with Terminal(at.vault, "get", "gitlab", program=at.program) as terminal:
        while not at.sandbox.stats_of("gitlab").refreshes:
            time.sleep(0.02)
        for _ in range(presses):
            terminal.type("\x03")
            time.sleep(0.2)  # Signals that come at once are one.
        assert terminal.wait() == 130
    after = row(at.vault)
    assert (after.generation, after.presented) == (before.generation + 1, None)

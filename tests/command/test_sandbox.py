"""`connectors dev --sandbox`: every type works without an account, and nothing is mixed up."""

import json
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from connectors.catalog import integrations
from connectors.local import Vault
from connectors.local._records import ConnectionSummary
from tests.command.support import Terminal, command, environment, here
from tests.command.test_dev import serving

EVERYTHING = """
import asyncio, json
from connectors import Client
from connectors.catalog import integrations

async def main():
    async with Client.from_env() as base44:
        connectors = base44.as_service_role.connectors
        first = {name: await connectors.get_connection(name) for name in integrations()}
        # With each token a call of the provider's API, some of them after it has been renewed.
        answers = {name: await connectors.call_api(name, path="/me") for name in first}
        refused = await connectors.get_connection("linear", rejected=first["linear"])
        print(json.dumps({
            "connected": len(first),
            "refused": [name for name, answer in answers.items() if answer.status != 200],
            "renewed": refused.access_token != first["linear"].access_token,
            "config": dict(first["salesforce"].connection_config),
        }))

asyncio.run(main())
"""


def test_every_type_is_connected_and_its_tokens_are_good_and_renewed(tmp_path: Path) -> None:
    vault = tmp_path / "sandbox.db"
    with serving(vault, "--sandbox", "--sandbox-lifetime", "30") as dev:
        ran = subprocess.run(
            [sys.executable, "-c", EVERYTHING],
            env=environment(Path(), **dev.variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        dev.process.terminate()
        told = dev.stopped()
    assert ran.stderr == ""
    seen = json.loads(ran.stdout)
    assert (seen["connected"], seen["refused"], seen["renewed"]) == (len(integrations()), [], True)
    assert seen["config"]["instance_url"].startswith("http://127.0.0.1:")
    assert f"SANDBOX: all {len(integrations())} types are connected" in told
    assert "live for 30 seconds" in told
    again = told.partition('eval "$(')[2].partition(')"')[0]
    assert again.split()[3:6] == ["--port", str(dev.port), "--sandbox"]


def test_the_connections_keep_their_ids_from_one_start_to_the_next(tmp_path: Path) -> None:
    vault = tmp_path / "sandbox.db"
    ids = []
    for _ in range(2):
        with serving(vault, "--sandbox") as dev:
            dev.process.terminate()
            dev.stopped()
        ids.append(anyio.run(ids_in, vault))
    assert ids[0] == ids[1]
    assert set(ids[0]) == set(integrations())


async def ids_in(path: Path) -> dict[str, str]:
    async with Vault(path) as vault:
        return {row.integration_type: row.id for row in await vault.list("local")}


def test_by_default_it_has_a_vault_of_its_own(tmp_path: Path) -> None:
    usual = tmp_path / "base44-connectors" / "vault.db"
    shown = command(usual, "dev", "--sandbox", "--print-env", XDG_DATA_HOME=str(tmp_path))
    assert shown.returncode == 0, shown.stderr
    assert usual.with_name("sandbox.db").exists()
    assert not usual.exists()


def instagram(vault: Path) -> ConnectionSummary:
    async def found() -> ConnectionSummary:
        async with Vault(vault) as opened:
            rows = await opened.list("local")
        return next(row for row in rows if row.integration_type == "instagram")

    return anyio.run(found)


def test_what_is_renewed_only_while_it_is_good_outlives_a_pause_of_the_program(
    tmp_path: Path,
) -> None:
    vault = tmp_path / "sandbox.db"
    with serving(vault, "--sandbox", "--sandbox-lifetime", "5"):
        first = now = instagram(vault)
        until = time.monotonic() + 60
        assert first.expires_at is not None
        while (now.obtained_at or 0.0) <= first.expires_at:
            assert time.monotonic() < until, now
            time.sleep(0.1)
            now = instagram(vault)
        assert now.state == "active"


def test_a_program_can_be_a_user_of_the_sandbox_as_it_says(tmp_path: Path) -> None:
    vault = tmp_path / "sandbox.db"
    with serving(vault, "--sandbox") as dev:
        dev.process.terminate()
        told = dev.stopped()
    [line] = [line for line in told.splitlines() if "user-token NAME" in line]
    assert line == (
        f"A token of an app's user: connectors user-token NAME --sandbox --vault {vault}"
    )
    of_ada = here(vault, "user-token", "ada", "--sandbox")
    assert (of_ada.code, of_ada.err) == (0, "")
    assert of_ada.out == here(tmp_path / "no.db", "user-token", "ada", "--vault", vault).out


def test_without_naming_a_vault_a_user_is_one_of_the_sandbox_s_own(tmp_path: Path) -> None:
    usual = tmp_path / "base44-connectors" / "vault.db"
    ran = command(usual, "user-token", "ada", "--sandbox", XDG_DATA_HOME=str(tmp_path))
    assert ran.returncode == 1
    assert f"There is no vault at {usual.with_name('sandbox.db')}." in ran.stderr
    assert "`connectors dev --sandbox` makes one" in ran.stderr
    assert not usual.parent.exists()


def test_a_token_for_a_user_makes_no_vault(tmp_path: Path) -> None:
    ran = here(tmp_path / "vault.db", "user-token", "ada")
    assert (ran.code, ran.out) == (1, "")
    assert "`connectors dev` makes one" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("first", ["--sandbox", None])
def test_a_vault_is_for_the_sandbox_or_for_real_providers_and_never_for_both(
    tmp_path: Path, first: str | None
) -> None:
    vault = tmp_path / "vault.db"
    options = {"--sandbox": ("--sandbox",), None: ()}
    with serving(vault, *options.pop(first)) as dev:
        dev.process.terminate()
        dev.stopped()
    [other] = options.values()
    refused = command(vault, "dev", "--port", "0", *other)
    assert refused.returncode == 1
    assert str(vault) in refused.stderr
    assert "sandbox" in refused.stderr
    assert refused.stdout == ""


@pytest.mark.parametrize("lifetime", ["0", "nan", "-1", "1e9", "soon"])
def test_a_lifetime_that_no_token_has_is_refused(tmp_path: Path, lifetime: str) -> None:
    ran = here(tmp_path / "v.db", "dev", "--sandbox", "--sandbox-lifetime", lifetime)
    assert ran.code == 2
    assert "--sandbox-lifetime" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_lifetime_without_the_sandbox_is_refused(tmp_path: Path) -> None:
    ran = here(tmp_path / "v.db", "dev", "--sandbox-lifetime", "30")
    assert ran.code == 2
    assert "--sandbox-lifetime needs --sandbox" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_no_account_of_a_real_provider_is_connected_to_a_vault_of_the_sandbox(
    tmp_path: Path,
) -> None:
    vault = tmp_path / "sandbox.db"
    with serving(vault, "--sandbox") as dev:
        dev.process.terminate()
        dev.stopped()
    with Terminal(vault, "connect", "linear", "--no-browser", "--port", "0") as terminal:
        assert terminal.wait() == 1
        assert "it is for the sandbox" in terminal.text
        assert "https://" not in terminal.text

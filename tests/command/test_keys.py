"""`rotate-keys`, `backup` and `restore`: a vault gets another key, is copied and comes back."""

import os
import shutil
import signal
from pathlib import Path

import anyio
import pytest

from connectors import Client
from connectors.local import Grant, Owner, Vault
from connectors.local._keyfile import begin_key_change
from tests.command.support import TOKEN, Terminal, command, exported, here, started
from tests.local.vaults import KEY, OTHER_KEY, database

MANY = 400
# With the connection that there is, and what the vault says of itself.
ROWS = f"/{MANY + 2}"


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    vault = tmp_path / "vault.db"
    assert here(vault, "connect", "slack", stdin=TOKEN).code == 0
    return vault


def keys(vault: Path) -> list[str]:
    return vault.with_name("vault.db.key").read_text().split()


def token(vault: Path, key: str | None = None) -> str:
    variables = {} if key is None else {"BASE44_VAULT_KEY": key}
    return command(vault, "get", "slack", "--reveal", **variables).stdout.strip()


async def fill(path: Path) -> None:
    async with Vault(path) as vault:
        for number in range(MANY):
            owner = Owner.app_user("local", "c", f"user-{number}")
            await vault.put(owner, Grant("slack", f"token-{number}"))


def test_a_vault_gets_a_new_key(vault: Path) -> None:
    (former,) = keys(vault)
    ran = here(vault, "rotate-keys")
    assert ran.code == 0
    assert ran.out == (
        f"Everything is sealed with a new key, which is in {vault}.key; the former one is gone.\n"
    )
    assert "Make a new backup" in ran.err
    (new,) = keys(vault)
    assert new != former
    assert not any(key in ran.out + ran.err for key in (former, new))
    assert token(vault) == TOKEN


def test_a_program_that_has_the_vault_open_goes_on(vault: Path) -> None:
    with started(vault, "dev", "--port", "0") as process:
        assert process.stdout is not None
        lines = "".join(process.stdout.readline() for _ in range(4))
        assert here(vault, "rotate-keys").code == 0
        assert here(vault, "rotate-keys").code == 0
        again = here(vault, "dev", "--print-env", "--port", "1").out
        assert again.splitlines()[:3] == lines.splitlines()[:3]
        assert served(lines) == TOKEN
        process.terminate()
        process.wait(60)


def served(lines: str) -> str:
    """What a program gets that has run the lines."""

    async def main() -> str:
        given = exported(lines)
        async with Client(
            app_id=given["BASE44_APP_ID"],
            service_token=given["BASE44_SERVICE_TOKEN"],
            server_url=given["BASE44_API_URL"],
        ) as base44:
            connectors = base44.as_service_role.connectors
            return (await connectors.get_connection("slack")).access_token

    return anyio.run(main)


def test_on_a_terminal_it_shows_how_far_it_is(vault: Path) -> None:
    anyio.run(fill, vault)
    with Terminal(vault, "rotate-keys") as terminal:
        terminal.expect("Sealing with the new key")
        terminal.expect(ROWS)
        assert terminal.wait() == 0
        assert not any(key in terminal.raw for key in keys(vault))


def test_ctrl_c_breaks_it_off_and_the_next_run_finishes_it(vault: Path) -> None:
    anyio.run(fill, vault)
    with Terminal(vault, "rotate-keys") as terminal:
        terminal.expect(ROWS)
        assert terminal.interrupt() == 130
        assert "It is not finished. The vault can be used; run it again" in terminal.text
        assert "Traceback" not in terminal.text
    made, _former = keys(vault)
    assert token(vault) == TOKEN
    ran = here(vault, "rotate-keys")
    assert ran.out == (
        f"A change that was broken off is finished: the key in {vault}.key is the only one now.\n"
    )
    assert keys(vault) == [made]
    assert token(vault) == TOKEN


def test_killed_it_is_run_again(vault: Path) -> None:
    anyio.run(fill, vault)
    with Terminal(vault, "rotate-keys") as terminal:
        terminal.expect(ROWS)
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.wait()
    assert len(keys(vault)) == 2
    assert token(vault) == TOKEN
    assert here(vault, "rotate-keys").code == 0
    assert len(keys(vault)) == 1
    assert token(vault) == TOKEN


def test_with_a_key_in_the_environment_it_says_how_it_is_done(vault: Path) -> None:
    (former,) = keys(vault)
    ran = here(vault, "rotate-keys", BASE44_VAULT_KEY=former)
    assert (ran.code, ran.out) == (1, "")
    assert 'export BASE44_VAULT_KEY="$(openssl rand -base64 32),$BASE44_VAULT_KEY"' in ran.err
    assert former not in ran.err
    assert keys(vault) == [former]


def test_with_a_new_key_before_it_in_the_environment_everything_is_sealed_with_that(
    vault: Path,
) -> None:
    (former,) = keys(vault)
    ran = here(vault, "rotate-keys", BASE44_VAULT_KEY=f"{KEY},{former}")
    assert ran.code == 0
    assert "with the first key of BASE44_VAULT_KEY; the others can be taken out." in ran.out
    assert KEY not in ran.out + ran.err
    # The file is not what it is opened with, so it stays as it was.
    assert keys(vault) == [former]
    assert token(vault, KEY) == TOKEN
    ran = here(vault, "get", "slack")
    assert ran.code == 1
    assert "give the key that the vault was made with" in ran.err


def test_a_change_that_another_process_keeps_from_ending_is_told(vault: Path) -> None:
    (former,) = keys(vault)
    with database(vault) as other:
        # As if somebody went on sealing with the former key: what is sealed comes back.
        (sealed,) = other.execute("SELECT access_ct FROM connections").fetchone()
        other.execute(
            "CREATE TRIGGER t AFTER UPDATE ON connections BEGIN "
            f"UPDATE connections SET access_ct = '{sealed}'; END"
        )
    ran = here(vault, "rotate-keys")
    assert ran.code == 1
    assert "another process goes on sealing with an earlier key" in ran.err
    assert keys(vault)[1:] == [former]


@pytest.mark.parametrize("name", ["rotate-keys", "backup"])
def test_what_only_changes_a_vault_makes_none(tmp_path: Path, name: str) -> None:
    arguments = ("copy.db",) if name == "backup" else ()
    ran = here(tmp_path / "vault.db", name, *arguments)
    assert ran.code == 1
    assert "There is no vault at" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_backup_comes_back_with_its_key(vault: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "copy.db"
    ran = here(vault, "backup", copy)
    assert (ran.code, ran.out) == (0, f"Copied {vault} to {copy}.\n")
    assert f"Its key is not in it: keep {vault}.key, or BASE44_VAULT_KEY," in ran.err
    assert copy.stat().st_mode & 0o777 == 0o600
    anew = tmp_path / "anew" / "vault.db"
    ran = here(anew, "restore", copy)
    assert ran.code == 1
    assert "its key is missing" in ran.err
    anew.parent.mkdir(exist_ok=True)
    shutil.copy2(vault.with_name("vault.db.key"), anew.with_name("vault.db.key"))
    ran = here(anew, "restore", copy)
    assert (ran.code, ran.out) == (0, f"Restored {anew} from {copy}.\n")
    assert "renewed before they are relied on" in ran.err
    assert token(anew) == TOKEN


def test_a_backup_takes_nobodys_place(vault: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("my diary")
    ran = here(vault, "backup", copy)
    assert ran.code == 1
    assert f"{copy}: there is something already" in ran.err
    assert copy.read_text() == "my diary"
    copy.unlink()
    assert here(vault, "backup", copy).code == 0
    ran = here(vault, "restore", copy)
    assert ran.code == 1
    assert f"{vault}: there is something already" in ran.err
    assert token(vault) == TOKEN


def test_what_is_no_backup_is_not_restored(tmp_path: Path) -> None:
    vault = tmp_path / "vault.db"
    diary = tmp_path / "diary.db"
    diary.write_text("my diary, and no database at all")
    diary.chmod(0o600)
    ran = here(vault, "restore", diary, BASE44_VAULT_KEY=OTHER_KEY)
    assert ran.code == 1
    assert ran.err.startswith(f"Error: {diary}: ")
    assert not vault.exists()
    ran = here(vault, "restore", tmp_path / "nothing.db", BASE44_VAULT_KEY=OTHER_KEY)
    assert ran.code == 1
    assert "nothing.db: No such file or directory" in ran.err


def test_a_backup_from_before_a_change_of_the_key_needs_the_former_one(
    vault: Path, tmp_path: Path
) -> None:
    (former,) = keys(vault)
    copy = tmp_path / "copy.db"
    assert here(vault, "backup", copy).code == 0
    assert begin_key_change(vault)
    assert here(vault, "rotate-keys").code == 0
    anew = tmp_path / "anew.db"
    (new,) = keys(vault)
    assert here(anew, "restore", copy, BASE44_VAULT_KEY=new).code == 1
    assert here(anew, "restore", copy, BASE44_VAULT_KEY=former).code == 0
    assert token(anew, former) == TOKEN

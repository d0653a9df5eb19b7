"""The key of a vault is changed while others use it, and however often it is broken off."""

from functools import partial
from pathlib import Path
from typing import Final

import anyio
import pytest

from connectors.local._connections import put_connection
from connectors.local._crypto import key_ring
from connectors.local._errors import VaultBusyError, VaultDamagedError, VaultKeyError
from connectors.local._records import Grant, Owner
from connectors.local._session import Session
from connectors.local._vault import Vault
from tests.local.vaults import KEY, OTHER_KEY, database, everything_in, grant, python, token
from tests.loops import REAL, on
from transports import Secret

pytestmark = on(REAL)

BOTH: Final = f"{OTHER_KEY},{KEY}"
USERS: Final = [Owner.app_user("app-1", "c", name) for name in "abcdef"]


class BrokenOffError(Exception):
    """Raised in the middle."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "vault.db"
    anyio.run(fill, path)
    return path


async def fill(path: Path) -> None:
    async with Vault(path, key=KEY) as vault:
        await vault.setting("signing-key", lambda: Secret("k"))
        for user in USERS:
            await vault.put(user, consented(user))


def consented(user: Owner) -> Grant:
    return grant(f"of {user.user}", refresh_token="r", raw=Secret("raw"), source="oauth")


async def is_whole(path: Path, key: str) -> bool:
    async with Vault(path, key=key) as vault:
        found = [await vault.get(user) for user in USERS]
        setting = await vault.setting("signing-key", lambda: Secret("new"))
    return setting == Secret("k") and [token(each) for each in found] == [
        f"of {user.user}" for user in USERS
    ]


async def test_every_row_is_told_and_no_old_value_is_left(path: Path) -> None:
    told: list[tuple[int, int]] = []
    before = sealed(path)
    async with Vault(path, key=BOTH) as vault:
        await vault.reseal(lambda done, total: told.append((done, total)))
        left = everything_in(path.parent)
        await vault.reseal(lambda done, total: told.append((done, total)))
    assert told == [(number, 7) for number in range(1, 8)]
    assert len(before) == 7 * 4 - 3 + 1
    assert not any(value.encode() in left for value in before)
    assert await is_whole(path, OTHER_KEY)
    with pytest.raises(VaultKeyError):
        await Vault(path, key=KEY).list("app-1")


def sealed(path: Path) -> list[str]:
    with database(path) as other:
        tables = [name for (name,) in other.execute("SELECT name FROM sqlite_master")]
        tables = [name for name in tables if not name.startswith(("sqlite", "chains", "consents_"))]
        rows = [row for name in tables for row in other.execute(f"SELECT * FROM {name}")]
    return [value for row in rows for value in row if str(value).startswith("v1.")]


@pytest.mark.parametrize("last", range(1, 8))
async def test_it_can_be_broken_off_after_any_row_and_run_again(path: Path, last: int) -> None:
    def break_off(done: int, _: int) -> None:
        if done == last:
            raise BrokenOffError

    async with Vault(path, key=BOTH) as vault:
        with pytest.raises(BrokenOffError):
            await vault.reseal(break_off)
    # Neither key alone is enough, and the vault says so before it reads anything.
    for key in (KEY, OTHER_KEY):
        with pytest.raises(VaultKeyError):
            await Vault(path, key=key).list("app-1")
    assert await is_whole(path, BOTH)
    told: list[int] = []
    async with Vault(path, key=BOTH) as vault:
        await vault.reseal(lambda _, total: told.append(total))
    assert told == [7 - last] * (7 - last)
    assert await is_whole(path, OTHER_KEY)


def put_with_the_old_key(path: Path, user: Owner) -> None:
    session = Session(path, key_ring(Secret(f"{KEY},{OTHER_KEY}")), 5)
    session.run(partial(put_connection, owner=user, grant=consented(user)))
    session.close()


async def test_what_others_write_with_the_old_key_meanwhile_is_resealed_too(path: Path) -> None:
    seen: list[str] = []

    def write(done: int, total: int) -> None:
        seen.append(f"{done}/{total}")
        if (done, total) == (7, 7):
            put_with_the_old_key(path, USERS[0])
            put_with_the_old_key(path, USERS[5])

    async with Vault(path, key=BOTH) as vault:
        await vault.reseal(write)
    assert seen[7:] == ["1/2", "2/2"]
    assert await is_whole(path, OTHER_KEY)


async def test_the_old_key_is_not_forgotten_while_somebody_seals_with_it(path: Path) -> None:
    async with Vault(path, key=BOTH) as vault:
        with pytest.raises(VaultBusyError, match="with an earlier key"):
            await vault.reseal(lambda *_: put_with_the_old_key(path, USERS[0]))
    with pytest.raises(VaultKeyError):
        await Vault(path, key=OTHER_KEY).list("app-1")
    assert await is_whole(path, BOTH)


def remove_settings(path: Path) -> None:
    with database(path) as other:
        other.execute("DELETE FROM settings")


async def test_a_row_that_has_gone_meanwhile_is_no_trouble(path: Path) -> None:
    async with Vault(path, key=BOTH) as vault:
        await vault.reseal(lambda *_: remove_settings(path))
    assert len(sealed(path)) == 6 * 4 + 1


async def test_a_damaged_value_ends_it_and_both_keys_are_still_known(path: Path) -> None:
    with database(path) as other:
        other.execute("UPDATE settings SET value_ct = 'x'")
    async with Vault(path, key=BOTH) as vault:
        with pytest.raises(VaultDamagedError, match="value_ct of setting signing-key"):
            await vault.reseal()
    with pytest.raises(VaultKeyError):
        await Vault(path, key=OTHER_KEY).list("app-1")


async def test_it_goes_on_beside_a_process_that_writes_all_the_time(path: Path) -> None:
    writer = python("race", path, "w", 60, BASE44_VAULT_KEY=BOTH)
    assert writer.stdin is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()
    async with Vault(path, key=BOTH, busy_timeout=60) as vault:
        await vault.reseal()
    writer.communicate(timeout=60)
    assert writer.returncode == 0
    assert await is_whole(path, OTHER_KEY)

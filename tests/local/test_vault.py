import stat
import threading
import time
from pathlib import Path
from typing import Any

import anyio
import platformdirs
import pytest

from connectors.local._crypto import key_ring
from connectors.local._errors import (
    VaultBusyError,
    VaultKeyError,
    VaultStorageError,
    VaultUsageError,
)
from connectors.local._records import Grant, Owner
from connectors.local._vault import Vault
from tests.local.vaults import (
    CONFIG_VALUE,
    KEY,
    OTHER_KEY,
    OWNER,
    TOKEN,
    database,
    everything_in,
    grant,
    token,
)
from tests.loops import REAL, on
from transports import Secret

pytestmark = on(REAL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "vault.db"


async def test_a_connection_comes_back_as_it_was_put(path: Path) -> None:
    began = time.time()
    async with Vault(path) as vault:
        put = await vault.put(OWNER, grant(scopes=["chat:write", "a,b"], account_label="Jo & Co"))
        assert await vault.get(OWNER) == put
    async with Vault(path) as again:
        found = await again.get(OWNER)
    assert found == put
    assert token(found) == TOKEN
    assert found.connection_config == {"developer_token": CONFIG_VALUE}
    assert (found.owner, found.integration_type, found.state) == (OWNER, "slack", "active")
    assert (found.scopes, found.account_label) == (("chat:write", "a,b"), "Jo & Co")
    assert found.asked == found.scopes
    assert found.generation == 1
    assert began <= found.created_at == found.updated_at <= time.time()


async def test_no_configuration_is_told_from_an_empty_one(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, Grant("slack", TOKEN))
        bare = await vault.get(OWNER)
        assert bare is not None
        assert bare.connection_config is None
        await vault.put(OWNER, Grant("slack", TOKEN, connection_config={}))
        empty = await vault.get(OWNER)
        assert empty is not None
        assert empty.connection_config == {}


async def test_a_new_grant_replaces_the_old_one_and_the_connection_keeps_its_id(path: Path) -> None:
    async with Vault(path) as vault:
        first = await vault.put(OWNER, grant(scopes=["a"], account_label="Jo"))
        second = await vault.put(OWNER, Grant("slack", "other"))
        found = await vault.get(OWNER)
    assert found == second
    assert (second.id, second.generation) == (first.id, 2)
    assert first.created_at == second.created_at < second.updated_at
    assert (second.connection_config, second.account_label) == (None, None)


async def test_each_owner_has_a_connection_of_their_own(path: Path) -> None:
    owners = [
        Owner.app("app-1", "slack"),
        Owner.app("app-1", "gmail"),
        Owner.app("app-2", "slack"),
        Owner.workspace("app-1", "slack"),
        Owner.app_user("app-1", "slack", "Zoë"),
        Owner.app_user("app-1", "slack", "jo"),
    ]
    async with Vault(path) as vault:
        for owner in owners:
            kind = owner.name if owner.kind == "app" else "slack"
            await vault.put(owner, Grant(kind, f"token of {owner}"))
        for owner in owners:
            found = await vault.get(owner)
            assert found is not None
            assert token(found) == f"token of {owner}"
        listed = await vault.list("app-1")
        assert await vault.get(Owner.app_user("app-1", "gmail", "jo")) is None
    assert [(summary.owner.kind, summary.owner.name, summary.owner.user) for summary in listed] == [
        ("app", "gmail", None),
        ("app", "slack", None),
        ("app_user", "slack", "Zoë"),
        ("app_user", "slack", "jo"),
        ("workspace", "slack", None),
    ]


async def test_disconnecting_erases_the_secrets_from_the_files(path: Path) -> None:
    async with Vault(path) as vault:
        first = await vault.put(OWNER, grant(scopes=["chat:write"], account_label="jo@example.com"))
        with database(path) as other:
            sealed = [
                text.encode()
                for row in other.execute("SELECT access_ct, config_ct FROM connections")
                for text in row
            ]
            assert await vault.disconnect(OWNER)
        assert not await vault.disconnect(OWNER)
        assert await vault.get(OWNER) is None
        (left,) = await vault.list("app-1")
        bytes_left = everything_in(path.parent)
    assert len(sealed) == 2
    assert not any(text in bytes_left for text in (*sealed, b"jo@example.com"))
    assert (left.id, left.state, left.generation) == (first.id, "disconnected", 2)
    assert (left.scopes, left.asked, left.account_label) == ((), (), None)
    assert left.created_at < left.updated_at


async def test_a_disconnected_owner_can_connect_again(path: Path) -> None:
    async with Vault(path) as vault:
        first = await vault.put(OWNER, grant())
        await vault.disconnect(OWNER)
        again = await vault.put(OWNER, grant("new"))
        assert await vault.get(OWNER) == again
    assert (again.id, again.generation) == (first.id, 3)


async def test_an_unknown_owner_has_nothing_to_get_list_or_disconnect(path: Path) -> None:
    async with Vault(path) as vault:
        assert await vault.get(OWNER) is None
        assert await vault.list("app-1") == ()
        assert not await vault.disconnect(OWNER)


async def test_a_grant_for_another_type_than_the_owners_is_refused(path: Path) -> None:
    vault = Vault(path)
    with pytest.raises(ValueError, match="'gmail'"):
        await vault.put(OWNER, Grant("gmail", TOKEN))
    assert not path.parent.exists()


async def test_a_setting_is_made_once_and_kept(path: Path) -> None:
    made = iter("abc")
    async with Vault(path) as vault:
        first = await vault.setting("signing-key", lambda: Secret(next(made)))
        assert await vault.setting("signing-key", lambda: Secret(next(made))) == first
        other = await vault.setting("api-key", lambda: Secret(next(made)))
    async with Vault(path) as vault:
        assert await vault.setting("signing-key", lambda: Secret(next(made))) == Secret("a")
    assert (first, other) == (Secret("a"), Secret("b"))


async def test_tasks_that_race_for_a_setting_agree(path: Path) -> None:
    kept: list[Secret] = []
    makers = 0

    def make() -> Secret:
        nonlocal makers
        makers += 1
        return Secret(f"made {makers}")

    async def ask(vault: Vault) -> None:
        kept.append(await vault.setting("signing-key", make))

    async with Vault(path) as one, Vault(path) as other, anyio.create_task_group() as tasks:
        for vault in (one, other) * 5:
            tasks.start_soon(ask, vault)
    assert len(kept) == 10
    assert len(set(kept)) == 1
    assert makers > 1


@pytest.mark.parametrize("made", [None, "", Secret(""), 5])
async def test_a_setting_that_is_no_secret_is_refused(path: Path, made: Any) -> None:
    async with Vault(path) as vault:
        with pytest.raises(ValueError, match="'signing-key' must be a Secret"):
            await vault.setting("signing-key", lambda: made)
        with pytest.raises(ValueError, match="name must be printable"):
            await vault.setting("", lambda: Secret("t"))


async def test_tasks_of_one_vault_write_one_after_the_other(path: Path) -> None:
    async with Vault(path) as vault, anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(vault.put, OWNER, grant(f"token {number}"))
    async with Vault(path) as vault:
        found = await vault.get(OWNER)
    assert found is not None
    assert found.generation == 50


async def test_several_vaults_of_a_process_share_a_file(path: Path) -> None:
    async with Vault(path) as one:
        async with Vault(path) as other:
            await one.put(OWNER, grant())
            await other.put(OWNER, grant("newer"))
        found = await one.get(OWNER)
    assert found is not None
    assert (token(found), found.generation) == ("newer", 2)


async def test_a_vault_waits_for_another_writer_and_then_gives_up(path: Path) -> None:
    async with Vault(path, busy_timeout=0.05) as vault:
        await vault.put(OWNER, grant())
        with database(path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(VaultBusyError, match="try again"):
                await vault.put(OWNER, grant("newer"))
            # Readers do not wait for a writer.
            assert await vault.get(OWNER) is not None
            other.execute("ROLLBACK")
        assert (await vault.put(OWNER, grant("newer"))).generation == 2


async def test_nothing_happens_before_the_first_use(path: Path) -> None:
    vault = Vault(path)
    assert repr(vault) == f"<Vault '{path}', not open>"
    assert vault.path == path
    await vault.aclose()
    assert not path.parent.exists()


async def test_a_vault_opens_itself_when_it_is_first_used(path: Path) -> None:
    vault = Vault(path)
    await vault.put(OWNER, grant())
    assert repr(vault) == f"<Vault '{path}', open>"
    await vault.aclose()
    assert repr(vault) == f"<Vault '{path}', closed>"


async def test_a_closed_vault_stays_closed(path: Path) -> None:
    vault = Vault(path)
    async with vault:
        pass
    await vault.aclose()
    with pytest.raises(VaultUsageError, match="was closed"):
        await vault.get(OWNER)
    assert sorted(file.name for file in path.parent.iterdir()) == ["vault.db", "vault.db.key"]


def make_text(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("not a vault")
    path.chmod(0o600)


async def test_entering_a_vault_that_cannot_be_opened_closes_it(path: Path) -> None:
    make_text(path)
    vault = Vault(path, key=KEY)
    with pytest.raises(Exception, match="not a vault"):
        await vault.__aenter__()
    assert "closed" in repr(vault)


async def test_the_vault_and_its_folder_are_private(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, grant())
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    names = ["vault.db", "vault.db-shm", "vault.db-wal", "vault.db.key"]
    assert modes == dict.fromkeys(names, 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_the_file_is_in_wal_mode_and_says_that_it_is_a_vault(path: Path) -> None:
    async with Vault(path):
        pass
    with database(path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert other.execute("PRAGMA application_id").fetchone() == (0x42343456,)


async def test_a_vault_that_was_replaced_while_it_was_open_is_not_written_to(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, grant())
        for file in path.parent.glob("vault.db*"):
            if file.name != "vault.db.key":
                file.rename(path.parent / f"old-{file.name}")
        with pytest.raises(VaultStorageError, match="while it was open"):
            await vault.put(OWNER, grant())
        async with Vault(path) as new:
            assert await new.get(OWNER) is None
            await new.put(OWNER, grant("new"))
    async with Vault(path) as new:
        found = await new.get(OWNER)
    assert found is not None
    assert token(found) == "new"


async def test_after_resealing_only_the_first_key_is_needed(path: Path) -> None:
    user = Owner.app_user("app-1", "c", "jo")
    async with Vault(path, key=KEY) as vault:
        put = await vault.put(OWNER, grant())
        await vault.put(user, grant())
        await vault.disconnect(user)
        setting = await vault.setting("signing-key", lambda: Secret("k"))
        old = sealed_values(path)
    async with Vault(path, key=Secret(f"{OTHER_KEY},{KEY}")) as vault:
        assert await vault.get(OWNER) == put
        await vault.reseal()
        assert not any(value in everything_in(path.parent) for value in old)
    async with Vault(path, key=OTHER_KEY) as vault:
        assert await vault.get(OWNER) == put
        assert await vault.setting("signing-key", lambda: Secret("new")) == setting
    with pytest.raises(VaultKeyError):
        await Vault(path, key=KEY).get(OWNER)


def sealed_values(path: Path) -> list[bytes]:
    with database(path) as other:
        found = other.execute(
            "SELECT access_ct FROM connections WHERE state = 'active'"
            " UNION SELECT config_ct FROM connections WHERE state = 'active'"
            " UNION SELECT value_ct FROM settings UNION SELECT check_ct FROM sealing_keys"
        ).fetchall()
    assert len(found) == 4
    return [value.encode() for (value,) in found]


async def test_resealing_without_one_of_the_keys_changes_nothing(path: Path) -> None:
    async with Vault(path, key=KEY) as old:
        await old.put(OWNER, grant())
        async with Vault(path, key=f"{OTHER_KEY},{KEY}") as both:
            await both.setting("signing-key", lambda: Secret("k"))
        before = sealed_rows(path)
        with pytest.raises(VaultKeyError) as caught:
            await old.reseal()
        assert sealed_rows(path) == before
    other = key_ring(Secret(OTHER_KEY))
    assert other is not None
    assert other.ids[0] in str(caught.value)


def sealed_rows(path: Path) -> list[object]:
    with database(path) as other:
        return [
            other.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("connections", "settings", "sealing_keys")
        ]


async def test_a_value_sealed_with_an_old_key_is_read_and_new_ones_get_the_new_key(
    path: Path,
) -> None:
    async with Vault(path, key=KEY) as vault:
        old = await vault.put(OWNER, grant())
    user = Owner.app_user("app-1", "c", "jo")
    async with Vault(path, key=f"{OTHER_KEY},{KEY}") as vault:
        assert await vault.get(OWNER) == old
        await vault.put(user, grant())
    for key in (KEY, OTHER_KEY):
        with pytest.raises(VaultKeyError, match="is sealed with the key"):
            await Vault(path, key=key).get(OWNER)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("",), ValueError),
        (("a\0b",), ValueError),
        ((b"bytes",), TypeError),
        ((5,), TypeError),
    ],
    ids=repr,
)
async def test_a_path_that_cannot_be_is_refused(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Vault(*arguments)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e9])
async def test_a_timeout_that_cannot_be_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="busy_timeout"):
        Vault("vault.db", busy_timeout=seconds)


async def test_a_vault_without_a_path_is_the_one_in_the_users_data_folder() -> None:
    folder = platformdirs.user_data_path("base44-connectors", appauthor=False)
    assert Vault().path == folder / "vault.db"


async def test_a_relative_path_is_meant_from_where_the_vault_was_made() -> None:
    assert Vault("vault.db").path == Path.cwd() / "vault.db"


async def test_listing_opens_no_secret(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, grant())
        with database(path) as other:
            other.execute("UPDATE connections SET access_ct = 'x', config_ct = 'x'")
        (summary,) = await vault.list("app-1")
    assert summary.state == "active"


def test_a_vault_serves_event_loops_one_after_the_other(anyio_backend: Any, path: Path) -> None:
    name, options = anyio_backend if isinstance(anyio_backend, tuple) else (anyio_backend, {})
    vault = Vault(path)
    for number in range(3):
        put = anyio.run(vault.put, OWNER, grant(f"{number}"), backend=name, backend_options=options)
        assert put.generation == number + 1
    anyio.run(vault.aclose, backend=name, backend_options=options)


def test_event_loops_in_several_threads_share_a_vault(anyio_backend: Any, path: Path) -> None:
    name, options = anyio_backend if isinstance(anyio_backend, tuple) else (anyio_backend, {})
    vault = Vault(path)

    async def write() -> None:
        for _ in range(20):
            await vault.put(OWNER, grant())

    threads = [
        threading.Thread(
            target=anyio.run, args=(write,), kwargs={"backend": name, "backend_options": options}
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = anyio.run(vault.get, OWNER, backend=name, backend_options=options)
    anyio.run(vault.aclose, backend=name, backend_options=options)
    assert found is not None
    assert found.generation == 60

"""A vault gets another key, and whatever breaks that off, it can be used and brought to its end."""

from pathlib import Path

import anyio
import pytest

from connectors.local._errors import VaultError, VaultKeyError
from connectors.local._places import key_file
from connectors.local._rotating import rotate_key
from connectors.local._vault import Vault
from tests.local.rotating import OWNERS, fill, is_whole
from tests.local.vaults import KEY, OTHER_KEY, grant, printed_with_locals, token
from tests.loops import REAL, on

pytestmark = on(REAL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "vault.db"
    anyio.run(fill, path)
    return path


def nothing(_done: int, _total: int) -> None:
    pass


def keys(path: Path) -> list[str]:
    return key_file(path).read_text().split()


async def test_everything_is_sealed_with_a_new_key_and_the_former_one_is_gone(path: Path) -> None:
    (former,) = keys(path)
    told: list[tuple[int, int]] = []
    assert await rotate_key(path, lambda done, total: told.append((done, total)))
    (new,) = keys(path)
    assert new != former
    assert told == [(1, 2), (2, 2)]
    assert await is_whole(path)
    with pytest.raises(VaultKeyError):
        await Vault(path, key=former).list("app-1")
    assert sorted(file.name for file in path.parent.glob("*key*")) == ["vault.db.key"]


async def test_while_it_goes_on_the_file_has_both_keys_and_the_vault_can_be_used(
    path: Path,
) -> None:
    (former,) = keys(path)
    seen: list[list[str]] = []
    async with Vault(path) as other:
        before = await other.get(OWNERS[0])
        await rotate_key(path, lambda *_: seen.append(keys(path)))
        assert [each[1:] for each in seen] == [[former], [former]]
        assert await other.get(OWNERS[0]) == before
        await other.put(OWNERS[0], grant("after"))
    async with Vault(path) as vault:
        found = await vault.get(OWNERS[0])
        assert found is not None
        assert token(found) == "after"


class BrokenOffError(Exception):
    """Raised in the middle."""


async def test_what_was_broken_off_is_brought_to_its_end_with_the_key_that_was_made(
    path: Path,
) -> None:
    def break_off(_done: int, _total: int) -> None:
        raise BrokenOffError

    with pytest.raises(BrokenOffError):
        await rotate_key(path, break_off)
    made, _former = keys(path)
    assert await is_whole(path)
    assert not await rotate_key(path, nothing)
    assert keys(path) == [made]
    assert await is_whole(path)


async def test_of_two_at_once_the_second_waits_for_the_first(path: Path) -> None:
    made: list[bool] = []

    async def rotate() -> None:
        made.append(await rotate_key(path, nothing))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rotate)
        tasks.start_soon(rotate)
    assert made == [True, True]
    assert len(keys(path)) == 1
    assert await is_whole(path)


async def test_keys_in_any_form_that_is_read_are_changed(path: Path) -> None:
    (former,) = keys(path)
    key_file(path).write_text(f"\n{former}=\r\n")
    assert await rotate_key(path, nothing)
    assert await is_whole(path)
    (new,) = keys(path)
    key_file(path).write_text(f"{new},{former} ,{KEY}\n")
    assert not await rotate_key(path, nothing)
    assert keys(path) == [new]


async def test_a_key_that_is_not_the_vaults_is_told_before_anything_is_changed(path: Path) -> None:
    key_file(path).write_text(OTHER_KEY)
    with pytest.raises(VaultKeyError, match="sealed with the key") as caught:
        await rotate_key(path, nothing)
    assert keys(path) == [OTHER_KEY]
    assert OTHER_KEY not in printed_with_locals(caught.value)


async def test_no_key_is_in_an_error_or_its_frames(path: Path) -> None:
    (former,) = keys(path)

    def remove(_done: int, _total: int) -> None:
        key_file(path).unlink(missing_ok=True)

    with pytest.raises(VaultError, match="No such file") as caught:
        await rotate_key(path, remove)
    assert former not in printed_with_locals(caught.value)

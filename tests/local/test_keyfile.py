import stat
from pathlib import Path

import pytest

from connectors.local._crypto import key_ring
from connectors.local._errors import VaultKeyError, VaultPermissionError
from connectors.local._keyfile import find_keys
from tests.local.vaults import KEY, OTHER_KEY, answer, printed_with_locals, python
from transports import Secret


def test_a_key_file_is_made_beside_the_vault_for_its_owner_only(tmp_path: Path) -> None:
    vault = tmp_path / "vault.db"
    made = find_keys(vault, None, create=True)
    file = tmp_path / "vault.db.key"
    assert list(tmp_path.iterdir()) == [file]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert find_keys(vault, None, create=False).ids == made.ids
    assert find_keys(vault, None, create=True).ids == made.ids


def test_a_missing_key_is_an_error_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(VaultKeyError, match="BASE44_VAULT_KEY") as caught:
        find_keys(tmp_path / "vault.db", None, create=False)
    assert "vault.db.key" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "\n", "short", f"{KEY},{KEY[:-1]}", "é" * 43])
def test_a_malformed_key_file_is_an_error_and_stays_as_it_is(tmp_path: Path, content: str) -> None:
    file = tmp_path / "vault.db.key"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(VaultKeyError, match="32 random bytes") as caught:
        find_keys(tmp_path / "vault.db", None, create=True)
    assert caught.value.path == str(file)
    assert file.read_text() == content
    assert KEY[:-1] not in printed_with_locals(caught.value)


def test_a_key_file_may_hold_several_keys(tmp_path: Path) -> None:
    file = tmp_path / "vault.db.key"
    file.write_text(f"{KEY}\n{OTHER_KEY}\n")
    file.chmod(0o600)
    both = key_ring(Secret(f"{KEY},{OTHER_KEY}"))
    assert both is not None
    assert find_keys(tmp_path / "vault.db", None, create=False).ids == both.ids


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    find_keys(tmp_path / "vault.db", None, create=True)
    (tmp_path / "vault.db.key").chmod(0o644)
    with pytest.raises(VaultPermissionError, match="chmod 600"):
        find_keys(tmp_path / "vault.db", None, create=True)


def test_a_given_key_makes_no_file(tmp_path: Path) -> None:
    given = key_ring(Secret(KEY))
    assert find_keys(tmp_path / "vault.db", given, create=True) is given
    assert list(tmp_path.iterdir()) == []


def test_the_environment_wins_over_the_file_and_makes_none(tmp_path: Path) -> None:
    find_keys(tmp_path / "kept.db", None, create=True)
    both = key_ring(Secret(f"{OTHER_KEY},{KEY}"))
    assert both is not None
    for name in ("kept.db", "new.db"):
        said = answer(python("keys", tmp_path / name, BASE44_VAULT_KEY=f"{OTHER_KEY},{KEY}"))
        assert said.split() == list(both.ids)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.db.key"]


@pytest.mark.parametrize("value", ["", KEY[:-1]])
def test_a_malformed_key_in_the_environment_is_an_error_without_it(
    tmp_path: Path, value: str
) -> None:
    said = answer(python("keys", tmp_path / "vault.db", BASE44_VAULT_KEY=value))
    assert "VaultKeyError" in said
    assert "BASE44_VAULT_KEY in the environment is not" in said
    assert KEY[:-1] not in said
    assert list(tmp_path.iterdir()) == []

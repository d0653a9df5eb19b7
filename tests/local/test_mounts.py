"""A vault is on a disk of this machine."""

from pathlib import Path

import pytest

from connectors.local._errors import VaultStorageError
from connectors.local._mounts import check_local

TABLE = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv rw shared:2 - nfs4 server:/export/x rw,vers=4.2
31 30 8:2 / /srv/ada/disk rw - ext4 /dev/sdb1 rw
32 22 0:41 / /mnt/a\040share rw - cifs //server/share rw
33 22 0:42 / /over rw - nfs server:/x rw
34 33 8:3 / /over rw - xfs /dev/sdc1 rw
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text(TABLE.lstrip())
    return file


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/vault.db", "nfs4"),
        ("/srv/ada/vault.db", "nfs4"),
        ("/srv/ada/disk-2/vault.db", "nfs4"),
        ("/mnt/a share/x/vault.db", "cifs"),
    ],
)
def test_a_vault_on_another_machine_is_refused(mounts: Path, path: str, kind: str) -> None:
    with pytest.raises(VaultStorageError, match=rf"network file system \({kind}\)") as caught:
        check_local(Path(path), mounts)
    assert "a disk of this machine" in str(caught.value)


@pytest.mark.parametrize(
    "path", ["/vault.db", "/srvs/vault.db", "/srv/ada/disk/vault.db", "/over/vault.db"]
)
def test_a_vault_on_this_machine_is_not(mounts: Path, path: str) -> None:
    check_local(Path(path), mounts)


def test_a_link_is_followed(mounts: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/srv/ada")
    with pytest.raises(VaultStorageError):
        check_local(tmp_path / "link" / "vault.db", mounts)


def test_where_nobody_says_what_is_mounted_nothing_is_refused(tmp_path: Path) -> None:
    check_local(Path("/srv/vault.db"), tmp_path / "nothing")
    check_local(tmp_path / "vault.db")

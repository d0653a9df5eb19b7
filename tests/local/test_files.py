import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.local._errors import VaultForeignError, VaultPermissionError
from connectors.local._files import check_private, file_id, make_folder, publish, read_private


def write_hello(draft: Path) -> None:
    draft.write_text("hello")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_published_file_is_complete_private_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert publish(path, write_hello)
    assert path.read_text() == "hello"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_publishing_never_replaces_anything(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    assert not publish(path, write_hello)
    assert path.read_text() == ""
    assert list(tmp_path.iterdir()) == [path]


def test_publishing_does_not_follow_a_broken_link(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.symlink_to(tmp_path / "elsewhere")
    assert not publish(path, write_hello)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_fails_to_be_built_is_not_published(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        draft.write_text("half")
        raise OSError

    with pytest.raises(OSError):
        publish(tmp_path / "file", fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o610, 0o677])
def test_a_file_that_others_may_use_is_refused_with_the_command_to_run(
    tmp_path: Path, bits: int
) -> None:
    path = tmp_path / "my file"
    publish(path, write_hello)
    path.chmod(bits)
    with pytest.raises(VaultPermissionError, match=rf"chmod 600 '{path}'"):
        read_private(path, 10)


def test_where_there_are_no_modes_a_file_is_as_private_as_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    publish(path, write_hello)
    path.chmod(0o666)
    assert check_private(path, posix=False).st_size == 5
    path.unlink()
    path.symlink_to("elsewhere")
    with pytest.raises(VaultForeignError):
        check_private(path, posix=False)


SYNCED = """
import sys
from pathlib import Path
from connectors.local._files import publish

opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
path = Path(sys.argv[1])
assert publish(path, lambda draft: None, posix=sys.argv[2] == "posix")
print(str(path.parent) in opened, sum(name.endswith(".new") for name in opened))
"""


@pytest.mark.parametrize(("platform", "folder"), [("posix", True), ("other", False)])
def test_a_folder_is_synced_where_that_can_be_and_a_file_always(
    tmp_path: Path, platform: str, *, folder: bool
) -> None:
    command = [sys.executable, "-c", SYNCED, str(tmp_path / "file"), platform]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    # The file is opened to make it and to sync it.
    assert ran.stdout.split() == [str(folder), "2"]


def test_links_folders_and_pipes_are_refused(tmp_path: Path) -> None:
    publish(tmp_path / "file", write_hello)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "link", tmp_path, tmp_path / "pipe"):
        with pytest.raises(VaultForeignError, match="not a regular file"):
            read_private(path, 10)


def test_only_the_folder_that_is_made_is_made_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_folder(tmp_path)
    assert mode(tmp_path) == 0o755
    make_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700


def test_a_file_is_known_by_more_than_its_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert file_id(path) is None
    publish(path, write_hello)
    first = file_id(path)
    path.rename(tmp_path / "moved")
    publish(path, write_hello)
    assert file_id(path) not in {None, first}
    assert file_id(tmp_path / "moved") == first

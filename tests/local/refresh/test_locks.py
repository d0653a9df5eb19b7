"""The lock among processes lives exactly as long as its holder."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from connectors.local import VaultStorageError
from connectors.local._refresh._locks import ProcessLock
from tests.local.vaults import ROOT
from tests.loops import REAL, on

pytestmark = on(REAL)

NAME = "0123abcd"


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@contextmanager
def holder(vault: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that has the lock."""
    # The record of what a process covered is torn when it dies.
    unmeasured = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.local.refresh.holder", str(vault), NAME],
        cwd=ROOT,
        env=unmeasured,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
    finally:
        process.kill()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
        process.wait()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def is_free(vault: Path, name: str = NAME) -> bool:
    with anyio.move_on_after(0.3):
        async with ProcessLock(vault, name):
            return True
    return False


async def test_of_two_tasks_one_has_it(vault: Path) -> None:
    async with ProcessLock(vault, NAME):
        assert not await is_free(vault)
        assert await is_free(vault, "another-name")
    assert await is_free(vault)


async def test_it_is_let_go_when_the_block_fails(vault: Path) -> None:
    with pytest.raises(LookupError):
        async with ProcessLock(vault, NAME):
            raise LookupError
    assert await is_free(vault)


async def test_of_two_processes_one_has_it_and_it_goes_to_who_waits(vault: Path) -> None:
    with holder(vault) as process:
        assert not await is_free(vault)
        assert process.stdin is not None
        process.stdin.close()
        with anyio.fail_after(5):
            async with ProcessLock(vault, NAME):
                pass


async def test_a_holder_that_is_stopped_keeps_it_and_one_that_is_killed_does_not(
    vault: Path,
) -> None:
    with holder(vault) as process:
        process.send_signal(signal.SIGSTOP)
        assert not await is_free(vault)
        process.kill()
        process.wait()
        assert await is_free(vault)


async def test_who_is_cancelled_while_waiting_has_nothing(vault: Path) -> None:
    before = _open_files()
    async with ProcessLock(vault, NAME):
        for _ in range(3):
            assert not await is_free(vault)
    assert _open_files() == before
    assert await is_free(vault)


async def test_its_file_is_private_and_stays(vault: Path) -> None:
    async with ProcessLock(vault, NAME):
        pass
    file = vault.with_name("vault.db.locks") / NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    number = file.stat().st_ino
    async with ProcessLock(vault, NAME):
        assert file.stat().st_ino == number


async def test_what_is_no_file_of_its_own_is_refused(vault: Path) -> None:
    folder = vault.with_name("vault.db.locks")
    folder.mkdir()
    (folder / "a-folder").mkdir()
    (folder / "a-link").symlink_to(vault)
    for name in ("a-folder", "a-link"):
        with pytest.raises(VaultStorageError, match=name):
            async with ProcessLock(vault, name):
                pytest.fail("it has no lock")

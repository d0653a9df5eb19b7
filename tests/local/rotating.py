"""A process that is killed while it changes the key of a vault: `python -m tests.local.rotating`.

It makes a vault, and changes the key of a copy of it again and again, each time killed some lines
later. What is left must be a vault that opens with its key file, and whose change can be finished.
"""
# ruff: noqa: T201 - what a process has to say it prints.

import os
import shutil
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import anyio

from connectors.local import _files, _keyfile, _rekeying, _rotating
from connectors.local._places import key_file
from connectors.local._records import Grant, Owner
from connectors.local._rotating import rotate_key
from connectors.local._vault import Vault
from tests.local.processes import in_child

if TYPE_CHECKING:
    from _typeshed import TraceFunction

# The modules whose lines change files while the key is changed.
CHANGERS = frozenset(module.__file__ for module in (_files, _keyfile, _rekeying, _rotating))
OWNERS = [Owner.app_user("app-1", "c", name) for name in "ab"]


async def fill(path: Path) -> None:
    async with Vault(path) as vault:
        for owner in OWNERS:
            grant = Grant("slack", f"of {owner.user}", refresh_token="r", source="oauth")
            await vault.put(owner, grant)


async def is_whole(path: Path) -> bool:
    async with Vault(path) as vault:
        found = [await vault.get(owner) for owner in OWNERS]
    tokens = [each.access_token.reveal() for each in found if each and each.access_token]
    return tokens == [f"of {owner.user}" for owner in OWNERS]


def rotate(path: Path) -> None:
    anyio.run(rotate_key, path, lambda _done, _total: None)


def until_line(last: int, path: Path) -> None:
    seen = 0

    def trace(frame: FrameType, event: str, _: object) -> "TraceFunction | None":
        nonlocal seen
        if frame.f_code.co_filename not in CHANGERS:
            return None
        seen += event == "line"
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    rotate(path)
    sys.settrace(None)


def looks_right(path: Path, former: str) -> None:
    assert anyio.run(is_whole, path)
    rotate(path)
    keys = key_file(path).read_text().split()
    assert len(keys) == 1
    assert keys != [former]
    assert key_file(path).stat().st_mode & 0o777 == 0o600
    assert anyio.run(is_whole, path)


def main(folder: str, stride: str) -> None:
    made = Path(folder) / "made"
    in_child(partial(anyio.run, fill, made / "vault.db"))
    former = key_file(made / "vault.db").read_text().strip()
    line, lived = 0, False
    while not lived:
        line += int(stride)
        path = Path(shutil.copytree(made, Path(folder) / str(line))) / "vault.db"
        lived = in_child(partial(until_line, line, path)) == 0
        if in_child(partial(looks_right, path, former)) != 0:
            print(f"is not right after line {line}")
            return
        shutil.rmtree(path.parent)
    print(f"right after {stride}, {2 * int(stride)} ... {line} lines")


if __name__ == "__main__":
    main(*sys.argv[1:])

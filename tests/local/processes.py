"""The other processes of the vault's tests: `python -m tests.local.processes <role> <vault> ...`.

Two of them fork: the children do their work on the main thread, are killed at a chosen moment, and
cost no start of an interpreter.
"""
# ruff: noqa: T201 - what a process has to say it prints.

import itertools
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import anyio

from connectors.local import _files, _keyfile, _opening, _schema
from connectors.local._connections import get_connection, put_connection
from connectors.local._crypto import new_key
from connectors.local._errors import VaultError
from connectors.local._keyfile import find_keys
from connectors.local._oauth_records import Consent
from connectors.local._places import key_file
from connectors.local._records import Grant, Owner, StoredConnection
from connectors.local._sealing import Database
from connectors.local._session import Session
from connectors.local._vault import Vault
from tests.local.steps import (
    STEPS,
    consented,
    fail,
    force,
    postpone,
    present,
    reconnect,
    renew,
    tokens,
)
from tests.local.vaults import KEY, OTHER_KEY, OWNER, token
from transports import Secret

if TYPE_CHECKING:
    from _typeshed import TraceFunction

STATE = Secret("state")

# The modules whose lines touch files while a vault is made.
MAKERS = frozenset(module.__file__ for module in (_files, _keyfile, _opening, _schema))


def keys(vault: str) -> None:
    """Print the ids of the vault's keys, or what is wrong with them."""
    try:
        print(*find_keys(Path(vault), None, create=True).ids)
    except VaultError as error:
        print(type(error).__name__, error)


def race(vault: str, name: str, writes: str) -> None:
    """Wait for a line; then make or open the vault, write to it, and print the setting."""

    async def main() -> None:
        async with Vault(vault, busy_timeout=60) as opened:
            print((await opened.setting("signing-key", new_key)).reveal(), flush=True)
            for number in range(int(writes)):
                await opened.put(OWNER, Grant("slack", f"shared-{name}-{number}"))
                await opened.put(Owner.app_user("app-1", "c", name), Grant("slack", f"{number}"))

    print("ready", flush=True)
    sys.stdin.readline()
    anyio.run(main)


def die_writing(vault: str, times: str) -> None:
    """Be killed again and again in the middle of writing, and look at what is there each time."""
    generation = 0
    for number in range(int(times)):
        acknowledged = killed_after(number % 7 + 1, Path(vault))
        session = Session(Path(vault), None, 5)
        found = session.run(lambda database: get_connection(database, OWNER))
        session.close()
        assert found is not None
        assert token(found) in {str(acknowledged), str(acknowledged + 1)}
        assert found.generation > generation
        generation = found.generation
    print("killed", times)


def killed_after(writes: int, path: Path) -> int:
    """Kill a writer in the write after so many, and say which was the last that it acknowledged."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        write(path, writer)
    os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        seen = [pipe.read(1) for _ in range(writes)]
        os.kill(child, signal.SIGKILL)
        seen.append(pipe.read())
    os.waitpid(child, 0)
    return len(b"".join(seen)) - 1


def write(path: Path, pipe: int) -> None:
    session = Session(path, None, 5)
    for number in itertools.count():
        grant = Grant("slack", str(number))
        session.run(partial(put_connection, owner=OWNER, grant=grant))
        os.write(pipe, b".")


def fork(vault: str) -> None:
    """Use a vault in a forked child: one that the parent has opened, and one that it has not."""
    opened, unopened = Vault(vault), Vault(vault)
    anyio.run(opened.put, OWNER, Grant("slack", "t"))
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        found = anyio.run(opened.get, OWNER)
        print("parent", found is not None and token(found))
        anyio.run(opened.aclose)
        return
    try:
        anyio.run(opened.get, OWNER)
    except VaultError as error:
        print(type(error).__name__, error)
    anyio.run(opened.aclose)
    found = anyio.run(unopened.get, OWNER)
    print("child", found is not None and token(found), flush=True)
    anyio.run(unopened.aclose)


def die_creating(folder: str) -> None:
    """Make a vault again and again, each time killed one line later, and open it each time."""
    line = 0
    lived = False
    while not lived:
        line += 1
        path = Path(folder) / str(line) / "vault.db"
        lived = in_child(partial(until_line, line, path)) == 0
        if in_child(partial(opens, path)) != 0:
            print(f"does not open after line {line}")
            return
    print(f"opened after each of {line} lines")


def leave(path: str, *statements: str) -> None:
    """Run SQL on a database and die without closing it."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    os._exit(0)


def full(vault: str, size: str) -> None:
    """Write until no file may grow any more, and say what is wrong then."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))
    session = Session(Path(vault), None, 5)
    try:
        while True:
            session.run(partial(put_connection, owner=OWNER, grant=Grant("slack", "t" * 1000)))
    except VaultError as error:
        print(type(error).__name__, error)


def contend(vault: str, name: str, children: str) -> None:
    """Take one step from the same place in several processes, and print how many have taken it."""
    step = {step.__name__: step for step in (*STEPS, take)}[name]
    anyio.run(connect, vault)
    ready_reader, ready = os.pipe()
    go, go_writer = os.pipe()

    async def main() -> None:
        async with Vault(vault, busy_timeout=60) as opened:
            seen = await opened.get(OWNER)
            assert seen is not None
            os.write(ready, b".")
            os.close(ready)
            os.read(go, 1)
            os._exit(bool(await step(opened, seen)))

    pids = []
    for _ in range(int(children)):
        pids.append(os.fork())
        if not pids[-1]:
            os.close(go_writer)
            anyio.run(main)
    # Then a child that dies ends the wait for it.
    os.close(ready)
    for _ in pids:
        assert os.read(ready_reader, 1)
    os.close(go_writer)
    print(sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids))


async def connect(vault: str) -> None:
    async with Vault(vault) as opened:
        await connect_to(opened)


async def connect_to(vault: Vault) -> None:
    await vault.put(OWNER, consented())
    await vault.consent_rows.begin(
        OWNER, "slack", state=STATE, verifier=STATE, redirect_uri="http://localhost", now=1.0
    )


async def take(vault: Vault, _: StoredConnection) -> object:
    return isinstance(await vault.consent_rows.take(STATE, 2.0), Consent)


def die_refreshing(folder: str) -> None:
    """Take all steps again and again, each time killed one statement later, and look at the row."""
    states: set[object] = set()
    anyio.run(partial(take_steps, Path(folder) / "0.db", 0, states))
    statement, lived = 0, False
    while not lived:
        statement += 1
        path = Path(folder) / f"{statement}.db"
        lived = in_child(partial(anyio.run, take_steps, path, statement, set())) == 0
        found = anyio.run(seen_state, path)
        assert found in states, (statement, found)
    print(f"whole after each of {statement} statements, in {len(states)} states")


async def take_steps(path: Path, last: int, states: set[object]) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, consented())
        states.add(await state_of(vault))
        await vault._work.run(partial(kill_before, last=last))
        for step in (present, postpone, force, renew, spool, present, fail, reconnect):
            seen = await vault.get(OWNER)
            assert seen is not None
            await step(vault, seen)
            states.add(await state_of(vault))
        await vault.disconnect(OWNER)
        states.add(await state_of(vault))


async def spool(vault: Vault, seen: StoredConnection) -> None:
    await vault.refreshes.spool(seen, tokens(8))


def die_rotating(folder: str) -> None:
    """Change keys again and again, each time killed one statement later; then change them whole."""
    statement, lived = 0, False
    while not lived:
        statement += 1
        path = Path(folder) / f"{statement}.db"
        anyio.run(partial(rotate, path, KEY, 0, make=True))
        lived = in_child(partial(anyio.run, rotate, path, f"{OTHER_KEY},{KEY}", statement)) == 0
        anyio.run(partial(rotate, path, f"{OTHER_KEY},{KEY}", 0))
        anyio.run(partial(rotate, path, OTHER_KEY, 0))
    print(f"rotated after each of {statement} statements")


async def rotate(path: Path, key: str, last: int, *, make: bool = False) -> None:
    async with Vault(path, key=key) as vault:
        if make:
            await connect_to(vault)
        else:
            assert token(await vault.get(OWNER)) == "planted-access-token-5c1e-1"
        await vault._work.run(partial(kill_before, last=last))
        await vault.reseal()


def kill_before(database: Database, last: int) -> None:
    seen = 0

    def count(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)

    database.connection.set_trace_callback(count)


async def seen_state(path: Path) -> object:
    async with Vault(path) as vault:
        return await state_of(vault)


async def state_of(vault: Vault) -> object:
    found = await vault.get(OWNER)
    (listed,) = await vault.list(OWNER.app_id)
    secrets = found and (found.access_token, found.refresh_token, found.raw, found.presented)
    marks = (listed.generation, listed.state, listed.reason, listed.failures, listed.last_error)
    return (*marks, secrets, found and found.forced_at)


def in_child(work: Callable[[], None]) -> int:
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the child must not go on as the parent.
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return status


def until_line(last: int, path: Path) -> None:
    seen = 0

    def trace(frame: FrameType, event: str, _: object) -> "TraceFunction | None":
        nonlocal seen
        if frame.f_code.co_filename not in MAKERS:
            return None
        seen += event == "line"
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    session = Session(path, None, 5)
    sys.settrace(trace)
    session.run(lambda _: None)
    sys.settrace(None)


def opens(path: Path) -> None:
    session = Session(path, None, 5)
    found = session.run(lambda database: get_connection(database, OWNER))
    assert found is None or token(found) == "t"
    session.run(lambda database: put_connection(database, OWNER, Grant("slack", "again")))
    session.close()
    # Only a draft that was never linked may be left, and nothing of the key.
    key = key_file(path)
    assert key.stat().st_nlink == path.stat().st_nlink == 1, "a second name is left"


ROLES = {
    role.__name__: role
    for role in (
        keys,
        race,
        die_writing,
        fork,
        full,
        leave,
        die_creating,
        contend,
        die_refreshing,
        die_rotating,
    )
}

if __name__ == "__main__":
    ROLES[sys.argv[1]](*sys.argv[2:])

"""What the tests of the vault share: planted secrets, owners, and looks at the files."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from structlog.tracebacks import ExceptionDictTransformer

from connectors.local._records import Grant, Owner, StoredConnection

ROOT = Path(__file__).parents[2]
TOKEN = "xoxb-planted-token-8d1c"
CONFIG_VALUE = "planted-config-value-77aa"
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
OTHER_KEY = "_____________________________________________v8"[-43:]
OWNER = Owner.app("app-1", "slack")

DYING = frozenset(
    {"contend", "die_creating", "die_refreshing", "die_rotating", "die_writing", "full", "leave"}
)
"""Roles of `tests.local.processes` that kill themselves or their children, or fill the disk."""


def grant(token: str = TOKEN, **values: object) -> Grant:
    config = {"developer_token": CONFIG_VALUE}
    return Grant("slack", token, **{"connection_config": config, **values})  # type: ignore[arg-type]


def token(connection: StoredConnection | None) -> str:
    """The token of a connection that has one."""
    assert connection is not None
    assert connection.access_token is not None
    return connection.access_token.reveal()


def digest(path: Path) -> str:
    """The hash of a file; only while no vault of this process has it open."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(folder: Path) -> dict[str, str]:
    """The hashes of all files of a folder."""
    # The index of the log is rebuilt by every reader and holds no content.
    files = [file for file in folder.iterdir() if not file.name.endswith("-shm")]
    return {file.name: digest(file) for file in files}


def everything_in(folder: Path) -> bytes:
    """The bytes of all files of a folder, a vault that is open among them."""
    # Another process reads: to close the file here would drop the locks of the open vault.
    files = [str(file) for file in folder.iterdir()]
    return subprocess.run(["cat", *files], check=True, capture_output=True).stdout


@contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """A vault's file, as somebody opens it who may write to it but has not the key."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def python(role: str, *arguments: object, **variables: str) -> "subprocess.Popen[str]":
    """Another process that runs `tests.local.processes`; talks over its standard streams."""
    # The record of what a process covered is torn when it dies.
    unmeasured = [name for name in os.environ if role in DYING and "COVERAGE" in name]
    inherited = {name: os.environ[name] for name in os.environ if name not in unmeasured}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.local.processes", role, *map(str, arguments)],
        cwd=ROOT,
        env={**inherited, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def answer(process: "subprocess.Popen[str]", said: str = "") -> str:
    """What a process prints until it ends, when it ends well."""
    with process:
        try:
            printed, _ = process.communicate(said, timeout=120)
        finally:
            process.kill()
    assert process.returncode == 0, printed
    return printed


def printed_with_locals(error: BaseException) -> str:
    """The error as structlog prints it with the locals of every frame but the test's own."""
    assert error.__traceback__ is not None
    transform = ExceptionDictTransformer(show_locals=True, locals_max_string=10_000)
    told = transform((type(error), error, error.__traceback__.tb_next))
    assert any(stack["frames"] for stack in told)
    return json.dumps(told) + repr(error)

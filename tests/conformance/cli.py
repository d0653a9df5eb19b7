"""The official CLI, unmodified, run in a project folder of its own against a server of the tests.

It finds no program but itself and a browser that is none: what it wants opened is told to
the test. So it asks no registry for a newer version, opens nothing, and reaches no other server.
"""

import json
import os
import shutil
import termios
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import attrs
from anyio.abc import Process

from tests.conformance.processes import running

CLI: Final = "BASE44_CONFORMANCE_CLI"
"""The environment variable that says where the package of the CLI is unpacked."""

_PATIENCE: Final = 60.0
_ROWS_AND_COLUMNS: Final = (50, 200)
_BROWSER: Final = '#!/bin/sh\nprintf "%s\\n" "$1" > "$OPENED"\n'


@attrs.frozen
class Ran:
    """How the CLI ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        """What it printed, with `--json`."""
        return json.loads(self.out)


class Terminal:
    """A terminal with the CLI on it: see what it shows, and type."""

    def __init__(self, master: int, process: Process, opened: int) -> None:
        self._master = master
        self._process = process
        self._opened = opened
        self.shown = ""

    async def expect(self, text: str) -> None:
        """Wait until it shows something."""
        with anyio.fail_after(_PATIENCE):
            while text not in self.shown:
                assert await self._read(), f"{text!r} is not in {self.shown!r}"

    async def type(self, text: str) -> None:
        """Press keys."""
        await anyio.wait_writable(self._master)
        os.write(self._master, text.encode())

    async def opened(self) -> str:
        """Wait until it opens a browser, and say with which address."""
        line = b""
        with anyio.fail_after(_PATIENCE):
            while not line.endswith(b"\n"):
                await anyio.wait_readable(self._opened)
                line += os.read(self._opened, 65536)
        return line.decode().rstrip()

    async def ended(self) -> int:
        """Wait until it has ended, and return its exit code."""
        with anyio.fail_after(_PATIENCE):
            while await self._read():
                pass
            return await self._process.wait()

    async def _read(self) -> bool:
        await anyio.wait_readable(self._master)
        try:
            read = os.read(self._master, 65536)
        except OSError:  # Linux says that nobody has the other end any more.
            read = b""
        self.shown += read.decode(errors="replace")
        return bool(read)


class Project:
    """A folder with a project that is linked to an app, and the CLI to run in it."""

    def __init__(self, folder: Path, server_url: str, app_id: str, api_key: str) -> None:
        self._folder = folder / "project"
        self._home = folder / "home"
        self._opened = folder / "opened"
        self._bin = folder / "bin"
        self._environment = {
            "HOME": str(self._home),
            "PATH": str(self._bin),
            "BASE44_API_URL": server_url,
            "BASE44_API_KEY": api_key,
            "BASE44_DISABLE_TELEMETRY": "1",
            "OPENED": str(self._opened),
        }
        self.connectors = self._folder / "base44" / "connectors"
        for made in (self.connectors, self._home, self._bin):
            made.mkdir(parents=True)
        (self._folder / "base44" / "config.jsonc").write_text('{"name": "Test"}')
        (self._folder / "base44" / ".app.jsonc").write_text(json.dumps({"id": app_id}))
        os.mkfifo(self._opened)
        browser = self._bin / "xdg-open"
        browser.write_text(_BROWSER)
        browser.chmod(0o700)

    def write(self, integration_type: str, scopes: Sequence[str], suffix: str = "jsonc") -> Path:
        """Write the file of a connector, as a person does: with a comment where one is allowed."""
        told = json.dumps({"type": integration_type, "scopes": list(scopes)}, indent=2)
        file = self.connectors / f"{integration_type}.{suffix}"
        file.write_text(f"// By hand.\n{told}\n" if suffix == "jsonc" else told)
        return file

    @property
    def files(self) -> dict[str, str]:
        """The connector files that there are, by their names."""
        return {file.name: file.read_text() for file in sorted(self.connectors.iterdir())}

    async def run(self, *arguments: str) -> Ran:
        """Run a command of `base44 connectors` where there is nobody to ask."""
        with anyio.fail_after(_PATIENCE):
            ran = await anyio.run_process(
                _command(arguments), check=False, cwd=self._folder, env=self._environment
            )
        return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode())

    @asynccontextmanager
    async def terminal(self, *arguments: str) -> AsyncIterator[Terminal]:
        """Run a command of `base44 connectors` on a terminal; it has ended when this is left."""
        master, slave = os.openpty()
        os.set_blocking(master, False)
        termios.tcsetwinsize(slave, _ROWS_AND_COLUMNS)
        # Opened for writing too, so that it has no end when the browser has said what it has to.
        opened = os.open(self._opened, os.O_RDWR | os.O_NONBLOCK)
        environment = {**self._environment, "TERM": "xterm-256color"}
        try:
            async with running(
                _command(arguments), environment, cwd=self._folder, terminal=slave
            ) as process:
                os.close(slave)
                yield Terminal(master, process, opened)
        finally:
            os.close(master)
            os.close(opened)


def _command(arguments: Sequence[str]) -> list[str]:
    node = shutil.which("node")
    assert node is not None, "there is no Node.js on the PATH"
    return [node, str(Path(os.environ[CLI], "bin", "run.js")), "connectors", *arguments]

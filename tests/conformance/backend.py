"""The local backend as a user runs it: `connectors dev`, a process over a vault in a file."""

import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import attrs
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from connectors.local._records import Grant, Owner
from connectors.local._vault import Vault
from tests.conformance.sdks import Settings

APP: Final = "my-app"
USER: Final = "ada"
STRANGER: Final = "bob"

_START: Final = 30.0
_COMMAND: Final = (sys.executable, "-m", "connectors")
_LONGEST_LINE: Final = 4096
# The last of the lines that it prints.
_LAST: Final = "BASE44_API_KEY"


@attrs.frozen
class Backend:
    """A local backend that runs, and the vault that it serves."""

    vault: Vault
    settings: Settings
    """A client for the app `APP` with its service token and the token of the user `USER`."""

    stranger: str = attrs.field(repr=False)
    """The token of another user, `STRANGER`."""


@asynccontextmanager
async def local_backend(folder: Path) -> AsyncIterator[Backend]:
    """Start it over a new vault; it has ended when this is left."""
    path = folder / "vault.db"
    async with Vault(path) as vault:
        await fill(vault)
        dev = [*_COMMAND, "dev", "--port", "0", "--vault", str(path), "--app-id", APP]
        async with await anyio.open_process(dev, stderr=None) as process:
            try:
                with anyio.fail_after(_START):
                    exported = await _exported(process)
                yield Backend(
                    vault,
                    Settings(
                        exported["BASE44_API_URL"],
                        exported["BASE44_APP_ID"],
                        exported["BASE44_SERVICE_TOKEN"],
                        await _user_token(path, USER),
                    ),
                    await _user_token(path, STRANGER),
                )
            finally:
                process.send_signal(signal.SIGINT)
                with anyio.CancelScope(shield=True), anyio.move_on_after(_START):
                    await process.wait()


async def fill(vault: Vault) -> None:
    """Put in what the tests ask for; what is there already is replaced."""
    config = {"subdomain": "acme", "größe": "7"}
    grants = {
        Owner.app(APP, "slack"): Grant("slack", "xoxb-1"),
        Owner.app(APP, "zendesk"): Grant("zendesk", "app-2", connection_config=config),
        Owner.app(APP, "a/b c"): Grant("a/b c", "app-3", connection_config={}),
        Owner.workspace(APP, "c-1"): Grant("slack", "workspace-1"),
        Owner.app_user(APP, "c-1", USER): Grant("slack", "user-1", connection_config=config),
        Owner.app_user(APP, "c-2", STRANGER): Grant("slack", "user-2"),
        Owner.app("another-app", "notion"): Grant("notion", "app-4"),
    }
    for owner, grant in grants.items():
        await vault.put(owner, grant)


async def _exported(process: Process) -> dict[str, str]:
    assert process.stdout is not None
    lines = BufferedByteReceiveStream(process.stdout)
    exported: dict[str, str] = {}
    while _LAST not in exported:
        words = shlex.split((await lines.receive_until(b"\n", _LONGEST_LINE)).decode())
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            exported[name] = value
    return exported


async def _user_token(vault: Path, user: str) -> str:
    asked = await anyio.run_process([*_COMMAND, "user-token", user, "--vault", str(vault)])
    return asked.stdout.decode().strip()

"""The local backend as a user runs it: `connectors dev`, a process over a vault in a file."""

import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import attrs
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from connectors.local import Grant, Owner, Vault
from tests.conformance.processes import running
from tests.conformance.sdks import Settings

APP: Final = "my-app"
USER: Final = "ada"
STRANGER: Final = "bob"

_START: Final = 30.0
_COMMAND: Final = (sys.executable, "-m", "connectors")
_LONGEST_LINE: Final = 4096
_NEEDED: Final = {"BASE44_API_KEY", "BASE44_API_URL", "BASE44_APP_ID", "BASE44_SERVICE_TOKEN"}


@attrs.frozen
class Backend:
    """A local backend that runs, and the vault that it serves."""

    vault: Vault
    settings: Settings
    """A client for the app `APP` with its service token and the token of the user `USER`."""

    stranger: str = attrs.field(repr=False)
    """The token of another user, `STRANGER`."""

    api_key: str = attrs.field(repr=False)
    """The key of the workspace."""


@asynccontextmanager
async def local_backend(
    folder: Path, *, empty: bool = False, sandbox: bool = False
) -> AsyncIterator[Backend]:
    """Start it over a new vault; it has ended when this is left.

    Args:
        folder: Where the vault is made.
        empty: Put nothing in.
        sandbox: Let it play the providers, with an account of each type connected.
    """
    path = folder / "vault.db"
    dev = [*_COMMAND, "dev", "--port", "0", "--vault", str(path), "--app-id", APP]
    if sandbox:
        dev.append("--sandbox")
    async with Vault(path) as vault:
        if not (empty or sandbox):
            await fill(vault)
        async with running(dev) as process:
            with anyio.fail_after(_START):
                exported = await _exported(process)
            settings = Settings(
                exported["BASE44_API_URL"],
                exported["BASE44_APP_ID"],
                exported["BASE44_SERVICE_TOKEN"],
                await _user_token(path, USER),
            )
            stranger = await _user_token(path, STRANGER)
            yield Backend(vault, settings, stranger, exported["BASE44_API_KEY"])


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
    while not _NEEDED.issubset(exported):
        words = shlex.split((await lines.receive_until(b"\n", _LONGEST_LINE)).decode())
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            exported[name] = value
    return exported


async def _user_token(vault: Path, user: str) -> str:
    asked = await anyio.run_process([*_COMMAND, "user-token", user, "--vault", str(vault)])
    return asked.stdout.decode().strip()

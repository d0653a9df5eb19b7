"""A provider for the command: the sandbox, on a port of this process."""

import json
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
from anyio.from_thread import start_blocking_portal

from connectors.local._sandbox import SandboxProvider, serve_sandbox
from tests.command.at_sandbox import catalog
from tests.command.support import ROOT, Ran, Terminal, here

_PROGRAM: Final = str(ROOT / "tests" / "command" / "at_sandbox.py")
_BROWSER: Final = str(ROOT / "tests" / "command" / "browser.py")


@attrs.frozen
class Provider:
    """The sandbox, and a command that has it in the place of all providers."""

    origin: str
    sandbox: SandboxProvider
    vault: Path
    record: Path
    """What the browser writes down."""

    @property
    def program(self) -> tuple[str, ...]:
        return (sys.executable, _PROGRAM, self.origin)

    def secret(self, name: str) -> str:
        secret = self.sandbox.client(name).client_secret
        assert secret is not None
        return secret.reveal()

    def here(self, *arguments: object, stdin: str = "") -> Ran:
        """The command, in this process."""
        return here(self.vault, *arguments, stdin=stdin, catalog=partial(catalog, self.origin))

    def configure(self, name: str = "gitlab", *options: object, secret: str | None = None) -> Ran:
        """Put the sandbox's client of a type into the vault."""
        client = f"sandbox-{name}\n{secret or self.secret(name)}\n"
        ran = self.here("configure", name, *options, stdin=client)
        assert ran.code == 0, ran.err
        return ran

    def connect(self, *arguments: object, decision: str = "allow", **variables: str) -> Terminal:
        """`connectors connect` on a terminal, with somebody at the browser who decides so."""
        words = (sys.executable, _BROWSER, decision, str(self.record))
        browser = f"{shlex.join(words)} %s &"  # In a session of its own, as a real one is.
        variables = {"BROWSER": browser, **variables}
        return Terminal(
            self.vault, "connect", *arguments, columns=100, program=self.program, **variables
        )

    def seen(self) -> Any:
        """What the person at the browser has seen in the end."""
        until = time.monotonic() + 60
        while not self.record.exists():
            assert time.monotonic() < until, "the browser has not ended"
            time.sleep(0.02)
        return json.loads(self.record.read_text())


@contextmanager
def provider(folder: Path, **options: Any) -> Iterator[Provider]:
    sandbox = SandboxProvider(**options)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve_sandbox(sandbox)) as server,
    ):
        yield Provider(server.url, sandbox, folder / "vault.db", folder / "seen.json")

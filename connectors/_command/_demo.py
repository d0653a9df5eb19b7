"""`connectors demo`: the main job on this machine, watched and counted."""

from typing import Final

import click

from connectors._command._failures import Failure
from connectors._command._output import progress, say, say_table, tell
from connectors._command._running import run_until_told
from connectors.local._demo import CALLS, Measured, demo

PROGRAM: Final = """\
import asyncio, connectors, tempfile
from connectors.local import Grant, Owner, Vault

async def main(path):
    async with Vault(path) as vault, connectors.Client.local(vault=vault) as base44:
        await vault.put(Owner.app("local", "slack"), Grant("slack", "xoxb-of-the-demo"))
        get = base44.as_service_role.connectors.get_connection
        found = await asyncio.gather(*(get("slack") for _ in range(10_000)))
        print(len(found), "connections")

with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(folder + "/vault.db"))"""
"""Ten lines that do what the demo does, for who wants to go on from there."""

_EXPLANATION: Final = """\
'requests' is what reached the backend: calls for the same thing at the same time share one.
The same in ten lines of Python:"""
_COLUMNS: Final = ("10,000 calls at once", "answered", "requests", "seconds", "errors")


@click.command("demo")
def command() -> None:
    """Show 10,000 concurrent calls, by hand and with the SDK.

    In a temporary folder it makes a vault with a connection, serves it on a free port and asks
    for the connection 10,000 times at once: first with aiohttp and asyncio.gather, then with this
    package. It takes some seconds and leaves nothing behind.
    """
    report(*run_until_told(_both))


def report(by_hand: Measured, with_sdk: Measured) -> None:
    """Print what happened, and how to go on.

    Raises:
        Failure: Not all calls with the SDK were answered.
    """
    say_table(_COLUMNS, [_row("by hand", by_hand), _row("base44-connectors", with_sdk)])
    say(f"\n{_EXPLANATION}\n\n{PROGRAM}")
    if with_sdk.answered < with_sdk.calls:
        raise Failure("not all of the calls with base44-connectors were answered.")


async def _both() -> tuple[Measured, Measured]:
    async with demo() as running:
        tell(f"A vault in a temporary folder, with one connection, is served on {running.url}.")
        with progress("10,000 calls by hand, with aiohttp and asyncio.gather", CALLS) as step:
            by_hand = await running.by_hand(CALLS, step)
        with progress("10,000 calls with base44-connectors", CALLS) as step:
            with_sdk = await running.with_sdk(CALLS, step)
    return by_hand, with_sdk


def _row(name: str, measured: Measured) -> tuple[str, ...]:
    errors = ", ".join(f"{count:,} {kind}" for kind, count in measured.errors.items())
    return (
        name,
        f"{measured.answered:,}",
        f"{measured.reached:,}",
        f"{measured.seconds:.2f}",
        errors or "none",
    )

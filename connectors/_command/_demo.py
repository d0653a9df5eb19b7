"""`connectors demo`: the main job on this machine, watched and counted."""

from typing import Final

import attrs
import click

from connectors._command._failures import Failure
from connectors._command._output import progress, say, say_table, tell
from connectors._command._running import run_until_told
from connectors.local._demo import CALLS, LIFETIME, WHILE, Measured, demo

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
'tokens' is how many different ones were handed out: each lives for {lifetime:.0f} seconds, and the
backend renewed it {refreshes} times meanwhile. 10,000 calls at once in ten lines of Python:"""
_COLUMNS: Final = ("10,000 calls", "answered", "requests", "tokens", "seconds", "errors")


@click.command("demo")
def command() -> None:
    """Show 10,000 concurrent calls, by hand and with the SDK.

    In a temporary folder it makes a vault, connects an account of a sandbox provider by OAuth,
    serves it on a free port and asks for the connection 10,000 times at once: first with aiohttp
    and asyncio.gather, then with this package. Then it asks as often over a while in which the
    token expires. It takes about twenty seconds and leaves nothing behind.
    """
    report(run_until_told(_all))


@attrs.frozen
class Results:
    """What the demo has measured."""

    by_hand: Measured
    with_sdk: Measured
    for_a_while: Measured
    refreshes: int


def report(results: Results) -> None:
    """Print what happened, and how to go on.

    Raises:
        Failure: Not all calls with the SDK were answered.
    """
    rows = (
        ("at once, by hand", results.by_hand),
        ("at once, base44-connectors", results.with_sdk),
        (f"over {WHILE:.0f} s, base44-connectors", results.for_a_while),
    )
    say_table(_COLUMNS, [_row(name, measured) for name, measured in rows])
    explanation = _EXPLANATION.format(lifetime=LIFETIME, refreshes=results.refreshes)
    say(f"\n{explanation}\n\n{PROGRAM}")
    ours = (results.with_sdk, results.for_a_while)
    if any(measured.answered < measured.calls for measured in ours):
        raise Failure("not all of the calls with base44-connectors were answered.")


async def _all() -> Results:
    async with demo() as running:
        tell(
            "An account of a sandbox provider is connected, by OAuth with PKCE, to a vault in a "
            f"temporary folder, which is served on {running.url}."
        )
        with progress("10,000 calls by hand, with aiohttp and asyncio.gather", CALLS) as step:
            by_hand = await running.by_hand(CALLS, step)
        with progress("10,000 calls with base44-connectors", CALLS) as step:
            with_sdk = await running.with_sdk(CALLS, step)
        with progress(f"10,000 calls over {WHILE:.0f} seconds", CALLS) as step:
            for_a_while = await running.for_a_while(CALLS, step)
        return Results(by_hand, with_sdk, for_a_while, running.provider.refreshes)


def _row(name: str, measured: Measured) -> tuple[str, ...]:
    errors = ", ".join(f"{count:,} {kind}" for kind, count in measured.errors.items())
    return (
        name,
        f"{measured.answered:,}",
        f"{measured.reached:,}",
        f"{measured.tokens:,}",
        f"{measured.seconds:.2f}",
        errors or "none",
    )

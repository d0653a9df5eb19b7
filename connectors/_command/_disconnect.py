"""`connectors disconnect`: erases a token from the vault."""

from pathlib import Path

import anyio
import click

from connectors._command._failures import Failure
from connectors._command._options import (
    Target,
    demand_vault,
    did_you_mean,
    examples,
    target_options,
)
from connectors._command._output import say, shown
from connectors._command._secret_input import is_interactive
from connectors.local import Vault


@click.command(
    "disconnect",
    epilog=examples(
        "connectors disconnect slack",
        "connectors disconnect googlecalendar --connector c-1 --user ada --yes",
    ),
)
@target_options
@click.option("--yes", is_flag=True, help="Don't ask first; in a script nobody is asked anyway.")
def command(
    *,
    integration_type: str,
    connector: str | None,
    user: str | None,
    app_id: str,
    vault: Path,
    yes: bool,
) -> None:
    """Erase the token of TYPE from the vault.

    It can't be brought back. The provider is not told: there the token stays good.
    """
    target = Target.checked(app_id, integration_type, connector, user)
    demand_vault(vault)
    anyio.run(_demand_connected, vault, target)
    # Not while a loop runs: it would keep Ctrl-C from the question.
    question = shown(f"Erase the token of {target}?")
    if is_interactive() and not yes and not click.confirm(question, err=True):
        raise Failure("Nothing was changed.")
    anyio.run(_disconnect, vault, target)
    say(f"Disconnected {target}; its token is erased.")


async def _demand_connected(path: Path, target: Target) -> None:
    async with Vault(path) as vault:
        connections = await vault.list(target.owner.app_id)
    for connection in connections:
        if connection.owner == target.owner and connection.state != "disconnected":
            target.demand_type(connection.integration_type)
            return
    raise Failure(
        f"{target} is not connected. {did_you_mean(target.integration_type)}\n"
        "`connectors list` shows what is."
    )


async def _disconnect(path: Path, target: Target) -> None:
    async with Vault(path) as vault:
        await vault.disconnect(target.owner)

"""`connectors disconnect`: erases a connection from the vault, and has the provider end it."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import click

from connectors._command._failures import Failure
from connectors._command._options import (
    Catalog,
    Target,
    demand_matching_vault,
    demand_vault,
    did_you_mean,
    examples,
    target_options,
)
from connectors._command._output import say, shown, tell, tell_no_events
from connectors._command._running import run_until_told
from connectors._command._secret_input import is_interactive
from connectors.local import StoredConnection, Vault
from connectors.local._providers import Providers
from connectors.local._refresh import TokenKeeper


@click.command(
    "disconnect",
    epilog=examples(
        "connectors disconnect slack",
        "connectors disconnect googlecalendar --connector c-1 --user ada --yes",
    ),
)
@target_options
@click.option("--yes", is_flag=True, help="Don't ask first; in a script nobody is asked anyway.")
@click.pass_obj
def command(
    catalog: Catalog,
    *,
    integration_type: str,
    connector: str | None,
    user: str | None,
    app_id: str,
    vault: Path,
    yes: bool,
) -> None:
    """Erase the connection of TYPE from the vault.

    It can't be brought back. What a consent has brought is ended at the provider too, where that
    takes it; if it can't be reached now, `connectors dev` tries again. A token that you put in
    yourself stays good there.
    """
    target = Target.checked(app_id, integration_type, connector, user)
    demand_vault(vault)
    anyio.run(_demand_connected, vault, catalog, target)
    # Not while a loop runs: it would keep Ctrl-C from the question.
    question = shown(f"Erase the token of {target}?")
    if is_interactive() and not yes and not click.confirm(question, err=True):
        raise Failure("Nothing was changed.")
    tell_no_events()
    ended = run_until_told(partial(_disconnect, vault, catalog, target))
    say(f"Disconnected {target}; its token is erased.")
    tell(ended)


async def _demand_connected(path: Path, catalog: Catalog, target: Target) -> None:
    async with Vault(path) as vault:
        await demand_matching_vault(vault, catalog)
        connections = await vault.list(target.owner.app_id)
    for connection in connections:
        if connection.owner == target.owner and connection.state != "disconnected":
            target.demand_type(connection.integration_type)
            return
    raise Failure(
        f"{target} is not connected. {did_you_mean(target.integration_type)}\n"
        "`connectors list` shows what is."
    )


async def _disconnect(path: Path, catalog: Catalog, target: Target) -> str:
    """Disconnect it, and say what became of it at the provider."""
    async with Vault(path) as vault, _keeper(vault, catalog) as keeper:
        row = await vault.get(target.owner)
        can_tell = row is not None and await _can_be_told(vault, catalog, row)
        await keeper.disconnect(target.owner)
        untold = [each for each in await keeper.revoke() if row and each.connection_id == row.id]
    if not can_tell:
        return "The provider was not told: if the token is good there, it stays so."
    if not untold:
        integration = catalog()[target.integration_type]
        unless = ", unless another connection shares its tokens"
        return f"The provider has ended it too{unless if integration.refresh.lock_on else ''}."
    again = "; `connectors dev` tries again" if untold[0].again else ""
    return f"The provider did not take that ({untold[0].problem}): there it is still good{again}."


@asynccontextmanager
async def _keeper(vault: Vault, catalog: Catalog) -> AsyncIterator[TokenKeeper]:
    async with aclosing(Providers(None)) as providers:
        keeper = TokenKeeper(vault, providers, catalog=catalog())
        async with aclosing(keeper):
            yield keeper


async def _can_be_told(vault: Vault, catalog: Catalog, row: StoredConnection) -> bool:
    integration = catalog().get(row.integration_type)
    takes_it = integration is not None and integration.revocation is not None
    has_token = row.source == "oauth" and row.access_token is not None
    return takes_it and has_token and await vault.apps.get(row.integration_type) is not None

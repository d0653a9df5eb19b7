"""`connectors list`: what is and was connected."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import click

from connectors._command._options import app_option, examples, vault_option
from connectors._command._output import NOTHING, say_json, say_table, tell, time_text
from connectors.local import ConnectionSummary, Vault
from connectors.local._files import exists


@click.command("list", epilog=examples("connectors list", "connectors list --json --app-id my-app"))
@app_option
@vault_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(*, app_id: str, vault: Path, as_json: bool) -> None:
    """List an app's connections, without their tokens."""
    # A command that only looks makes no vault.
    connections = anyio.run(_listed, vault, app_id) if exists(vault) else ()
    if as_json:
        say_json([_as_json(connection) for connection in connections])
    elif connections:
        say_table(_COLUMNS, map(_row, connections))
    else:
        tell(f"Nothing is connected for the app {app_id} in {vault}.")
        tell("`connectors connect TYPE` connects something.")


_COLUMNS = ("type", "connector", "user", "state", "account", "since", "scopes")


async def _listed(path: Path, app_id: str) -> Sequence[ConnectionSummary]:
    async with Vault(path) as vault:
        return await vault.list(app_id)


def _row(connection: ConnectionSummary) -> tuple[str, ...]:
    owner = connection.owner
    return (
        connection.integration_type,
        NOTHING if owner.kind == "app" else owner.name,
        owner.user or NOTHING,
        connection.state,
        connection.account_label or NOTHING,
        time_text(connection.updated_at)[:16].replace("T", " "),
        " ".join(connection.scopes) or NOTHING,
    )


def _as_json(connection: ConnectionSummary) -> dict[str, object]:
    owner = connection.owner
    return {
        "integration_type": connection.integration_type,
        "connector_id": None if owner.kind == "app" else owner.name,
        "user": owner.user,
        "status": connection.state,
        "account": connection.account_label,
        "scopes": connection.scopes,
        "created_at": time_text(connection.created_at),
        "updated_at": time_text(connection.updated_at),
    }

"""`connectors get`: what a program gets, as a program gets it."""

from pathlib import Path
from typing import Final

import anyio
import click

from connectors._client import Client
from connectors._command._failures import Failure
from connectors._command._options import (
    Target,
    demand_vault,
    did_you_mean,
    examples,
    target_options,
)
from connectors._command._output import say_json, say_table
from connectors._errors import NotConnectedError
from connectors._models import Connection
from connectors.catalog import integrations
from connectors.local import Vault

_HIDDEN: Final = "[hidden; --reveal shows it]"


@click.command(
    "get",
    epilog=examples(
        "connectors get slack",
        "connectors get slack --json",
        'curl -H "Authorization: Bearer $(connectors get slack --reveal)" ...',
        "connectors get googlecalendar --connector c-1 --user ada",
    ),
)
@target_options
@click.option("--json", "as_json", is_flag=True, help="As JSON; a hidden value is null.")
@click.option("--reveal", is_flag=True, help="The token itself, and without --json nothing else.")
def command(
    *,
    integration_type: str,
    connector: str | None,
    user: str | None,
    app_id: str,
    vault: Path,
    as_json: bool,
    reveal: bool,
) -> None:
    """Show the connection of TYPE; its token only with --reveal."""
    target = Target.checked(app_id, integration_type, connector, user)
    demand_vault(vault)
    connection = anyio.run(_fetched, vault, target)
    if as_json:
        say_json(_as_json(connection, reveal=reveal))
    elif reveal:
        click.echo(connection.access_token)
    else:
        say_table(("name", "value"), _rows(connection))


async def _fetched(path: Path, target: Target) -> Connection:
    owner = target.owner
    # Opened here, so that what is wrong with the vault is said in its own words.
    async with (
        Vault(path) as vault,
        Client.local(vault=vault, app_id=owner.app_id, user=owner.user) as base44,
    ):
        connectors = base44.as_service_role.connectors
        read = {
            "app": connectors.get_connection,
            "workspace": connectors.get_workspace_connection,
            "app_user": connectors.get_current_app_user_connection,
        }
        try:
            connection = await read[owner.kind](owner.name)
        except NotConnectedError as error:
            raise Failure(f"{target} is not connected. {_advice(target)}") from error
        target.demand_type(connection.integration_type)
        return connection


def _advice(target: Target) -> str:
    integration_type = target.integration_type
    if integration_type in integrations():
        return f"\n`connectors connect {integration_type}`, with the same options, connects it."
    return f"{did_you_mean(integration_type)}\n`connectors list-available` shows all types."


def _as_json(connection: Connection, *, reveal: bool) -> dict[str, object]:
    has_config = connection.connection_config is not None
    return {
        "integration_type": connection.integration_type,
        "access_token": connection.access_token if reveal else None,
        "connection_config": _config(connection, None, reveal=reveal) if has_config else None,
    }


def _rows(connection: Connection) -> list[tuple[str, str]]:
    config = _config(connection, _HIDDEN, reveal=False)
    return [
        ("integration_type", str(connection.integration_type)),
        ("access_token", _HIDDEN),
        *((f"connection_config.{name}", str(value)) for name, value in config.items()),
    ]


def _config(connection: Connection, instead: str | None, *, reveal: bool) -> dict[str, str | None]:
    integration = integrations().get(connection.integration_type or "")
    fields = integration.connection_config if integration else ()
    # Only what the catalogue knows to be no secret.
    public = {field.name for field in fields if not field.secret}
    config = connection.connection_config or {}
    return {name: value if reveal or name in public else instead for name, value in config.items()}

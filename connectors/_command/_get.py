"""`connectors get`: what a program gets, as a program gets it."""

from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Final

import click

from connectors._client import Client
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
from connectors._command._output import public_values, say_json, say_table, tell_no_events
from connectors._command._running import run_until_told
from connectors._errors import ServiceError
from connectors._models import Connection
from connectors.catalog import integrations
from connectors.local import Authority, InProcessTransport, Vault

_HIDDEN: Final = "[hidden; --reveal shows it]"
_NOWHERE: Final = "http://local.invalid"


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
@click.pass_obj
def command(
    catalog: Catalog,
    *,
    integration_type: str,
    connector: str | None,
    user: str | None,
    app_id: str,
    vault: Path,
    as_json: bool,
    reveal: bool,
) -> None:
    """Show the connection of TYPE; its token only with --reveal.

    The token is good now: one that has expired is renewed first.
    """
    target = Target.checked(app_id, integration_type, connector, user)
    demand_vault(vault)
    tell_no_events()
    # A token that is being renewed is waited for, however often Ctrl-C is pressed.
    connection = run_until_told(partial(_fetched, vault, catalog, target))
    if as_json:
        say_json(_as_json(catalog, connection, reveal=reveal))
    elif reveal:
        click.echo(connection.access_token)
    else:
        say_table(("name", "value"), _rows(catalog, connection))


async def _fetched(path: Path, catalog: Catalog, target: Target) -> Connection:
    # Opened here, so that what is wrong with the vault is said in its own words.
    async with Vault(path) as vault:
        await demand_matching_vault(vault, catalog)
        authority = Authority.ephemeral()
        async with aclosing(InProcessTransport(vault, authority, catalog=catalog())) as backend:
            return await _asked(backend, authority, target)


async def _asked(backend: InProcessTransport, authority: Authority, target: Target) -> Connection:
    owner = target.owner
    async with Client(
        app_id=owner.app_id,
        service_token=authority.service_token,
        user_token=authority.issue_user_token(owner.user) if owner.user else None,
        server_url=_NOWHERE,
        transport=backend,
        # A person rather hears at once why there is none, and when to try again.
        retry=False,
    ) as base44:
        connectors = base44.as_service_role.connectors
        read = {
            "app": connectors.get_connection,
            "workspace": connectors.get_workspace_connection,
            "app_user": connectors.get_current_app_user_connection,
        }
        try:
            connection = await read[owner.kind](owner.name)
        except ServiceError as error:
            raise _failure(error, target) from error
        target.demand_type(connection.integration_type)
        return connection


def _failure(error: ServiceError, target: Target) -> Failure:
    if error.code == "NOT_FOUND":
        return Failure(f"{target} is not connected. {_advice(target)}")
    # The backend says what to do next.
    return Failure(f"{error.message}.")


def _advice(target: Target) -> str:
    integration_type = target.integration_type
    if integration_type in integrations():
        return f"\n`connectors connect {integration_type}`, with the same options, connects it."
    return f"{did_you_mean(integration_type)}\n`connectors list-available` shows all types."


def _as_json(catalog: Catalog, connection: Connection, *, reveal: bool) -> dict[str, object]:
    config = connection.connection_config
    shown = config if config is None or reveal else _public(catalog, connection)
    return {
        "integration_type": connection.integration_type,
        "access_token": connection.access_token if reveal else None,
        "connection_config": None if shown is None else dict(shown),
    }


def _rows(catalog: Catalog, connection: Connection) -> list[tuple[str, str]]:
    config = _public(catalog, connection)
    return [
        ("integration_type", str(connection.integration_type)),
        ("access_token", _HIDDEN),
        *((f"connection_config.{name}", value or _HIDDEN) for name, value in config.items()),
    ]


def _public(catalog: Catalog, connection: Connection) -> dict[str, str | None]:
    integration = catalog().get(connection.integration_type or "")
    return public_values(integration, connection.connection_config or {})

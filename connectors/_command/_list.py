"""`connectors list`: what is and was connected."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio
import click

from connectors._command._options import Catalog, app_option, examples, vault_option
from connectors._command._output import NOTHING, say_json, say_table, tell, time_text
from connectors.local import ConnectionSummary, Vault
from connectors.local._files import exists
from connectors.local._statuses import renewable, status
from connectors.local._unusable import how_to_connect


@click.command("list", epilog=examples("connectors list", "connectors list --json --app-id my-app"))
@app_option
@vault_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def command(catalog: Catalog, *, app_id: str, vault: Path, as_json: bool) -> None:
    """List an app's connections, without their tokens.

    One that has expired, or whose refresh has failed, has to be connected again; 'ends' is when the
    token does, and whether it is renewed then.
    """
    # A command that only looks makes no vault.
    connections = anyio.run(_listed, vault, app_id) if exists(vault) else ()
    now = time.time()
    if as_json:
        say_json([_as_json(catalog, connection, now) for connection in connections])
    elif connections:
        say_table(_COLUMNS, (_row(catalog, connection, now) for connection in connections))
        _advise(catalog, connections, now)
    else:
        tell(f"Nothing is connected for the app {app_id} in {vault}.")
        tell("`connectors connect TYPE` connects something.")


_COLUMNS: Final = ("type", "connector", "user", "state", "account", "since", "ends", "scopes")


async def _listed(path: Path, app_id: str) -> Sequence[ConnectionSummary]:
    async with Vault(path) as vault:
        return await vault.list(app_id)


def _row(catalog: Catalog, connection: ConnectionSummary, now: float) -> tuple[str, ...]:
    owner, reason = connection.owner, connection.reason
    return (
        connection.integration_type,
        NOTHING if owner.kind == "app" else owner.name,
        owner.user or NOTHING,
        _state(catalog, connection, now) + (f" ({reason})" if reason else ""),
        connection.account_label or NOTHING,
        _minute(connection.updated_at),
        _end(catalog, connection, now),
        " ".join(connection.scopes) or NOTHING,
    )


def _state(catalog: Catalog, connection: ConnectionSummary, now: float) -> str:
    failed = connection.state == "refresh_failed"
    return connection.state if failed else status(connection, catalog(), now)


def _end(catalog: Catalog, connection: ConnectionSummary, now: float) -> str:
    if connection.expires_at is None:
        return NOTHING
    renewed = ", renewed by itself" if _is_renewed(catalog, connection, now) else ""
    return f"{_minute(connection.expires_at)}{renewed}"


def _is_renewed(catalog: Catalog, connection: ConnectionSummary, now: float) -> bool:
    return renewable(connection, catalog().get(connection.integration_type), now)


def _minute(seconds: float) -> str:
    return time_text(seconds)[:16].replace("T", " ")


def _advise(catalog: Catalog, connections: Sequence[ConnectionSummary], now: float) -> None:
    over = [each for each in connections if status(each, catalog(), now) == "expired"]
    for connection in over:
        how = how_to_connect(connection.integration_type, connection.owner)
        tell(f"To connect {connection.integration_type} again: {how}")


def _as_json(catalog: Catalog, connection: ConnectionSummary, now: float) -> dict[str, object]:
    owner, expires_at = connection.owner, connection.expires_at
    return {
        "integration_type": connection.integration_type,
        "connector_id": None if owner.kind == "app" else owner.name,
        "user": owner.user,
        "status": _state(catalog, connection, now),
        "reason": connection.reason,
        "source": connection.source,
        "account": connection.account_label,
        "scopes": connection.scopes,
        "created_at": time_text(connection.created_at),
        "updated_at": time_text(connection.updated_at),
        "expires_at": None if expires_at is None else time_text(expires_at),
        "renewable": _is_renewed(catalog, connection, now),
        "failures": connection.failures,
        "last_error": connection.last_error,
    }

"""`connectors user-token`: lets a program be one of the app's users, against `connectors dev`."""

from pathlib import Path

import anyio
import click

from connectors._command._options import demand_vault, examples, vault_for, vault_option
from connectors.local import Vault, vault_authority
from transports import Secret


@click.command(
    "user-token",
    epilog=examples(
        'export BASE44_ACCESS_TOKEN="$(connectors user-token ada)"',
        "connectors user-token ada --sandbox             for `connectors dev --sandbox`",
    ),
)
@click.argument("name")
@click.option("--sandbox", is_flag=True, help="For the vault of `connectors dev --sandbox`.")
@vault_option
def command(*, name: str, sandbox: bool, vault: Path) -> None:
    """Print a token of the app user NAME.

    It is signed and good for the local backend over the same vault only.
    """
    vault = vault_for(vault, sandbox=sandbox)
    demand_vault(vault, "dev --sandbox" if sandbox else "dev")
    click.echo(anyio.run(_token, vault, name).reveal())


async def _token(path: Path, name: str) -> Secret:
    async with Vault(path) as vault:
        authority = await vault_authority(vault)
    try:
        return authority.issue_user_token(name)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error

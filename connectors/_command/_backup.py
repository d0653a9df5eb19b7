"""`connectors backup`: copies the vault while it is in use."""

from pathlib import Path

import anyio
import click

from connectors._command._options import demand_vault, examples, vault_option
from connectors._command._output import say, tell
from connectors.local import Vault
from connectors.local._places import key_file


@click.command(
    "backup",
    epilog=examples(
        "connectors backup vault-2027-01-15.db",
        "connectors backup /mnt/backup/vault.db --vault team.db",
    ),
)
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@vault_option
def command(path: Path, vault: Path) -> None:
    """Copy the vault, as it is at this moment, to PATH, where nothing is yet.

    It may be in use meanwhile. The copy is sealed as the vault is, and the key is not in it: keep
    that in another place. Without the key the copy is worth nothing.
    """
    demand_vault(vault)
    anyio.run(_back_up, vault, path)
    say(f"Copied {vault} to {path}.")
    tell(f"Its key is not in it: keep {key_file(vault)}, or BASE44_VAULT_KEY, in another place.")


async def _back_up(path: Path, target: Path) -> None:
    async with Vault(path) as vault:
        await vault.backup(target)

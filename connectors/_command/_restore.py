"""`connectors restore`: puts a backup in the place of a vault."""

from pathlib import Path

import anyio
import click

from connectors._command._options import examples, vault_option
from connectors._command._output import say, tell
from connectors.local import Vault


@click.command(
    "restore",
    epilog=examples(
        "connectors restore vault-2027-01-15.db",
        "connectors restore /mnt/backup/vault.db --vault team.db",
    ),
)
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@vault_option
def command(path: Path, vault: Path) -> None:
    """Put the backup at PATH in the place of a vault that is not there any more.

    The key has to be there first: in the file of the vault's name with .key at its end, which only
    you may read, or in BASE44_VAULT_KEY. A vault that is still there is moved away first, by you.
    """
    anyio.run(Vault.restore, path, vault)
    say(f"Restored {vault} from {path}.")
    tell(
        "Its tokens are renewed before they are relied on: the providers may have gone on since "
        "the backup. What can't be renewed then has to be connected again."
    )

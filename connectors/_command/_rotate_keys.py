"""`connectors rotate-keys`: seals a vault with a new key."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import click

from connectors._command._failures import Failure
from connectors._command._options import demand_vault, examples, vault_option
from connectors._command._output import counting, say, tell
from connectors._command._running import run_until_told
from connectors.local import Vault
from connectors.local._keyfile import VARIABLE, find_keys
from connectors.local._places import key_file
from connectors.local._rotating import rotate_key

_BY_HAND: Final = f"""\
The key of this vault comes from {VARIABLE}, which only you can change:
  1. Put a new key before the one there is, for every program that uses the vault:
       export {VARIABLE}="$(openssl rand -base64 32),${VARIABLE}"
  2. Run `connectors rotate-keys` again: it seals everything with the first key.
  3. Take the former key out of {VARIABLE} again."""


@click.command(
    "rotate-keys",
    epilog=examples("connectors rotate-keys", "connectors rotate-keys --vault team.db"),
)
@vault_option
def command(vault: Path) -> None:
    """Seal everything in the vault with a new key.

    The new key goes into the key file beside the vault, before the one there is, which is thrown
    away when nothing needs it any more. Programs that use the vault go on meanwhile. It may be
    broken off at any time: run again, it does what is left.

    A backup that was made before needs the former key: if you want to keep one, keep a copy of the
    key file with it.
    """
    demand_vault(vault)
    try:
        if VARIABLE in os.environ:
            _with_keys_of_the_environment(vault)
        else:
            _with_the_key_file(vault)
    except KeyboardInterrupt:
        tell("\nIt is not finished. The vault can be used; run it again to do what is left.")
        raise


def _with_the_key_file(vault: Path) -> None:
    with counting("Sealing with the new key") as progress:
        is_new = run_until_told(partial(rotate_key, vault, progress))
    file = key_file(vault)
    if is_new:
        say(f"Everything is sealed with a new key, which is in {file}; the former one is gone.")
    else:
        say(f"A change that was broken off is finished: the key in {file} is the only one now.")
    tell("Make a new backup: `connectors backup`. Earlier ones need the former key.")


def _with_keys_of_the_environment(vault: Path) -> None:
    if len(find_keys(vault, None, create=False).ids) == 1:
        raise Failure(_BY_HAND)
    with counting(f"Sealing with the first key of {VARIABLE}") as progress:
        run_until_told(partial(_reseal, vault, progress))
    say(f"Everything is sealed with the first key of {VARIABLE}; the others can be taken out.")


async def _reseal(path: Path, progress: Callable[[int, int], None]) -> None:
    async with Vault(path) as vault:
        await vault.reseal(progress)

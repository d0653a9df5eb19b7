"""What is meant when nobody says which: the vault, and the app."""

from pathlib import Path
from typing import Final

import platformdirs

DEFAULT_APP: Final = "local"
"""The app of who names none, as with the command and `Client.local()`."""

_APPLICATION: Final = "base44-connectors"


def default_vault() -> Path:
    """The vault in the user's data folder of this platform; touches no file."""
    return platformdirs.user_data_path(_APPLICATION, appauthor=False) / "vault.db"


def sandbox_vault() -> Path:
    """The vault of the sandbox, beside that one; touches no file."""
    return default_vault().with_name("sandbox.db")


def key_file(vault: Path) -> Path:
    """The file of the key, beside the vault that it belongs to."""
    return vault.with_name(f"{vault.name}.key")


def spool_folder(vault: Path) -> Path:
    """The folder for what could not be put into a vault, beside it."""
    return vault.with_name(f"{vault.name}.spool")

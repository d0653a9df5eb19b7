"""Finds the keys of a vault: given by the program, from the environment, or in a file beside it.

The first of these that is there wins, and then the others are not looked at. A key file is made
only together with a vault: a vault whose key is gone can't be opened with a new one. While the key
of a vault is changed, its file holds the new one and, behind it, the former one.
"""

import os
import re
from functools import partial
from pathlib import Path
from typing import Final

from connectors.local._crypto import SEPARATORS, KeyRing, key_ring, new_key
from connectors.local._errors import VaultKeyError
from connectors.local._files import exists, publish, read_private, replace
from connectors.local._places import key_file
from transports import Secret

VARIABLE: Final = "BASE44_VAULT_KEY"
"""The environment variable with the keys, as base64url of 32 bytes, separated by commas."""

FORM: Final = "32 random bytes in base64url, or several such keys separated by commas"
"""What a key has to be, for the end of a sentence."""

# As many keys as anybody keeps, so that a wrong file is not read to its end.
_LONGEST: Final = 65536


def find_keys(vault: Path, given: KeyRing | None, *, create: bool) -> KeyRing:
    """The keys of a vault.

    Args:
        vault: The vault's file.
        given: What the program gave, if it did.
        create: Make a key file when there is no key at all. Of several processes that do so at
            once one makes it, and all get its key.

    Raises:
        VaultKeyError: There is no key, or what is there is malformed.
    """
    if given is not None:
        return given
    if VARIABLE in os.environ:
        return _from_environment(vault)
    path = key_file(vault)
    if create and not exists(path):
        publish(path, _write_new_key)
    if not exists(path):
        raise VaultKeyError(
            vault,
            f"its key is missing: there is no file {path} and no {VARIABLE} in the environment; "
            "put back the key that the vault was made with",
        )
    return _from_file(path)


def begin_key_change(vault: Path) -> bool:
    """Put a new key before the one in a vault's key file.

    Only one process may do so at a time.

    Returns:
        False when there are several keys already: then an earlier change is not over, and has to
        be brought to its end.

    Raises:
        VaultKeyError: The file does not hold keys.
    """
    path = key_file(vault)
    if len(_from_file(path).ids) > 1:
        return False
    keys = Secret(f"{new_key().reveal()}\n{_text(path).reveal().strip()}\n")
    replace(path, partial(_write, keys))
    return True


def end_key_change(vault: Path) -> None:
    """Leave only the first key in a vault's key file.

    Only one process may do so at a time.
    """
    path = key_file(vault)
    first = Secret(f"{re.split(SEPARATORS, _text(path).reveal().strip())[0]}\n")
    replace(path, partial(_write, first))


def _from_environment(vault: Path) -> KeyRing:
    ring = key_ring(Secret(os.environ[VARIABLE]))
    if ring is None:
        raise VaultKeyError(vault, f"{VARIABLE} in the environment is not {FORM}")
    return ring


def _from_file(path: Path) -> KeyRing:
    ring = key_ring(_text(path))
    if ring is None:
        raise VaultKeyError(path, f"does not hold {FORM}; put back what it held")
    return ring


def _text(path: Path) -> Secret:
    return read_private(path, _LONGEST)


def _write_new_key(draft: Path) -> None:
    _write(Secret(f"{new_key().reveal()}\n"), draft)


def _write(keys: Secret, draft: Path) -> None:
    with draft.open("wb") as file:
        file.write(keys.reveal().encode("ascii"))

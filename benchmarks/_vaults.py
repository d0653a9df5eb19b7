"""A vault with as many connections as asked, made quickly.

One after the other, as a program puts them in, each would wait for the disk.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from uuid import uuid4

if TYPE_CHECKING:
    from connectors.local import Vault
    from connectors.local._sealing import Database

APP: Final = "app"
TOKEN: Final = "xoxb-" + 50 * "0"


@asynccontextmanager
async def filled_vault(number: int) -> "AsyncIterator[Vault]":
    """An open vault with connections of `APP` for the types `service-0`, `service-1` and so on."""
    from connectors.local import Vault

    with TemporaryDirectory() as folder:
        async with Vault(Path(folder, "vault.db")) as vault:
            await vault._work.run(lambda database: _fill(database, number))
            yield vault


def _fill(database: "Database", number: int) -> None:
    from connectors.local import Grant, Owner
    from connectors.local._connections import _put
    from connectors.local._schema import writing
    from transports import Secret

    with writing(database.connection, database.path):
        for name in (f"service-{index}" for index in range(number)):
            grant = Grant(name, Secret(TOKEN))
            _put(database, Owner.app(APP, name), grant, uuid4().hex)

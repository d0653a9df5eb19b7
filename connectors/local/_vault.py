"""The vault: connections and their tokens, encrypted, in one SQLite file on this machine.

All work is blocking and short, so it runs in worker threads, one at a time for each vault. Any
number of vaults in any number of processes may share a file: each write is one transaction, and
`generation` counts what was done to a connection.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

from connectors.local._connections import (
    disconnect,
    get_connection,
    list_connections,
    put_connection,
)
from connectors.local._crypto import KeyRing, key_ring
from connectors.local._keyfile import FORM
from connectors.local._places import default_vault
from connectors.local._records import (
    ConnectionSummary,
    Grant,
    Owner,
    StoredConnection,
    as_secret,
    check_text,
)
from connectors.local._rekeying import reseal
from connectors.local._sealing import Database
from connectors.local._session import Session
from connectors.local._settings import find_setting, keep_setting
from connectors.local._threads import certainly, finish
from transports import Secret

_T = TypeVar("_T")

_LONGEST_TIMEOUT: Final = 86_400


class Vault:
    """Keeps connections and their tokens in an encrypted file.

    Making a vault touches no file: it is opened, and made if there is none, when it is first used
    or entered with `async with`. The key is the one that is given here, or comes from the
    environment variable `BASE44_VAULT_KEY`, or from the file `<path>.key` that is made together
    with the vault. The file and its key can be read by their owner only, or are refused.

    A vault may be shared by tasks, by threads with event loops of their own, and by event loops one
    after the other. Processes share the file, each with a `Vault` of its own.

    On cancellation a piece of work that has begun is finished before the caller goes on, so a write
    is done or not done; at most it takes `busy_timeout` and the time of one write.

    Every method that uses the file raises a `VaultError` when that can't be done, and leaves the
    file as it was.

    Args:
        path: The vault's file; None stands for the one in the user's data folder. Its folder is
            made if need be.
        key: 32 random bytes in base64url, or several such keys separated by commas: the first one
            seals, all of them open.
        busy_timeout: Seconds to wait while another process writes.

    Raises:
        TypeError: The path or the key is of a wrong type.
        ValueError: The path is empty, the key is malformed, or the timeout is negative.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        key: Secret | str | None = None,
        busy_timeout: float = 10.0,
    ) -> None:
        secret = None if key is None else as_secret(key)
        del key  # It may be a plain str, which a traceback would show.
        if not 0 <= busy_timeout <= _LONGEST_TIMEOUT:
            raise ValueError(f"busy_timeout must be seconds of at most a day, not {busy_timeout!r}")
        self._path = default_vault() if path is None else _absolute(path)
        self._session = Session(self._path, _ring(secret), busy_timeout)
        self._limiter: RunVar[CapacityLimiter] = RunVar("connectors.local vault")

    def __repr__(self) -> str:
        return f"<Vault {str(self._path)!r}, {self._session.state}>"

    @property
    def path(self) -> Path:
        """The vault's file."""
        return self._path

    async def put(self, owner: Owner, grant: Grant) -> StoredConnection:
        """Keep a grant as the owner's connection, in place of an earlier one.

        The connection keeps its id for good, also over `disconnect`; its generation grows by one.

        Raises:
            ValueError: The owner's account is for another type of integration.
        """
        if owner.kind == "app" and owner.name != grant.integration_type:
            raise ValueError(
                f"the grant is for {grant.integration_type!r}, its owner for {owner.name!r}"
            )
        return await self._run(lambda database: put_connection(database, owner, grant))

    async def get(self, owner: Owner) -> StoredConnection | None:
        """The owner's connection with its token; None when there is none or it is disconnected."""
        return await self._run(lambda database: get_connection(database, owner))

    async def list(self, app_id: str) -> tuple[ConnectionSummary, ...]:
        """All connections of an app, also those that are disconnected, without their secrets.

        They are sorted by kind, name and user. No key is used for it.
        """
        check_text("app_id", app_id)
        return await self._run(lambda database: list_connections(database, app_id))

    async def disconnect(self, owner: Owner) -> bool:
        """Erase the token, configuration, scopes and label of the owner's connection.

        Its id, type and times stay, and its generation grows by one. The provider is not told.

        Returns:
            False when the owner had no connection.
        """
        return await self._run(lambda database: disconnect(database, owner))

    async def setting(self, name: str, make: Callable[[], Secret]) -> Secret:
        """A secret of the vault itself, made when it is first asked for.

        Of several callers that ask at once, in one process or many, all get the same one.

        Args:
            name: Its name.
            make: Makes one; it is called in this task, and its secret may end up unused.
        """
        check_text("name", name)
        found = await self._run(lambda database: find_setting(database, name))
        if found is not None:
            return found
        made = as_secret(make())
        if not made:
            raise ValueError(f"the setting {name!r} must be a Secret, and not empty")
        return await self._run(lambda database: keep_setting(database, name, made))

    async def reseal(self) -> None:
        """Seal everything with the first key, after which the others can be thrown away.

        All or nothing: it is one transaction, which keeps other writers waiting.
        """
        await self._run(reseal)

    async def aclose(self) -> None:
        """Close the file, after the work that is under way; it may be called again.

        A cancellation is raised when it is closed. In a forked child nothing is done, because the
        connection is the parent's.
        """
        await certainly(self._session.close, self._turns())

    async def __aenter__(self) -> Self:
        try:
            await self._run(lambda _: None)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _run(self, work: Callable[[Database], _T]) -> _T:
        return await finish(partial(self._session.run, work), self._turns())

    def _turns(self) -> CapacityLimiter:
        # Waiting for one's turn costs no thread. A limiter belongs to one event loop.
        try:
            return self._limiter.get()
        except LookupError:
            limiter = CapacityLimiter(1)
            self._limiter.set(limiter)
            return limiter


def _ring(key: Secret | None) -> KeyRing | None:
    if key is None:
        return None
    ring = key_ring(key)
    if ring is None:
        raise ValueError(f"key must be {FORM}")
    return ring


def _absolute(path: str | os.PathLike[str]) -> Path:
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"path must be a str or a path, not {type(path).__name__}")
    if not text or "\0" in text:
        raise ValueError(f"path must not be empty or hold a NUL: {text!r}")
    # The folder may change between here and the first use.
    return Path(text).absolute()

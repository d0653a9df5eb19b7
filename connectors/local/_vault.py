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
from typing import Final, Self

from anyio import CapacityLimiter

from connectors.local._backup import back_up, restore
from connectors.local._connections import (
    complete_consent,
    disconnect,
    find_connection,
    get_connection,
    list_connections,
    put_connection,
)
from connectors.local._consent_rows import ConsentRows
from connectors.local._crypto import KeyRing, key_ring
from connectors.local._fields import as_secret, check_seconds, check_text
from connectors.local._keyfile import FORM
from connectors.local._oauth_apps import OAuthApps
from connectors.local._oauth_records import Consent
from connectors.local._places import default_vault
from connectors.local._records import ConnectionSummary, Grant, Owner, StoredConnection
from connectors.local._refreshing import Refreshes
from connectors.local._rekeying import reseal
from connectors.local._revocations import Revocations
from connectors.local._session import Session
from connectors.local._settings import find_setting, keep_setting
from connectors.local._threads import finish
from connectors.local._work import Work
from transports import Secret

_LONGEST_TIMEOUT: Final = 86_400
_RESTORE_TIMEOUT: Final = 10.0


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
        self._work = Work(Session(self._path, _ring(secret), busy_timeout))
        self._refreshes = Refreshes(self._work)
        self._apps = OAuthApps(self._work)
        self._consent_rows = ConsentRows(self._work)
        self._revocations = Revocations(self._work)

    def __repr__(self) -> str:
        return f"<Vault {str(self._path)!r}, {self._work.state}>"

    @property
    def path(self) -> Path:
        """The vault's file."""
        return self._path

    @property
    def refreshes(self) -> Refreshes:
        """What is known of the refresh of each connection."""
        return self._refreshes

    @property
    def apps(self) -> OAuthApps:
        """The apps that are registered at the providers."""
        return self._apps

    @property
    def consent_rows(self) -> ConsentRows:
        """The consents that somebody was asked for."""
        return self._consent_rows

    @property
    def revocations(self) -> Revocations:
        """What the providers have yet to be told."""
        return self._revocations

    async def put(self, owner: Owner, grant: Grant) -> StoredConnection:
        """Keep a grant as the owner's connection, in place of an earlier one.

        The connection keeps its id for good, also over `disconnect`; its generation grows by one.
        A grant that the owner consented to and that has no configuration leaves the earlier one,
        unless that went with `disconnect`.

        Args:
            owner: Whose account it is.
            grant: What was allowed.

        Raises:
            ValueError: The owner's account is for another type of integration.
        """
        if owner.kind == "app" and owner.name != grant.integration_type:
            raise ValueError(
                f"the grant is for {grant.integration_type!r}, its owner for {owner.name!r}"
            )
        return await self._work.run(lambda database: put_connection(database, owner, grant))

    async def complete(self, consent: Consent, grant: Grant, now: float) -> StoredConnection:
        """Keep what a consent has brought as its owner's connection; the consent ends by that.

        Both happen or neither does, whoever is cancelled or dies.

        Args:
            consent: What was asked for.
            grant: What was allowed.
            now: The time, in Unix seconds.
        """
        check_seconds("now", now)
        return await self._work.run(
            lambda database: complete_consent(database, consent, grant, now)
        )

    async def get(self, owner: Owner) -> StoredConnection | None:
        """The owner's connection; None when there is none or it is disconnected.

        In the state `refresh_failed` it has no token.
        """
        return await self._work.run(lambda database: get_connection(database, owner))

    async def find(self, connection_id: str) -> StoredConnection | None:
        """The connection with an id, as `get` gives it."""
        check_text("connection_id", connection_id)
        return await self._work.run(lambda database: find_connection(database, connection_id))

    async def list(self, app_id: str) -> tuple[ConnectionSummary, ...]:
        """All connections of an app, also those that are disconnected, without their secrets.

        They are sorted by kind, name and user. No key is used for it.
        """
        check_text("app_id", app_id)
        return await self._work.run(lambda database: list_connections(database, app_id))

    async def disconnect(self, owner: Owner) -> bool:
        """Erase the token, configuration, scopes and label of the owner's connection.

        Its id, type and times stay, and its generation grows by one. What was consented to is left
        in `revocations`, for the provider to be told.

        Returns:
            False when the owner had no connection.
        """
        return await self._work.run(lambda database: disconnect(database, owner))

    async def setting(self, name: str, make: Callable[[], Secret]) -> Secret:
        """A secret of the vault itself, made when it is first asked for.

        Of several callers that ask at once, in one process or many, all get the same one.

        Args:
            name: Its name.
            make: Makes one; it is called in this task, and its secret may end up unused.
        """
        check_text("name", name)
        found = await self._work.run(lambda database: find_setting(database, name))
        if found is not None:
            return found
        made = as_secret(make())
        if not made:
            raise ValueError(f"the setting {name!r} must be a Secret, and not empty")
        return await self._work.run(lambda database: keep_setting(database, name, made))

    async def reseal(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Seal everything with the first key, after which the others can be thrown away.

        It goes row by row, and keeps nobody waiting. When it ends early, some of the values need
        the first key and some another one: the vault can be used with both, and this be called
        again to do what is left.

        Args:
            progress: Is told after each row how many are done, and of how many.

        Raises:
            VaultBusyError: Another process goes on sealing with another key.
        """
        await reseal(self._work, progress or _no_progress)

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the vault, as it is at this moment, into a file of its own.

        The file is private and complete or not there. It holds the connections, the apps and the
        settings, sealed as in the vault. The key is not copied: keep it in another place, as the
        copy is worth nothing without it.

        Args:
            path: Where nothing is yet.

        Raises:
            VaultForeignError: Something is there.
        """
        target = _absolute(path)
        await self._work.run(lambda database: back_up(database, target))

    @classmethod
    async def restore(
        cls,
        backup: str | os.PathLike[str],
        path: str | os.PathLike[str] | None = None,
        *,
        key: Secret | str | None = None,
    ) -> None:
        """Put a backup in the place of a vault that is not there any more.

        Whatever can be refreshed is refreshed before it is relied on: the provider may have gone on
        since the backup was made. Consents that were waiting are dropped.

        On cancellation it is finished before the caller goes on.

        Args:
            backup: A file that `backup` has made.
            path: The vault's file; None stands for the one in the user's data folder.
            key: As for a vault. The key that the backup was made with is needed: it is given here,
                or is in `BASE44_VAULT_KEY` or in the file `<path>.key`.

        Raises:
            VaultForeignError: Something is at the path, or what a vault there has left.
            VaultError: The backup or the key is not right; then there is no vault.
        """
        secret = None if key is None else as_secret(key)
        del key  # It may be a plain str, which a traceback would show.
        target = default_vault() if path is None else _absolute(path)
        work = partial(restore, _absolute(backup), target, _ring(secret), _RESTORE_TIMEOUT)
        await finish(work, CapacityLimiter(1))

    async def aclose(self) -> None:
        """Close the file, after the work that is under way; it may be called again.

        A cancellation is raised when it is closed. In a forked child nothing is done, because the
        connection is the parent's.
        """
        await self._work.aclose()

    async def __aenter__(self) -> Self:
        try:
            await self._work.run(lambda _: None)
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


def _no_progress(_done: int, _total: int) -> None:
    """Nobody wants to know."""


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

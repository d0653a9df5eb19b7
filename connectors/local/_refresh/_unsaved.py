"""Tokens that only this process has, because nothing could keep them.

They are good, so they are handed out; and they are lost with the process, so each who asks for one
has it saved behind their back, once for all. Until then nothing of their chain is refreshed: the
refresh token that is in the rows has been used.
"""

import time
from contextlib import suppress
from functools import partial
from typing import Final, final

import anyio

from connectors._flight import Flight
from connectors.local._errors import VaultError
from connectors.local._generations import renewed
from connectors.local._records import Owner, StoredConnection
from connectors.local._refresh._background import Background
from connectors.local._refresh._errors import ReconnectRequiredError
from connectors.local._refresh._locks import ProcessLock
from connectors.local._refresh._saver import Saver, TokensUnsavedError
from connectors.local._renewing import presented_digest

NOT_KEPT: Final = "the token can't be kept; look at the vault's disk"
"""What stands in the way of a refresh until they are saved, for a person."""


@final
class UnsavedTokens:
    """The tokens that wait to be saved, of each chain the last ones.

    Args:
        saver: Saves them.
        longest: For how many seconds closing tries to save what is left.
    """

    def __init__(self, saver: Saver, longest: float) -> None:
        self._saver = saver
        self._longest = longest
        self._waiting: dict[str, TokensUnsavedError] = {}
        self._saves = Background[None]()

    def add(self, unsaved: TokensUnsavedError) -> StoredConnection:
        """Take what nothing could keep.

        Returns:
            The connection as it is going to be.
        """
        self._waiting[unsaved.connection.lock_key] = unsaved
        return renewed(unsaved.connection, unsaved.tokens, time.time())

    def concern(self, row: StoredConnection) -> bool:
        """Does anything wait for the chain of a connection?"""
        return row.state == "active" and row.lock_key in self._waiting

    def find(self, owner: Owner) -> StoredConnection | None:
        """An owner's connection as it was, while its tokens are being saved.

        A vault that waits to be written has no time for those who read it.
        """
        for chain, unsaved in self._waiting.items():
            if unsaved.connection.owner == owner and self._saves.find(chain) is not None:
                return unsaved.connection
        return None

    def put_into(self, row: StoredConnection) -> StoredConnection | None:
        """A connection of a chain with what waits for it; None when it has other tokens by now."""
        unsaved = self._waiting[row.lock_key]
        if presented_digest(row) != presented_digest(unsaved.connection):
            return None
        return renewed(row, unsaved.tokens, time.time())

    def begin(self, row: StoredConnection) -> Flight[None]:
        """The attempt to save what waits for a chain that is under way, or one that is begun.

        It raises a `VaultError` for those who wait for it when nothing takes the tokens.

        Raises:
            WorkEndedError: This is closed.
        """
        return self._saves.begin(row.lock_key, partial(self._save, row.lock_key))

    async def save(self, chain: str) -> None:
        """Save what waits for a chain, for one who holds its lock.

        Raises:
            VaultError: Nothing takes it.

        On cancellation what has begun is finished.
        """
        unsaved = self._waiting.get(chain)
        if unsaved is None:
            return
        try:
            with anyio.CancelScope(shield=True), suppress(ReconnectRequiredError):
                await self._saver.save_at_once(unsaved.connection, unsaved.tokens)
        except TokensUnsavedError as still:
            raise still.problem from None
        self._waiting.pop(chain, None)

    async def aclose(self) -> None:
        """Try for a while to save what is left, and begin no attempt any more.

        Cancellation does not shorten that.
        """
        await self._saves.aclose()
        with anyio.move_on_after(self._longest, shield=True):
            # At once: one whose lock is held by somebody must not cost the others their time.
            async with anyio.create_task_group() as saves:
                for chain in tuple(self._waiting):
                    saves.start_soon(self._save_last, chain)

    async def _save_last(self, chain: str) -> None:
        with suppress(VaultError):
            await self._save(chain)

    async def _save(self, chain: str) -> None:
        async with ProcessLock(self._saver.vault.path, chain):
            await self.save(chain)

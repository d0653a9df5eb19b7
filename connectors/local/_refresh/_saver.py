"""Keeps tokens that have come: in the vault, or beside it when that can't be written.

They may be the only ones that are good, as the provider has ended those in the row. So they are
kept before anybody hears of them, and whoever is cancelled: asyncio's own `Task.cancel` goes
through every shield.
"""

from contextlib import suppress
from typing import Final, final

import anyio
import attrs

from connectors.local._errors import VaultError
from connectors.local._oauth import Tokens
from connectors.local._records import StoredConnection
from connectors.local._refresh._errors import ReconnectRequiredError
from connectors.local._refresh._reports import report
from connectors.local._vault import Vault

# Before the second, third and fourth attempt to write to the vault.
_PAUSES: Final = (0.2, 0.4, 0.8)


class TokensUnsavedError(Exception):
    """Raised when tokens have come and nothing could keep them; they are good all the same."""

    def __init__(self, connection: StoredConnection, tokens: Tokens, problem: VaultError) -> None:
        super().__init__(connection.id)
        self.connection = connection
        """The row as it was when they were asked for."""
        self.tokens = tokens
        """What has come."""
        self.problem = problem
        """Why the vault does not take them."""


@final
@attrs.frozen(eq=False)
class Saver:
    """Keeps the tokens of a vault's connections."""

    vault: Vault
    """The vault."""

    async def save(self, row: StoredConnection, tokens: Tokens) -> StoredConnection:
        """Keep tokens that have come, and try that for a while.

        Raises:
            ReconnectRequiredError: The connection has ended meanwhile; when it was disconnected the
                provider will be told.
            TokensUnsavedError: Nothing takes them.

        It is not to be cancelled. If it is all the same, they are kept at once. When nothing takes
        them then, that is raised instead: whoever hears of it still has them.
        """
        try:
            return await self._save(row, tokens, _PAUSES)
        except anyio.get_cancelled_exc_class():
            with suppress(ReconnectRequiredError, VaultError):
                await self.save_at_once(row, tokens)
            raise

    async def save_at_once(self, row: StoredConnection, tokens: Tokens) -> StoredConnection:
        """Keep tokens that have come, as `save` does, without a second attempt.

        What has been kept already is not kept twice.
        """
        return await self._save(row, tokens, ())

    async def found(self, seen: StoredConnection) -> StoredConnection:
        """The connection as it is now.

        Raises:
            ReconnectRequiredError: It has ended.
        """
        row = await self.vault.find(seen.id)
        if row is None:
            raise ReconnectRequiredError(seen.integration_type, "disconnected")
        if row.state == "refresh_failed":
            raise ReconnectRequiredError(row.integration_type, row.reason or "unknown")
        return row

    async def _save(
        self, row: StoredConnection, tokens: Tokens, pauses: tuple[float, ...]
    ) -> StoredConnection:
        kept = await self._kept(row, tokens, pauses)
        if kept is not None:
            return kept
        try:
            if await self.vault.find(row.id) is None:
                # Nobody will ever use what we have got.
                await self.vault.revocations.add(row, tokens)
        except VaultError as error:
            report(row, "unsaved", problem=str(error))
            raise TokensUnsavedError(row, tokens, error) from error
        return await self.found(row)

    async def _kept(
        self, row: StoredConnection, tokens: Tokens, pauses: tuple[float, ...]
    ) -> StoredConnection | None:
        """The row with the tokens; None when it has others already, or has ended."""
        for pause in (0.0, *pauses):
            await anyio.sleep(pause)
            try:
                return await self.vault.refreshes.renew(row, tokens)
            except VaultError as error:
                problem = error
        try:
            await self.vault.refreshes.spool(row, tokens)
        except VaultError:
            report(row, "unsaved", problem=str(problem))
            raise TokensUnsavedError(row, tokens, problem) from problem
        report(row, "spooled", problem=str(problem))
        return await self.vault.find(row.id)

"""What nobody's call would do: keep idle connections alive, send revocations, forget consents.

A refresh token that is never used dies of age, and so does an access token that can be renewed only
while it is good. So a server that runs for long looks now and then for those that have not long to
live, and renews them by the same protocol as every other. Where a renewal does not move the end, it
says once that the end comes. Each pass does what is due and no more, so it may be run by several
processes of one vault.

What is wrong with one connection is told, and keeps nothing from the others.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import final

import anyio
import attrs

from connectors._events import emit
from connectors.catalog import Integration
from connectors.local._errors import VaultError
from connectors.local._records import StoredConnection
from connectors.local._refresh._keeper import TokenKeeper
from connectors.local._refresh._margins import is_ending, is_idle_too_long
from connectors.local._vault import Vault


@final
@attrs.frozen(eq=False)
class Sweeper:
    """Passes over a vault now and then."""

    vault: Vault
    """The vault."""

    keeper: TokenKeeper
    """What renews its tokens and revokes those that are not wanted."""

    catalog: Mapping[str, Integration]
    """The integration types."""

    clock: Callable[[], float]
    """The wall clock, in Unix seconds."""

    _warned: dict[str, float | None] = attrs.field(factory=dict, init=False)

    async def run(self, interval: float) -> None:
        """Pass over the vault until cancelled, with about so many seconds between two passes."""
        while True:
            await self.sweep()
            await anyio.sleep(interval * random.uniform(0.9, 1.1))  # noqa: S311 - a pause.

    async def sweep(self) -> None:
        """One pass; what fails is told, and left for the next one."""
        for step in (self._keep_alive, self.keeper.revoke, self._forget):
            with _telling():
                await step()

    async def _keep_alive(self) -> None:
        for connection_id in await self.vault.refreshes.ending():
            with _telling(connection_id=connection_id):
                row = await self.vault.find(connection_id)
                if row is not None and row.state == "active":
                    await self._look_after(row)

    async def _look_after(self, row: StoredConnection) -> None:
        integration = self.catalog.get(row.integration_type)
        if integration is None:
            return
        refresh, now = integration.refresh, self.clock()
        if is_idle_too_long(row, refresh, now):
            await self.keeper.renew(row)
        elif is_ending(row, refresh, now):
            self._warn(row)

    def _warn(self, row: StoredConnection) -> None:
        """Say once of each grant that it ends."""
        if self._warned.get(row.id) == row.refresh_expires_at:
            return
        self._warned[row.id] = row.refresh_expires_at
        emit(
            "warning",
            "connectors.local.refresh_token_ends",
            connection_id=row.id,
            integration_type=row.integration_type,
            ends_at=row.refresh_expires_at,
        )

    async def _forget(self) -> None:
        await self.vault.consent_rows.forget(self.clock())


@contextmanager
def _telling(**facts: object) -> Iterator[None]:
    """Tell of an error of the vault, and go on."""
    try:
        yield
    except VaultError as error:
        emit(
            "warning",
            "connectors.local.sweep_failed",
            error=type(error).__name__,
            problem=str(error),
            **facts,
        )

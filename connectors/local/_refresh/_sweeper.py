"""What nobody's call would do: keep idle connections alive, send revocations, forget consents.

A refresh token that is never used dies of age, a sliding one after its last use. So a server that
runs for long looks now and then for those with less than a quarter of their life left, and renews
them by the same protocol as every other. Each pass does what is due and no more, so it may be run
by several processes of one vault.
"""

import random
from collections.abc import Callable, Mapping
from typing import Final, final

import anyio
import attrs

from connectors._events import emit
from connectors.catalog import Integration
from connectors.local._errors import VaultError
from connectors.local._refresh._keeper import TokenKeeper
from connectors.local._refresh._margins import is_dying
from connectors.local._vault import Vault

_INTERVAL: Final = 600.0


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

    interval: float = _INTERVAL
    """Seconds between two passes, more or less."""

    async def run(self) -> None:
        """Pass over the vault until cancelled."""
        while True:
            await self.sweep()
            await anyio.sleep(self.interval * random.uniform(0.9, 1.1))  # noqa: S311 - a pause.

    async def sweep(self) -> None:
        """One pass; what fails is told, and left for the next one."""
        for step in (self._keep_alive, self.keeper.revoke, self._forget):
            try:
                await step()
            except VaultError as error:
                emit(
                    "warning",
                    "connectors.local.sweep_failed",
                    error=type(error).__name__,
                    problem=str(error),
                )

    async def _keep_alive(self) -> None:
        for row in await self.vault.refreshes.due():
            integration = self.catalog.get(row.integration_type)
            if integration is not None and is_dying(
                refresh_expires_at=row.refresh_expires_at,
                refresh=integration.refresh,
                now=self.clock(),
            ):
                found = await self.vault.find(row.id)
                if found is not None and found.state == "active":
                    await self.keeper.renew(found)

    async def _forget(self) -> None:
        await self.vault.consent_rows.forget(self.clock())

"""What a caller gets: a token that is good now, or an error that says who has to do what.

A token in its soft margin is handed out, and renewed behind the caller's back. In its hard margin
the caller waits, but only as long as something of the token is left, and gets it all the same when
no new one comes. An expired one, and one that would end on its way to where it is used, is worth
waiting for until the refresh must have ended.

A refresh runs in a task of its own, once for all callers of this event loop, and no caller can
cancel it: to break it off could cost the grant. Closing cancels what has not begun with the
provider yet and waits for the rest, which is bounded by the deadline of the policy.
"""

import hmac
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final, final

import anyio
import attrs

from connectors._events import emit
from connectors._flight import FetchCancelledError, Flight
from connectors._requests import rejected_digest
from connectors.catalog import Integration, integrations
from connectors.local._errors import VaultError
from connectors.local._records import Owner, StoredConnection
from connectors.local._refresh._background import Background, Obstacle, WorkEndedError
from connectors.local._refresh._errors import (
    ConnectionUnusableError,
    ReconnectRequiredError,
    RefreshPostponedError,
)
from connectors.local._refresh._locks import ProcessLock
from connectors.local._refresh._margins import Due, due, spread_of
from connectors.local._refresh._policy import RefreshPolicy
from connectors.local._refresh._protocol import Need, Refresher, TokensUnsavedError
from connectors.local._refresh._revoker import Revoker, Untold
from connectors.local._statuses import renewable
from connectors.local._vault import Vault
from transports import Transport

# Of what is left of a token, so that there is something left for its way to where it is used.
_SHARE_OF_LIFE: Final = 0.5
# Seconds that must be left then for the wait to be given up.
_LEAST_LEFT: Final = 1.0


def _no_obstacle() -> None:
    """Nothing is in the way."""


@final
class TokenKeeper:
    """Hands out connections of a vault whose tokens are good.

    It holds no task group: it may be used and closed in any task. Closing it ends what goes on in
    the event loop in which it is closed.

    Args:
        vault: Where the connections are.
        transport: The way to the providers; it is not closed here.
        catalog: The integration types.
        policy: How patiently tokens are renewed.
        clock: The wall clock, in Unix seconds.
        allow_local_hosts: Let a connection's values name hosts of this machine: for a provider
            that runs here, and never with the credentials of a real one.
        obstacle: Says what keeps the current event loop from all providers, or None.
    """

    def __init__(
        self,
        vault: Vault,
        transport: Transport,
        *,
        catalog: Mapping[str, Integration] | None = None,
        policy: RefreshPolicy | None = None,
        clock: Callable[[], float] = time.time,
        allow_local_hosts: bool = False,
        obstacle: Obstacle = _no_obstacle,
    ) -> None:
        self._vault = vault
        self._catalog = integrations() if catalog is None else catalog
        self._policy = policy or RefreshPolicy()
        self._clock = clock
        self._refresher = Refresher(vault, transport, self._policy, clock, allow_local_hosts)
        self._revoker = Revoker(
            vault, transport, self._catalog, self._policy, clock, allow_local_hosts
        )
        self._refreshes = Background[StoredConnection](obstacle)
        self._revocations = Background[tuple[Untold, ...]](obstacle)
        self._unsaved: dict[str, TokensUnsavedError] = {}

    async def connection(
        self, owner: Owner, *, rejected: str | None = None
    ) -> StoredConnection | None:
        """The owner's connection with a good token; None when there is none.

        Args:
            owner: Whose.
            rejected: The `rejected_digest` of a token that a service has refused: if that is still
                the connection's, it is renewed whatever its age.

        Raises:
            ConnectionUnusableError: There is no good token; its classes say who can help.
            VaultError: The vault can't be used.

        Cancelled, it ends at once; a refresh goes on.
        """
        row = await self._vault.get(owner)
        if row is None:
            return None
        if row.id in self._unsaved:
            row = await self._saved_by_now(row)
            if row.id in self._unsaved:
                return row
        if row.state == "refresh_failed":
            raise ReconnectRequiredError(row.integration_type, row.reason or "unknown")
        return await self._good(row, rejected)

    async def renew(self, row: StoredConnection) -> None:
        """Renew a token ahead of its time; a failure is left for when it is needed.

        Cancelled, it ends at once; the refresh goes on.
        """
        integration = self._catalog.get(row.integration_type)
        if integration is not None and self._can_renew(row, integration):
            with suppress(WorkEndedError):
                await self._begin(row, integration, "soon").done.wait()

    async def disconnect(self, owner: Owner) -> bool:
        """Erase the owner's connection, and tell the provider behind the caller's back.

        It waits for a refresh that is under way, also in another process: that would bring tokens
        for a connection that is gone.

        Returns:
            False when the owner had no connection.

        Raises:
            VaultError: The vault can't be used; nothing was erased.
        """
        row = await self._vault.get(owner)
        if row is None:
            return False
        async with ProcessLock(self._vault.path, row.lock_key):
            disconnected = await self._vault.disconnect(owner)
        self._unsaved.pop(row.id, None)
        with suppress(WorkEndedError):
            self._revocations.begin("all", self._revoker.run)
        return disconnected

    async def revoke(self) -> tuple[Untold, ...]:
        """Send the revocations that are due, and wait until all have been tried.

        Returns:
            What its provider has not taken.

        Raises:
            VaultError: The vault can't be used.

        Cancelled, it ends at once; what has begun goes on.
        """
        with suppress(WorkEndedError, FetchCancelledError):
            flight = self._revocations.begin("all", self._revoker.run)
            await flight.done.wait()
            return flight.outcome()
        return ()

    async def aclose(self) -> None:
        """End what goes on: what is under way with a provider is waited for, the rest cancelled.

        A second call does nothing new. Cancellation does not shorten the wait.
        """
        await self._revocations.aclose()
        await self._refreshes.aclose()

    async def _good(self, row: StoredConnection, rejected: str | None) -> StoredConnection:
        need = self._need(row, rejected)
        integration = self._catalog.get(row.integration_type)
        if need is None:
            return row
        if integration is None or not self._can_renew(row, integration):
            return _as_it_is(row, need)
        if need == "soon":
            with suppress(WorkEndedError):
                self._begin(row, integration, need)
            return row
        try:
            renewed = await self._renewed(row, integration, need)
            if self._left(renewed) <= 0:
                # Whoever renewed it was suspended with the answer, or that was long on its way.
                renewed = await self._renewed(renewed, integration, "expired")
            return renewed  # noqa: TRY300 - what follows is about a renewal that failed.
        except ReconnectRequiredError:
            raise
        except ConnectionUnusableError:
            # Nobody is refused a token that is good.
            if need == "now" and self._left(row) > 0:
                return row
            raise

    def _need(self, row: StoredConnection, rejected: str | None) -> Need | None:
        urgency = self._due(row)
        # What comes from a backup is not trusted: the provider may have gone on without it.
        if urgency == "expired" or row.verify:
            return "expired"
        assert row.access_token is not None
        if rejected is not None and _is_same(rejected, rejected_digest(row.access_token)):
            return "rejected"
        return None if urgency == "not_yet" else urgency

    def _due(self, row: StoredConnection) -> Due:
        integration = self._catalog.get(row.integration_type)
        if integration is None:
            return "expired" if self._left(row) <= 0 else "not_yet"
        return due(
            obtained_at=row.obtained_at or 0.0,
            expires_at=row.expires_at,
            refresh=integration.refresh,
            now=self._clock(),
            spread=spread_of(row.id, row.generation),
        )

    def _can_renew(self, row: StoredConnection, integration: Integration) -> bool:
        now = self._clock()
        age = now - (row.obtained_at or 0.0)
        old_enough = age >= (integration.refresh.min_age or -math.inf)
        return old_enough and renewable(row, integration, now)

    async def _renewed(
        self, row: StoredConnection, integration: Integration, need: Need
    ) -> StoredConnection:
        try:
            flight = self._begin(row, integration, need)
            with anyio.move_on_after(self._patience(row, need)):
                await flight.done.wait()
                return flight.outcome()
        except (WorkEndedError, FetchCancelledError) as error:
            raise self._postponed(row, str(error)) from None
        raise self._postponed(row, "the provider takes long, or another process is asking it")

    def _postponed(self, row: StoredConnection, problem: str) -> RefreshPostponedError:
        return RefreshPostponedError(row.integration_type, self._policy.pause, problem)

    def _patience(self, row: StoredConnection, need: Need) -> float:
        spared = self._left(row) * _SHARE_OF_LIFE
        if need == "now" and spared >= _LEAST_LEFT:
            return min(self._policy.patience, spared)
        return self._policy.patience

    def _left(self, row: StoredConnection) -> float:
        return math.inf if row.expires_at is None else row.expires_at - self._clock()

    def _begin(
        self, row: StoredConnection, integration: Integration, need: Need
    ) -> Flight[StoredConnection]:
        # One that is needed serves those who need it less, and not the other way round: what may
        # wait leaves a token alone that must not be presented without need.
        needed = self._refreshes.find((row.id, True))
        if needed is not None:
            return needed
        return self._refreshes.begin(
            (row.id, need != "soon"), partial(self._refreshed, row, integration, need)
        )

    async def _refreshed(
        self, row: StoredConnection, integration: Integration, need: Need
    ) -> StoredConnection:
        try:
            return await self._refresher.refresh(row, integration, need)
        except TokensUnsavedError as unsaved:
            self._unsaved[row.id] = unsaved
            return self._from_memory(unsaved)
        except (ConnectionUnusableError, VaultError):
            raise
        except Exception as error:
            # Perhaps nobody waits for it.
            emit("warning", "connectors.local.refresh_broken", error=type(error).__name__)
            raise

    async def _saved_by_now(self, row: StoredConnection) -> StoredConnection:
        """The row, when what only this process has can be kept now or has become pointless.

        Nothing is refreshed before that: the refresh token in the row has been used.
        """
        unsaved = self._unsaved[row.id]
        if row.generation == unsaved.connection.generation:
            try:
                row = await self._refresher.save_again(unsaved)
            except TokensUnsavedError:
                return self._from_memory(unsaved)
        self._unsaved.pop(row.id, None)
        return row

    def _from_memory(self, unsaved: TokensUnsavedError) -> StoredConnection:
        tokens = unsaved.tokens
        served = attrs.evolve(
            unsaved.connection,
            access_token=tokens.access_token,
            obtained_at=tokens.obtained_at,
            expires_at=tokens.expires_at,
        )
        if self._left(served) <= 0:
            raise self._postponed(served, "the token can't be kept; look at the vault's disk")
        return served


def _is_same(told: str, digest: str) -> bool:
    return hmac.compare_digest(told.encode("utf-8", "replace"), digest.encode("ascii"))


def _as_it_is(row: StoredConnection, need: Need) -> StoredConnection:
    """A token that can't be renewed, as long as it is good."""
    if need in {"soon", "now"}:
        return row
    reason = "token_rejected" if need == "rejected" else "no_refresh_token"
    raise ReconnectRequiredError(row.integration_type, reason)

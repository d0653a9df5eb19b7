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
from typing import Final, TypeVar, final

import anyio

from connectors._events import emit
from connectors._flight import FetchCancelledError, Flight
from connectors._requests import rejected_digest
from connectors.catalog import Integration, integrations
from connectors.local._errors import VaultError
from connectors.local._records import Owner, StoredConnection
from connectors.local._refresh._background import Background, WorkEndedError
from connectors.local._refresh._errors import (
    ConnectionUnusableError,
    ReconnectRequiredError,
    RefreshPostponedError,
)
from connectors.local._refresh._locks import ProcessLock
from connectors.local._refresh._margins import Due, due, spread_of
from connectors.local._refresh._policy import RefreshPolicy
from connectors.local._refresh._protocol import Need, Refresher
from connectors.local._refresh._revoker import Revoker, Untold
from connectors.local._refresh._saver import Saver, TokensUnsavedError
from connectors.local._refresh._unsaved import NOT_KEPT, UnsavedTokens
from connectors.local._statuses import renewable
from connectors.local._vault import Vault
from transports import Transport

V = TypeVar("V")

# Of what is left of a token, so that there is something left for its way to where it is used.
_SHARE_OF_LIFE: Final = 0.5
# Seconds that must be left then for the wait to be given up.
_LEAST_LEFT: Final = 1.0
_SLOW: Final = "the provider takes long, or another process is asking it"


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
    ) -> None:
        self._vault = vault
        self._catalog = integrations() if catalog is None else catalog
        self._policy = policy or RefreshPolicy()
        self._clock = clock
        saver = Saver(vault)
        self._unsaved = UnsavedTokens(saver, self._policy.patience)
        self._refresher = Refresher(
            saver, self._unsaved, transport, self._policy, clock, allow_local_hosts
        )
        self._revoker = Revoker(
            vault, transport, self._catalog, self._policy, clock, allow_local_hosts
        )
        self._refreshes = Background[StoredConnection]()
        self._revocations = Background[tuple[Untold, ...]]()

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
        row = self._unsaved.find(owner) or await self._vault.get(owner)
        if row is not None and self._unsaved.concern(row):
            served = await self._from_memory(row, rejected)
            if served is not None:
                return served
            row = await self._vault.get(owner)
        if row is None:
            return None
        if row.state == "refresh_failed":
            raise ReconnectRequiredError(row.integration_type, row.reason or "unknown")
        return await self._good(row, rejected)

    async def renew(self, row: StoredConnection) -> None:
        """Renew a token ahead of its time; a failure is left for when it is needed.

        It waits no longer than a caller would. Cancelled, it ends at once; the refresh goes on.
        """
        integration = self._catalog.get(row.integration_type)
        if integration is not None and self._can_renew(row, integration):
            with suppress(WorkEndedError), anyio.move_on_after(self._policy.patience):
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
            # It is the newest token that the provider is to be told of.
            await self._unsaved.save(row.lock_key)
            disconnected = await self._vault.disconnect(owner)
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

        Tokens that only this process has are tried to be saved for a last time. A second call does
        nothing else. Cancellation does not shorten the wait.
        """
        await self._revocations.aclose()
        await self._refreshes.aclose()
        await self._unsaved.aclose()

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
        if _is_rejected(row, rejected):
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
        begin = partial(self._begin, row, integration, need)
        return await self._outcome(row, begin, self._patience(row, need), _SLOW)

    async def _outcome(
        self, row: StoredConnection, begin: Callable[[], Flight[V]], patience: float, problem: str
    ) -> V:
        """What comes of work that others wait for as well, if it comes soon enough."""
        try:
            flight = begin()
            with anyio.move_on_after(patience):
                await flight.done.wait()
                return flight.outcome()
        except (WorkEndedError, FetchCancelledError) as error:
            raise self._postponed(row, str(error)) from None
        raise self._postponed(row, problem)

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
            served = self._unsaved.add(unsaved)
            if self._left(served) <= 0:
                raise self._postponed(row, NOT_KEPT) from None
            return served
        except (ConnectionUnusableError, VaultError):
            raise
        except Exception as error:
            # Perhaps nobody waits for it.
            emit("warning", "connectors.local.refresh_broken", error=type(error).__name__)
            raise

    async def _from_memory(
        self, row: StoredConnection, rejected: str | None
    ) -> StoredConnection | None:
        """A connection with tokens that only this process has; None when they are saved.

        That goes on behind the caller's back. Only who can't do with them waits for it.
        """
        with suppress(WorkEndedError):
            self._unsaved.begin(row)
        served = self._unsaved.put_into(row)
        if served is not None and self._left(served) > 0 and not _is_rejected(served, rejected):
            return served
        begin = partial(self._unsaved.begin, row)
        try:
            await self._outcome(row, begin, self._policy.patience, NOT_KEPT)
        except VaultError:
            raise self._postponed(row, NOT_KEPT) from None
        return None


def _is_rejected(row: StoredConnection, rejected: str | None) -> bool:
    """Is it the token of this connection that a service has refused?"""
    assert row.access_token is not None
    if rejected is None:
        return False
    digest = rejected_digest(row.access_token)
    return hmac.compare_digest(rejected.encode("utf-8", "replace"), digest.encode("ascii"))


def _as_it_is(row: StoredConnection, need: Need) -> StoredConnection:
    """A token that can't be renewed, as long as it is good."""
    if need in {"soon", "now"}:
        return row
    reason = "token_rejected" if need == "rejected" else "no_refresh_token"
    raise ReconnectRequiredError(row.integration_type, reason)

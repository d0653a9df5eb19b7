"""One refresh of one connection, so that it survives what breaks others.

Under a lock that lives as long as its holder:

1. Save what an earlier one could not keep, and read the row again. Who was here before may have
   renewed it; then theirs is the token.
2. A mark in the row says that this very refresh token was presented and no answer was kept. While
   that exchange may still go on, nothing is sent. After that the token is presented again, until it
   has met a second silence, and only when the access token is really needed: a provider with a
   leeway answers, and with a strict one nothing is lost that the first exchange had not lost.
3. Leave the mark, durably, before anything is sent.
4. Ask, with a deadline over all.
5. Keep what came back before anybody hears of it, or take note of the failure by its kind.

From the mark on nothing is cancelled. A crash between any two steps leaves a row that step 2 knows
what to do with. No transaction is open while the provider is asked.
"""

import random
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias, final
from uuid import uuid4

import anyio
import attrs

from connectors._events import emit
from connectors.catalog import Integration
from connectors.local._errors import VaultError
from connectors.local._oauth import (
    FailureKind,
    RefreshFailure,
    Tokens,
    clock_skew,
    refresh_request,
    refresh_result,
)
from connectors.local._oauth_records import StoredOAuthApp
from connectors.local._records import Presented, Reason, StoredConnection
from connectors.local._refresh._errors import (
    ClientMissingError,
    ClientRejectedError,
    ReconnectRequiredError,
    RefreshPostponedError,
)
from connectors.local._refresh._locks import ProcessLock
from connectors.local._refresh._policy import RefreshPolicy, time_left
from connectors.local._refresh._reports import report
from connectors.local._refresh._saver import Saver
from connectors.local._refresh._unsaved import NOT_KEPT, UnsavedTokens
from connectors.local._renewing import presented_digest
from connectors.local._vault import Vault
from transports import Request, Response, Secret, Transport, TransportError

Need: TypeAlias = Literal["soon", "now", "expired", "rejected"]
"""Why a token is renewed: its margins, its end, or a service that has refused it."""

_NEVER_ROTATING: Final = frozenset({"never", "n/a"})
_REASONS: Final[Mapping[str, Reason]] = {"interaction_required": "consent_required"}
_AT_AN_END: Final = frozenset({"expired", "rejected"})
# After one exchange without an answer a token is presented until there is another, and then not
# a third time, whatever else was answered between them.
_MOST_SILENCES: Final = 1
_PROBLEMS: Final[Mapping[FailureKind, str]] = {
    "not_sent": "the provider can't be reached",
    "busy": "the provider asks for patience",
    "ambiguous": "the provider has given no clear answer",
    "unanswered": "the provider has not answered",
    "refused": "the provider refuses it",
    "client_rejected": "the provider refuses the OAuth client",
    "unknown": "the provider refuses it, and why is not known here",
}


@final
@attrs.frozen(eq=False)
class Refresher:
    """Refreshes the connections of a vault."""

    saver: Saver
    """Keeps the new tokens in the vault."""

    unsaved: UnsavedTokens
    """What it could not keep."""

    transport: Transport
    """The way to the providers."""

    policy: RefreshPolicy
    """How patiently."""

    clock: Callable[[], float]
    """The wall clock, in Unix seconds."""

    allow_local_hosts: bool
    """As for `connectors.catalog.check_config`."""

    @property
    def vault(self) -> Vault:
        """Where they are."""
        return self.saver.vault

    async def refresh(
        self, seen: StoredConnection, integration: Integration, need: Need
    ) -> StoredConnection:
        """Renew the token of a connection, or get the one that somebody else has renewed.

        Args:
            seen: The connection whose token has to be replaced.
            integration: Its type.
            need: Why.

        Raises:
            ClientMissingError, ClientRejectedError: The OAuth client can't be used.
            ReconnectRequiredError: The provider has ended it, or it was disconnected meanwhile.
            RefreshPostponedError: Not now.
            TokensUnsavedError: There are tokens, and the disk does not take them.
            VaultError: The vault can't be used.

        Cancelled before it has marked the row, it has done nothing. After that it is not to be
        cancelled, and takes at most the deadline of its policy.
        """
        async with ProcessLock(self.vault.path, seen.lock_key):
            await self._save_earlier(seen)
            row = await self.saver.found(seen)
            if row.generation != seen.generation:
                return row
            exchange = _Exchange(self, row, integration, await self._app(row))
            await exchange.check(need)
            with anyio.CancelScope(shield=True):
                renewed = await exchange.run()
            return renewed  # noqa: RET504 - to a type checker a scope may end early.

    async def _save_earlier(self, seen: StoredConnection) -> None:
        """Save what an earlier refresh of the chain has brought, before anything is presented.

        The token in the rows has been used for it, while this one waited for the lock.
        """
        try:
            await self.unsaved.save(seen.lock_key)
        except VaultError:
            raise RefreshPostponedError(
                seen.integration_type, self.policy.pause, NOT_KEPT
            ) from None

    async def _app(self, row: StoredConnection) -> StoredOAuthApp:
        app = await self.vault.apps.get(row.integration_type)
        if app is None:
            raise ClientMissingError(row.integration_type)
        if row.client is not None and row.client.client_id != app.client_id:
            # No refresh token is good for another client, whose secret may be for another host.
            raise ReconnectRequiredError(row.integration_type, "client_replaced")
        wait = time_left(app.retry_at, self.clock(), self.policy.longest_client_delay)
        if wait > 0:
            raise ClientRejectedError(row.integration_type, wait)
        return app


@final
@attrs.define(eq=False)
class _Exchange:
    """The steps of one refresh, from the second on."""

    _refresher: Refresher
    _row: StoredConnection
    _integration: Integration
    _app: StoredOAuthApp

    @property
    def _rotates(self) -> bool:
        return self._integration.refresh.rotates not in _NEVER_ROTATING

    @property
    def _digest(self) -> str:
        return presented_digest(self._row)

    @property
    def _earlier(self) -> Presented | None:
        """The mark of an exchange before this one with the same token."""
        presented = self._row.presented
        return presented if presented is not None and presented.digest == self._digest else None

    async def check(self, need: Need) -> None:
        """Step 2: may the token be presented now?"""
        row, now = self._row, self._refresher.clock()
        wait = time_left(row.next_attempt_at, now, self._refresher.policy.longest_wait)
        if wait > 0:
            raise self._postponed(wait, row.last_error or "it has failed")
        await self._check_earlier(need, now)
        if need == "rejected":
            await self._check_force(now)

    async def _check_earlier(self, need: Need, now: float) -> None:
        earlier, policy = self._earlier, self._refresher.policy
        if not self._rotates or earlier is None or not earlier.silences:
            return
        over = earlier.at + policy.quarantine if earlier.outcome == "unanswered" else None
        wait = time_left(over, now, policy.quarantine)
        spent = earlier.silences > _MOST_SILENCES
        if spent and need in _AT_AN_END and not wait:
            await self._fail("refresh_outcome_lost", "no answer, twice")
        # It may be the last use of this token, so it is kept for when it is needed.
        if wait or spent or need == "soon":
            raise self._postponed(wait or policy.pause, _PROBLEMS["unanswered"])

    async def _check_force(self, now: float) -> None:
        refresher, row = self._refresher, self._row
        interval = refresher.policy.force_interval
        again = None if row.forced_at is None else row.forced_at + interval
        wait = time_left(again, now, interval)
        if wait > 0:
            raise self._postponed(wait, self._forced_already())
        await refresher.vault.refreshes.force(row, now)

    def _forced_already(self) -> str:
        row = self._row
        renewed = (row.obtained_at or 0.0) >= (row.forced_at or 0.0)
        what = "refused and renewed" if renewed else "refused"
        return row.last_error or f"it was {what} a moment ago"

    async def run(self) -> StoredConnection:
        """Steps 3 to 5."""
        refresher, earlier = self._refresher, self._earlier
        request = self._request()
        mark = Presented(
            digest=self._digest,
            attempt_id=uuid4().hex,
            at=refresher.clock(),
            outcome="unanswered",
            # That it is one is true until there is an answer.
            silences=_silences(earlier) + 1,
        )
        if not await refresher.vault.refreshes.present(self._row, mark):
            return await self._adopted()
        sent_at = refresher.clock()
        answer = await self._send(request)
        if isinstance(answer, Response):
            self._compare_clocks(answer)
        result = refresh_result(
            self._integration,
            answer,
            sent_at=sent_at,
            secrets=self._secrets(),
            allow_local_hosts=refresher.allow_local_hosts,
        )
        if isinstance(result, Tokens):
            return await self._succeed(result)
        return await _SETTLE[result.kind](self, result, mark)

    async def _adopted(self) -> StoredConnection:
        """What somebody has made of it who did not wait for the lock, as a new consent does."""
        row = await self._refresher.saver.found(self._row)
        if row.generation == self._row.generation:
            raise self._postponed(self._refresher.policy.pause, "another process is at it")
        return row

    def _request(self) -> Request:
        row = self._row
        assert row.access_token is not None
        try:
            return refresh_request(
                self._integration,
                self._app.client,
                access_token=row.access_token,
                refresh_token=row.refresh_token,
                config=row.connection_config or {},
                redirect_uri=row.client.redirect_uri if row.client else self._app.redirect_uri,
                allow_local_hosts=self._refresher.allow_local_hosts,
            )
        except ValueError as error:
            report(row, "impossible", problem=str(error))
            raise ReconnectRequiredError(row.integration_type, "config_refused") from None

    def _secrets(self) -> list[Secret]:
        """What was sent, and must not come back as an error code."""
        row = self._row
        sent = (row.access_token, row.refresh_token, self._app.client.client_secret)
        return [secret for secret in sent if secret is not None]

    async def _send(self, request: Request) -> Response | TransportError:
        deadline = anyio.current_time() + self._refresher.policy.deadline
        try:
            return await self._refresher.transport.send(attrs.evolve(request, deadline=deadline))
        except TransportError as error:
            return error

    def _compare_clocks(self, response: Response) -> None:
        skew = clock_skew(response.headers, self._refresher.clock())
        if skew:
            emit(
                "warning",
                "connectors.local.clock_skew",
                integration_type=self._row.integration_type,
                seconds=round(skew),
            )

    async def _succeed(self, tokens: Tokens) -> StoredConnection:
        row = await self._refresher.saver.save(self._row, tokens)
        if self._app.failures:
            await self._refresher.vault.apps.accept(self._app)
        report(row, "renewed")
        return row

    async def not_executed(self, failure: RefreshFailure, _mark: Presented) -> StoredConnection:
        """5b and 5c: the token is as good as it was."""
        raise await self._put_off(failure, self._earlier)

    async def ambiguous(self, failure: RefreshFailure, mark: Presented) -> StoredConnection:
        """5c: the exchange is over, and the provider may have rotated the token all the same."""
        silences = _silences(self._earlier)
        marker = attrs.evolve(mark, outcome="ambiguous", silences=silences)
        raise await self._put_off(failure, marker, least=self._quarantine(failure))

    async def unanswered(self, failure: RefreshFailure, mark: Presented) -> StoredConnection:
        """5d: sent, and nobody knows what became of it."""
        raise await self._put_off(failure, mark, least=self._quarantine(failure))

    def _quarantine(self, failure: RefreshFailure) -> float:
        """How long the provider may still be at it; of no matter where it takes no token away."""
        needed = failure.quarantine and self._rotates
        return self._refresher.policy.quarantine if needed else 0.0

    async def refused(self, failure: RefreshFailure, _mark: Presented) -> StoredConnection:
        """5e: the provider has ended it."""
        return await self._fail(self._reason(failure), failure.code)

    def _reason(self, failure: RefreshFailure) -> Reason:
        if self._rotates and self._earlier is not None:
            return "refresh_outcome_lost"
        ended = self._row.refresh_expires_at
        if ended is not None and ended <= self._refresher.clock():
            return "refresh_token_expired"
        return _REASONS.get(failure.code or "", "invalid_grant")

    async def client_rejected(self, failure: RefreshFailure, _mark: Presented) -> StoredConnection:
        """5f: the fault is the client's, so the connection keeps its state."""
        refresher, row = self._refresher, self._row
        pause, now = refresher.policy.client_pause(self._app.failures + 1), refresher.clock()
        await refresher.vault.apps.reject(
            self._app, problem=_problem(failure), at=now, retry_at=now + pause
        )
        await refresher.vault.refreshes.postpone(
            row,
            marker=self._earlier,
            failures=row.failures,
            next_attempt_at=None,
            last_error=_problem(failure),
        )
        report(row, "client_rejected", problem=_problem(failure))
        raise ClientRejectedError(row.integration_type, pause)

    async def unknown(self, failure: RefreshFailure, _mark: Presented) -> StoredConnection:
        """A refusal in words that nobody knows: a broken gateway, or the end."""
        row, now, policy = self._row, self._refresher.clock(), self._refresher.policy
        first = now if row.first_strike_at is None else row.first_strike_at
        if row.strikes + 1 >= policy.strikes and now - first >= policy.strike_period:
            return await self._fail("unknown", failure.code)
        raise await self._put_off(failure, self._earlier, strike_at=now)

    async def _put_off(
        self,
        failure: RefreshFailure,
        marker: Presented | None,
        *,
        least: float = 0.0,
        strike_at: float | None = None,
    ) -> RefreshPostponedError:
        refresher, row = self._refresher, self._row
        failures = row.failures + 1
        delay = refresher.policy.delay(failures, failure.retry_after, random.random)
        wait = max(delay, least)
        await refresher.vault.refreshes.postpone(
            row,
            marker=marker,
            failures=failures,
            next_attempt_at=refresher.clock() + wait,
            last_error=_problem(failure),
            strike_at=strike_at,
        )
        report(row, "postponed", problem=_problem(failure), delay=round(wait, 3))
        return self._postponed(wait, _problem(failure))

    async def _fail(self, reason: Reason, code: str | None) -> StoredConnection:
        refresher, row = self._refresher, self._row
        if not await refresher.vault.refreshes.fail(row, reason, code or reason):
            return await self._adopted()
        report(row, "failed", problem=reason)
        raise ReconnectRequiredError(row.integration_type, reason)

    def _postponed(self, seconds: float, problem: str) -> RefreshPostponedError:
        return RefreshPostponedError(self._row.integration_type, seconds, problem)


_SETTLE: Final = {
    "not_sent": _Exchange.not_executed,
    "busy": _Exchange.not_executed,
    "ambiguous": _Exchange.ambiguous,
    "unanswered": _Exchange.unanswered,
    "refused": _Exchange.refused,
    "client_rejected": _Exchange.client_rejected,
    "unknown": _Exchange.unknown,
}


def _silences(earlier: Presented | None) -> int:
    """How often the token has been met with silence."""
    return 0 if earlier is None else earlier.silences


def _problem(failure: RefreshFailure) -> str:
    """What stands in the way, for a person."""
    status = None if failure.status is None else f"status {failure.status}"
    details = ", ".join(detail for detail in (failure.code, status) if detail is not None)
    return f"{_PROBLEMS[failure.kind]} ({details})" if details else _PROBLEMS[failure.kind]

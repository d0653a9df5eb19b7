"""Tells providers that a token is no longer wanted, after the vault has forgotten it.

What is to be revoked lies in the vault's outbox, put there by the transaction that erased it, so a
crash loses no revocation. A provider that can't be reached is asked again later; one that refuses
has its reasons, mostly that the token is dead already. A revocation that fails harms nobody but
leaves a grant that the account's owner did not want any more, so it is told when it is given up.

Some providers end all grants of an account at once. There a revocation that is still waiting when
the owner consents again is dropped: it would end what was just connected.
"""

import random
from collections.abc import Callable, Collection, Mapping
from typing import Final, final

import anyio
import attrs

from connectors._events import emit
from connectors.catalog import Integration
from connectors.local._clocks import CLOCK_SET_BACK
from connectors.local._errors import VaultDamagedError
from connectors.local._oauth import revocation_request, revocation_result
from connectors.local._oauth_records import Revocation, StoredOAuthApp
from connectors.local._refresh._policy import RefreshPolicy
from connectors.local._vault import Vault
from transports import Request, Response, Transport, TransportError

_MOST_ATTEMPTS: Final = 12


@attrs.frozen
class Untold:
    """A revocation that its provider has not taken."""

    connection_id: str
    """The connection that is over."""

    problem: str
    """What stood in the way; not secret."""

    again: bool
    """Is it tried again?"""


@final
@attrs.frozen(eq=False)
class Revoker:
    """Empties the outbox of a vault."""

    vault: Vault
    """Where it is."""

    transport: Transport
    """The way to the providers."""

    catalog: Mapping[str, Integration]
    """How they are asked."""

    policy: RefreshPolicy
    """How patiently."""

    clock: Callable[[], float]
    """The wall clock, in Unix seconds."""

    allow_local_hosts: bool
    """As for `connectors.catalog.check_config`."""

    async def run(self) -> tuple[Untold, ...]:
        """Send what is due, each once, until nothing is.

        Returns:
            What its provider has not taken.

        Raises:
            VaultError: The vault can't be used.

        Cancelled, it ends at once; what was not confirmed is sent again later.
        """
        tried: dict[str, Untold | None] = {}
        while due := await self._due(tried):
            for revocation_id, connection_id in due.items():
                tried[revocation_id] = await self._try(revocation_id, connection_id)
        # Who wants a run gets the one that is under way, so it must not miss what came meanwhile:
        # from the last look on nothing else has its turn in this event loop.
        return tuple(untold for untold in tried.values() if untold is not None)

    async def _due(self, tried: Collection[str]) -> Mapping[str, str]:
        longest = self.policy.longest_delay + CLOCK_SET_BACK
        due = await self.vault.revocations.due(self.clock(), longest)
        return {job: connection for job, connection in due.items() if job not in tried}

    async def _try(self, revocation_id: str, connection_id: str) -> Untold | None:
        try:
            job = await self.vault.revocations.get(revocation_id)
        except VaultDamagedError as error:
            # Time does not mend it.
            await self.vault.revocations.done(revocation_id)
            told = {"connection_id": connection_id, "problem": str(error)}
            emit("warning", "connectors.local.revocation_given_up", **told)
            return Untold(connection_id, str(error), again=False)
        return None if job is None else await self._revoke(job)

    async def _revoke(self, job: Revocation) -> Untold | None:
        request = await self._request(job)
        untold = await self._asked(job, request) if isinstance(request, Request) else request
        if untold is None or not untold.again:
            await self.vault.revocations.done(job.id)
        else:
            wait = self.policy.delay(job.attempts + 1, None, random.random)
            await self.vault.revocations.postpone(job.id, self.clock() + wait, untold.problem)
        return untold

    async def _request(self, job: Revocation) -> Request | Untold | None:
        """The request, or why there can be none; None when this provider takes none."""
        integration = self.catalog.get(job.integration_type)
        try:
            app = await self.vault.apps.get(job.integration_type)
        except VaultDamagedError as error:
            return _later(job, str(error))
        if integration is None or app is None:
            return _refused(job, "its type or its OAuth client is not known any more")
        if integration.revocation_ends_all and await self.vault.revocations.is_overtaken(job):
            return _dropped(job)
        return self._made(job, integration, app)

    def _made(
        self, job: Revocation, integration: Integration, app: StoredOAuthApp
    ) -> Request | Untold | None:
        if job.client_id not in {None, app.client_id}:
            # Its secret is for another provider, maybe, than these tokens are from.
            return _refused(job, "its OAuth client was replaced by another one")
        try:
            return revocation_request(
                integration,
                app.client,
                access_token=job.access_token,
                refresh_token=job.refresh_token,
                config=job.config or {},
                allow_local_hosts=self.allow_local_hosts,
            )
        except ValueError as error:
            return _refused(job, str(error))

    async def _asked(self, job: Revocation, request: Request) -> Untold | None:
        deadline = anyio.current_time() + self.policy.deadline
        result: Response | TransportError
        try:
            result = await self.transport.send(attrs.evolve(request, deadline=deadline))
        except TransportError as error:
            result = error
        outcome = revocation_result(self.catalog[job.integration_type], result)
        if outcome == "revoked":
            return None
        refused = outcome == "refused"
        return _refused(job, _told(result)) if refused else _later(job, _told(result))


def _refused(job: Revocation, problem: str) -> Untold:
    emit("warning", "connectors.local.revocation_refused", **_facts(job, problem))
    return Untold(job.connection_id, problem, again=False)


def _dropped(job: Revocation) -> Untold:
    problem = "it would end the new consent of its owner too"
    emit("info", "connectors.local.revocation_dropped", **_facts(job, problem))
    return Untold(job.connection_id, problem, again=False)


def _later(job: Revocation, problem: str) -> Untold:
    again = job.attempts + 1 < _MOST_ATTEMPTS
    if again:
        emit("info", "connectors.local.revocation_postponed", **_facts(job, problem))
    else:
        emit("warning", "connectors.local.revocation_given_up", **_facts(job, problem))
    return Untold(job.connection_id, problem, again=again)


def _told(result: Response | TransportError) -> str:
    return f"status {result.status}" if isinstance(result, Response) else type(result).__name__


def _facts(job: Revocation, problem: str) -> dict[str, object]:
    return {
        "integration_type": job.integration_type,
        "attempts": job.attempts + 1,
        "problem": problem,
    }

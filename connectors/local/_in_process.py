"""The local backend as a client's transport: a request becomes a call, on asyncio and on trio.

Its credentials are random and live as long as it does: whoever holds the vault needs none, and they
are known before the vault has been opened.
"""

import os
from collections.abc import Mapping
from typing import final

import attrs

from connectors.catalog import Integration
from connectors.local._api import LocalBackend
from connectors.local._authority import Authority
from connectors.local._carrying import Carrier
from connectors.local._vault import Vault
from transports import ForkedProcessError, Request, Response, Secret, Transport


@final
class InProcessTransport:
    """Carries requests to a local backend in this process.

    Args:
        vault: Where connections are kept. A path is opened when the first request comes, and closed
            with the transport; None is the vault in the user's data folder. A `Vault` stays open.
        authority: Who may ask.
        provider_transport: The way to the providers, as for `LocalBackend`.
        catalog: The integration types, as for `LocalBackend`.
    """

    def __init__(
        self,
        vault: Vault | str | os.PathLike[str] | None,
        authority: Authority,
        *,
        provider_transport: Transport | None = None,
        catalog: Mapping[str, Integration] | None = None,
    ) -> None:
        self._vault = vault if isinstance(vault, Vault) else Vault(vault)
        self._owns_vault = vault is not self._vault
        self._backend = LocalBackend(
            self._vault, authority, transport=provider_transport, catalog=catalog
        )
        self._carrier = Carrier(
            self._backend.handle, closed="The in-process transport is closed: make a new client"
        )
        self._process: int | None = None

    async def send(self, request: Request, /) -> Response:
        """Have the backend answer a request.

        Raises:
            BodyTooLargeError: The answer is larger than the request accepts.
            ForkedProcessError: The parent of this process has used it.
            PoolTimeoutError: The deadline had passed already; nothing was done.
            ReadTimeoutError: The deadline passed.
            TransportClosedError: It is closed, or was closed meanwhile.

        Cancelled, at the deadline or when it is closed, it ends at once, unless the vault has begun
        with it: that is finished, and its answer given all the same. A read takes a moment, a write
        at most the vault's `busy_timeout`.
        """
        self._check_process(request)
        return await self._carrier.send(request)

    async def aclose(self) -> None:
        """End what is under way, then close the vault if it was opened here. It may be repeated.

        What has been sent to a provider is waited for, as `LocalBackend.aclose` says.
        """
        try:
            await self._carrier.aclose()
        finally:
            try:
                await self._backend.aclose()
            finally:
                if self._owns_vault:
                    await self._vault.aclose()

    def _check_process(self, request: Request) -> None:
        if self._process not in {None, os.getpid()}:
            raise ForkedProcessError(
                "The in-process transport was used before a fork: make a new client in the child",
                method=request.method,
                url=request.url,
                phase="pool",
                maybe_sent=False,
            )
        self._process = os.getpid()

    def __repr__(self) -> str:
        state = "closed" if self._carrier.closed else "open"
        return f"<InProcessTransport to {self._backend!r}, {state}>"


@attrs.frozen(eq=False)
class LocalCredentials:
    """What a client needs to use a vault of this machine."""

    transport: InProcessTransport
    """The way to the backend; to be closed with the client."""

    service_token: Secret
    """The token of the app's backend."""

    api_key: Secret
    """The key of the workspace."""

    user_token: Secret | None
    """The token of the app user, if one was named."""


def local_credentials(
    *,
    vault: Vault | str | os.PathLike[str] | None = None,
    user: str | None = None,
    provider_transport: Transport | None = None,
) -> LocalCredentials:
    """A way to a vault in this process, and the credentials for it; touches no file.

    Args:
        vault: As for `InProcessTransport`.
        user: The app user on whose behalf a client acts.
        provider_transport: The way to the providers, as for `LocalBackend`.

    Raises:
        TypeError, ValueError: The path or the user can't be right.
    """
    authority = Authority.ephemeral()
    return LocalCredentials(
        transport=InProcessTransport(vault, authority, provider_transport=provider_transport),
        service_token=authority.service_token,
        api_key=authority.api_key,
        user_token=None if user is None else authority.issue_user_token(user),
    )

"""The local backend as a client's transport: a request becomes a call, on asyncio and on trio.

No socket and no server: what `handle` answers is the answer. It keeps the contract of every
transport all the same, deadline, closing and body limit included, so a client can't tell. Its
credentials are random and live as long as it does: whoever holds the vault needs none, and they
are known before the vault has been opened.
"""

import os
from collections.abc import Mapping
from typing import final

import anyio
import attrs

from connectors.catalog import Integration
from connectors.local._api import LocalBackend
from connectors.local._authority import Authority
from connectors.local._vault import Vault
from transports import (
    BodyTooLargeError,
    ForkedProcessError,
    Request,
    Response,
    Secret,
    Transport,
    TransportClosedError,
    within_deadline,
)


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
        self._under_way: dict[anyio.CancelScope, anyio.Event] = {}
        self._closed = False
        self._process: int | None = None

    async def send(self, request: Request, /) -> Response:
        """Have the backend answer a request.

        Raises:
            BodyTooLargeError: The answer is larger than the request accepts.
            ForkedProcessError: The parent of this process has used it.
            ReadTimeoutError: The deadline passed.
            TransportClosedError: It is closed, or was closed meanwhile.

        Cancelled, at the deadline or when it is closed, it ends at once, unless the vault has begun
        with it: that is finished, and its answer given all the same. A read takes a moment, a write
        at most the vault's `busy_timeout`.
        """
        self._check_usable(request)
        with anyio.CancelScope() as scope:
            self._under_way[scope] = ended = anyio.Event()
            try:
                return await within_deadline(request, self._answer(request))
            finally:
                del self._under_way[scope]
                ended.set()
        raise _closed(request, maybe_sent=True)

    async def aclose(self) -> None:
        """End what is under way, then close the vault if it was opened here. It may be repeated.

        What has been sent to a provider is waited for, as `LocalBackend.aclose` says.
        """
        self._closed = True
        try:
            for scope in self._under_way:
                scope.cancel()
            for ended in tuple(self._under_way.values()):
                await ended.wait()
        finally:
            try:
                await self._backend.aclose()
            finally:
                if self._owns_vault:
                    await self._vault.aclose()

    async def _answer(self, request: Request) -> Response:
        began = anyio.current_time()
        response = await self._backend.handle(request)
        if len(response.body) > request.max_body:
            raise BodyTooLargeError(
                f"The body is larger than {request.max_body} bytes",
                method=request.method,
                url=request.url,
                phase="body",
                maybe_sent=True,
            )
        elapsed = anyio.current_time() - began
        return attrs.evolve(response, elapsed=elapsed, source="local")

    def _check_usable(self, request: Request) -> None:
        if self._closed:
            raise _closed(request, maybe_sent=False)
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
        state = "closed" if self._closed else "open"
        return f"<InProcessTransport to {self._backend!r}, {state}>"


def _closed(request: Request, *, maybe_sent: bool) -> TransportClosedError:
    return TransportClosedError(
        "The in-process transport is closed: make a new client",
        method=request.method,
        url=request.url,
        phase="headers" if maybe_sent else "pool",
        maybe_sent=maybe_sent,
    )


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

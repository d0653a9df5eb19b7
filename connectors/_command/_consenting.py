"""A consent as a person at a terminal gives it, from the provider's page to the vault.

Three ways lead back, and whichever is taken first ends it: the browser comes to the port that is
listened on here; it comes to somebody else who serves the same vault, such as `connectors dev`; or
the person pastes the address at which the browser has ended. What became of it is read from the
vault in any case. Broken off, the consent is forgotten: nobody can complete it any more.
"""

import errno
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import attrs

from connectors._command._browser import open_page
from connectors._command._failures import Failure
from connectors._command._hidden_line import HiddenLines
from connectors._command._output import tell, waiting
from connectors.catalog import Integration
from connectors.local import ConnectionConfig, Owner, StoredConnection, Vault, VaultError, serve
from connectors.local._callback import CallbackPage
from connectors.local._connecting import Begun, ConnectingError, Consents
from connectors.local._oauth_records import UNFINISHED, ConsentStatus
from connectors.local._redirects import DEFAULT_PORT, listening_port, loopback_redirect
from connectors.local._refresh import ClientMissingError
from connectors.local._serving import Listener, listen
from transports import Secret, Transport

_HOST: Final = "127.0.0.1"
_LOOK_EVERY: Final = 0.25
_NOTHING: Final = Secret("")
# A code that has come back is exchanged before this ends, whoever wants it to end.
_GRACE: Final = 90.0
_PROMPT: Final = "Paste the address at which the browser ends (it is not shown), and press Enter:"
_NOBODY_CAME: Final = "Nobody has come back from the provider in ten minutes: begin again"
_GIVEN_UP: Final = "It was given up in the terminal: begin again"


@attrs.frozen
class Wish:
    """What is to be connected, and how."""

    owner: Owner
    integration: Integration
    scopes: tuple[str, ...]
    config: ConnectionConfig
    redirect_uri: str | None
    """Where this consent, or the client, comes back to; None for a port of this machine."""
    port: int | None
    """The port to listen on; None for that of the address, if it is one of this machine."""
    browser: bool
    """Open the page?"""
    paste: bool
    """Is the address pasted, and not listened for?"""


async def give_consent(
    path: Path, wish: Wish, catalog: Mapping[str, Integration]
) -> StoredConnection:
    """Connect an account.

    Raises:
        Failure: It was not connected.
        VaultError: The vault can't be used.

    Cancelled, it forgets the consent. A code that has come back is exchanged all the same.
    """
    async with Vault(path) as vault, _transport() as transport:
        consents = Consents(vault, transport, catalog=catalog, redirect_uri=wish.redirect_uri)
        # The consent is forgotten when nobody is served any more: a code that was just coming back
        # has been exchanged then.
        async with AsyncExitStack() as leaving, _listening(consents, wish) as port:
            comes_back = wish.redirect_uri or loopback_redirect(port or wish.port or DEFAULT_PORT)
            begun = await _begun(consents, wish, comes_back)
            leaving.push_async_callback(_forget, vault, begun)
            _show(begun, comes_back, browser=wish.browser)
            ended = await _ended(vault, consents, begun, listening=port is not None)
        return await _connected(vault, wish.owner, ended)


async def _forget(vault: Vault, begun: Begun) -> None:
    """Let nobody complete a consent any more; one that has ended stays as it is."""
    with anyio.CancelScope(shield=True):
        await vault.consent_rows.end(begun.state_hash, "failed", _GIVEN_UP, time.time())


async def _begun(consents: Consents, wish: Wish, comes_back: str) -> Begun:
    try:
        return await consents.begin(
            wish.owner,
            wish.integration.integration_type,
            scopes=wish.scopes,
            config=wish.config,
            redirect_uri=comes_back,
        )
    except (ConnectingError, ClientMissingError, ValueError) as error:
        raise Failure(f"{error}.") from error


@asynccontextmanager
async def _transport() -> AsyncIterator[Transport]:
    from transports.aiohttp import AiohttpTransport  # noqa: PLC0415 - heavy.

    transport = AiohttpTransport()
    try:
        yield transport
    finally:
        with anyio.CancelScope(shield=True):
            await transport.aclose()


@asynccontextmanager
async def _listening(consents: Consents, wish: Wish) -> AsyncIterator[int | None]:
    """The port that is listened on while the block runs; None when it is not this that listens."""
    listener = None if wish.paste else await _listener(wish)
    if listener is None:
        yield None
        return
    async with serve(
        CallbackPage(consents),
        listener=listener,
        callback_hosts=consents.callback_hosts,
        grace=_GRACE,
    ) as server:
        yield server.port


async def _listener(wish: Wish) -> Listener | None:
    usual = DEFAULT_PORT if wish.redirect_uri is None else listening_port(wish.redirect_uri)
    # Without a tunnel nobody comes here from an address of elsewhere.
    port = usual if wish.port is None else wish.port
    if port is None:
        return None
    try:
        return await listen(_HOST, port)
    except OSError as error:
        _tell_taken(error, port)
        return None


def _tell_taken(error: OSError, port: int) -> None:
    if error.errno != errno.EADDRINUSE:
        raise Failure(f"Can't listen on port {port}: {error.strerror or error}.") from error
    tell(
        f"Port {port} is taken. If that is a `connectors dev` of this vault, it completes the "
        "consent.\nOtherwise paste the address at which the browser ends, or take another --port."
    )


def _show(begun: Begun, comes_back: str, *, browser: bool) -> None:
    tell("Give your consent in the browser, at this address:")
    tell(begun.url.reveal())
    tell(f"It comes back to {comes_back}, which the provider has to know.")
    if browser:
        open_page(begun.url)


async def _ended(
    vault: Vault, consents: Consents, begun: Begun, *, listening: bool
) -> ConsentStatus | None:
    """How the consent has ended; None when nobody knows it any more."""
    if not listening:
        with HiddenLines(_PROMPT) as lines:
            return await _ended_or_pasted(vault, consents, begun, lines)
    with waiting("Waiting for your consent, ten minutes at most"):
        # It may be another process that ends it, and a file tells nobody that it has changed.
        while _is_open(status := await _status(vault, begun)):  # noqa: ASYNC110
            await anyio.sleep(_LOOK_EVERY)
    return status


async def _ended_or_pasted(
    vault: Vault, consents: Consents, begun: Begun, lines: HiddenLines
) -> ConsentStatus | None:
    while _is_open(status := await _status(vault, begun)):
        line: Secret | None = _NOTHING
        with anyio.move_on_after(_LOOK_EVERY):
            line = await lines.read()
        if line is None:
            raise Failure("No address was pasted: nothing was connected.")
        problem = await _pasted(consents, line) if line else None
        if problem is not None and _is_open(await _status(vault, begun)):
            tell(f"{problem}.\n{_PROMPT}")
    return status


def _is_open(status: ConsentStatus | None) -> bool:
    return status is not None and status.outcome in UNFINISHED


async def _status(vault: Vault, begun: Begun) -> ConsentStatus | None:
    return await vault.consent_rows.status(begun.state_hash, time.time())


async def _pasted(consents: Consents, address: Secret) -> str | None:
    """Complete a consent with an address; what is wrong with it, or None."""
    query = _query(address)
    if query is None:
        return "That is no address with a code: it has a '?' and what comes after it"
    failures: list[Exception] = []

    async def complete() -> None:
        try:
            await consents.complete(query)
        except (ConnectingError, VaultError) as error:
            failures.append(error)

    # In a task of its own, which the cancellation of this one does not reach.
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(complete)
    for failure in failures:
        if isinstance(failure, VaultError):
            raise failure
        return str(failure)
    return None


def _query(address: Secret) -> Secret | None:
    # Some providers add a fragment of their own.
    _, mark, query = address.reveal().partition("#")[0].partition("?")
    return Secret(query.strip()) if mark else None


async def _connected(vault: Vault, owner: Owner, ended: ConsentStatus | None) -> StoredConnection:
    if ended is None or ended.outcome != "active":
        raise Failure(f"Not connected. {(ended and ended.problem) or _NOBODY_CAME}.")
    connection = await vault.get(owner)
    if connection is None:
        raise Failure("It was connected, and somebody has disconnected it since.")
    return connection

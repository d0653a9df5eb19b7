"""Eight processes over one vault that hand out a connection's token and use it, again and again.

The provider is the certified one, with access tokens of three seconds, so that in a minute as much
happens to a connection as elsewhere in a day.
"""

import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import attrs

from connectors.local import Grant, Owner, Vault
from connectors.local._oauth_records import OAuthApp
from connectors.local._records import StoredConnection
from connectors.local._refresh import ReconnectRequiredError, RefreshPolicy, TokenKeeper
from tests.conformance.crew import MortalTransport, Point, Report, Trouble, arm, crew, victim_of
from tests.conformance.oidc import Fault, Log, Method, OidcProvider, oidc_provider
from tests.conformance.oidc_catalog import CALLBACK, catalog, consented, oauth_client
from tests.conformance.workers import GOOD, Turn
from transports import Request
from transports.aiohttp import AiohttpTransport

LIFETIME: Final = 3
"""Seconds that an access token lives."""

LATE: Final = "late"
"""What came of a turn when a token was good when it was handed out, and ended on its way."""

METHOD: Final[Method] = "client_secret_basic"
TYPE: Final = f"oidc_{METHOD}"
OWNER: Final = Owner.app("my-app", TYPE)


@attrs.frozen
class Stage:
    """What goes on, for who wants to interfere."""

    provider: OidcProvider
    folder: Path

    async def stopped(self) -> int:
        """Wait until a process has stopped or killed itself, and say which."""
        return await victim_of(self.folder)


Interference = Callable[[Stage], Awaitable[None]]


@attrs.frozen
class Ending:
    """How it ended."""

    reports: tuple[Report, ...]
    log: Log
    connection: StoredConnection
    """As the vault has it."""

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """The turns that did not go well, apart from those whose token ended on its way."""
        told = (trouble for report in self.reports for trouble in report.troubles)
        return tuple(trouble for trouble in told if trouble.outcome != LATE)

    @property
    def outcomes(self) -> set[str]:
        """What came of those."""
        return {trouble.outcome for trouble in self.troubles}

    @property
    def turns(self) -> Counter[str]:
        """How often what came of a turn, in all processes that lived to tell."""
        return sum((report.turns for report in self.reports), start=Counter())

    @property
    def codes(self) -> list[int]:
        """How the processes ended."""
        return sorted(report.code for report in self.reports)


async def play(
    folder: Path,
    *,
    seconds: float,
    pause: float = 0.2,
    faults: Sequence[Fault] = (),
    repeat: bool = False,
    point: Point | None = None,
    signal_number: int = signal.SIGKILL,
    policy: Mapping[str, float] | None = None,
    interfere: Interference | None = None,
) -> Ending:
    """Connect an account and let eight processes use it for so many seconds.

    What is to happen to them happens when they have all it takes to go on for a while.
    """
    await anyio.Path(folder).mkdir()
    async with (
        oidc_provider(access_tokens=LIFETIME, redirect_uris=[CALLBACK]) as provider,
        Vault(folder / "vault.db") as vault,
    ):
        await connect(provider, vault)
        arguments = {
            "issuer": provider.issuer,
            "folder": str(folder),
            "policy": policy or {},
            "point": point,
            "signal": signal_number,
        }
        async with crew(
            "tests.conformance.keeping:keeping", arguments, folder, seconds=seconds, pause=pause
        ) as members:
            await provider.refreshed(2)
            await provider.fail(*faults, repeat=repeat)
            arm(folder)
            if interfere is not None:
                await interfere(Stage(provider, folder))
            reports = await members.reports()
        connection = await vault.get(OWNER)
        assert connection is not None
        return Ending(reports, await provider.log(), connection)


async def connect(provider: OidcProvider, vault: Vault) -> None:
    """Put in an account whose owner has just given consent, and the client that asked for it."""
    await vault.apps.configure(OAuthApp(TYPE, oauth_client(METHOD, provider.secret)))
    tokens = await consented(provider, METHOD)
    await vault.put(
        OWNER,
        Grant(
            TYPE,
            tokens.access_token,
            refresh_token=tokens.refresh_token,
            obtained_at=tokens.obtained_at,
            expires_at=tokens.expires_at,
            raw=tokens.raw,
            source="oauth",
        ),
    )


@asynccontextmanager
async def keeping(arguments: Mapping[str, Any]) -> AsyncIterator[Turn]:
    """The work of one process: get the token, and see whether the provider's API takes it."""
    folder, issuer = Path(arguments["folder"]), arguments["issuer"]
    transport = MortalTransport(
        AiohttpTransport(),
        point=arguments["point"],
        signal_number=arguments["signal"],
        folder=folder,
    )
    async with aclosing(transport), Vault(folder / "vault.db", busy_timeout=60) as vault:
        policy = RefreshPolicy(**arguments["policy"])
        keeper = TokenKeeper(vault, transport, catalog=catalog(issuer), policy=policy)

        async def turn() -> str:
            try:
                connection = await keeper.connection(OWNER)
            except ReconnectRequiredError as error:
                return error.reason
            assert connection is not None
            assert connection.expires_at is not None
            was_good = time.time() < connection.expires_at
            outcome = await used(connection, issuer, transport)
            is_good = time.time() < connection.expires_at
            return LATE if outcome == "401" and was_good and not is_good else outcome

        async with aclosing(keeper):
            yield turn


async def used(connection: StoredConnection, issuer: str, transport: MortalTransport) -> str:
    assert connection.access_token is not None
    bearer = {"authorization": f"Bearer {connection.access_token.reveal()}"}
    answer = await transport.send(Request("GET", f"{issuer}/me", bearer))
    return GOOD if answer.status == 200 else str(answer.status)

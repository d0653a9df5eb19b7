"""Processes at once are what the tests say, and a provider ends the grant of those with no lock.

The work is the naive one: read the token, renew it when it is about to end, write it down. It shows
that what the refresh protocol is tested with would find it out.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import attrs
import pytest

from connectors.local._oauth import Tokens, refresh_request, refresh_result
from tests.conformance.crew import MortalTransport, Point, arm, crew, victim_of
from tests.conformance.oidc import Fault, OidcProvider, oidc_provider
from tests.conformance.oidc_catalog import CALLBACK, consented, integration, oauth_client
from tests.conformance.workers import GOOD, Turn
from transports import Request, Secret
from transports.aiohttp import AiohttpTransport

LIFETIME: Final = 2


@attrs.frozen
class Naive:
    """Keeps the tokens of a connection in a file, and thinks that it is alone."""

    issuer: str
    secret: str
    folder: Path
    transport: MortalTransport

    @property
    def file(self) -> Path:
        return self.folder / "tokens.json"

    def write(self, tokens: Tokens) -> None:
        assert tokens.refresh_token is not None
        told = [
            tokens.access_token.reveal(),
            tokens.refresh_token.reveal(),
            tokens.expires_at,
        ]
        draft = self.file.with_name(f"{os.getpid()}.draft")
        draft.write_text(json.dumps(told))
        draft.rename(self.file)

    async def turn(self) -> str:
        access, refresh, expires_at = json.loads(self.file.read_text())
        if expires_at - time.time() < LIFETIME / 2:
            sent_at = time.time()
            registered = integration(self.issuer, "client_secret_basic")
            response = await self.transport.send(
                refresh_request(
                    registered,
                    oauth_client("client_secret_basic", self.secret),
                    access_token=Secret(access),
                    refresh_token=Secret(refresh),
                    config={},
                )
            )
            result = refresh_result(registered, response, sent_at=sent_at)
            if not isinstance(result, Tokens):
                return result.kind
            self.write(result)
            access = result.access_token.reveal()
        answer = await self.transport.send(
            Request("GET", f"{self.issuer}/me", {"authorization": f"Bearer {access}"})
        )
        return GOOD if answer.status == 200 else str(answer.status)


@asynccontextmanager
async def naive(arguments: Mapping[str, Any]) -> AsyncIterator[Turn]:
    transport = MortalTransport(
        AiohttpTransport(),
        point=arguments.get("point"),
        signal_number=arguments.get("signal", 0),
        folder=Path(arguments["folder"]),
    )
    async with contextlib.aclosing(transport):
        worker = Naive(
            arguments["issuer"], arguments["secret"], Path(arguments["folder"]), transport
        )
        yield worker.turn


@pytest.fixture
async def provider() -> AsyncIterator[OidcProvider]:
    async with oidc_provider(access_tokens=LIFETIME, redirect_uris=[CALLBACK]) as running:
        yield running


@pytest.fixture
async def connected(provider: OidcProvider, tmp_path: Path) -> Mapping[str, Any]:
    """The arguments of the work, over the tokens of a connection."""
    unused = MortalTransport(AiohttpTransport(), point=None, signal_number=0, folder=tmp_path)
    tokens = await consented(provider, "client_secret_basic")
    Naive(provider.issuer, provider.secret, tmp_path, unused).write(tokens)
    return {
        "issuer": provider.issuer,
        "secret": provider.secret,
        "folder": str(tmp_path),
    }


WORK: Final = "tests.conformance.test_crew:naive"


async def test_one_process_alone_keeps_the_grant_alive(
    provider: OidcProvider, connected: Mapping[str, Any], tmp_path: Path
) -> None:
    async with crew(WORK, connected, tmp_path, workers=1, seconds=3.5) as alone:
        (report,) = await alone.reports()
    assert (report.code, report.troubles) == (0, ())
    assert set(report.turns) == {GOOD}
    log = await provider.log()
    assert (log.grants[-1].alive, log.reuses) == (True, 0)
    assert 2 <= len(log.refreshes) <= 4
    assert {call.pid for call in log.refreshes} == {report.pid}


async def test_eight_processes_without_a_lock_lose_the_grant(
    provider: OidcProvider, connected: Mapping[str, Any], tmp_path: Path
) -> None:
    # All of them are with the provider when the first answer comes.
    await provider.fail(*[Fault(delay_before=0.5)] * 8)
    async with crew(WORK, connected, tmp_path, seconds=3) as all_at_once:
        reports = await all_at_once.reports()
    assert {report.code for report in reports} == {0}
    assert len({report.pid for report in reports}) == 8
    assert any(report.turns["refused"] for report in reports)
    log = await provider.log()
    assert log.reuses
    assert not log.grants[-1].alive


@pytest.mark.parametrize("point", ["before_sending", "after_the_answer"])
async def test_a_process_dies_where_it_is_to(
    point: Point, provider: OidcProvider, connected: Mapping[str, Any], tmp_path: Path
) -> None:
    arguments = {**connected, "point": point, "signal": signal.SIGKILL}
    arm(tmp_path)
    async with crew(WORK, arguments, tmp_path, workers=2, seconds=1) as mortal:
        victim = await victim_of(tmp_path)
        codes = {report.pid: report.code for report in await mortal.reports()}
    assert codes.pop(victim) == -signal.SIGKILL
    assert set(codes.values()) == {0}
    assert len(codes) == 1


async def test_a_process_that_is_stopped_goes_on_when_it_is_waked(
    provider: OidcProvider, connected: Mapping[str, Any], tmp_path: Path
) -> None:
    arguments = {**connected, "point": "before_sending", "signal": signal.SIGSTOP}
    arm(tmp_path)
    async with crew(WORK, arguments, tmp_path, workers=1, seconds=1) as stopped:
        victim = await victim_of(tmp_path)
        with anyio.move_on_after(2):
            await stopped.reports()
            raise AssertionError("it has ended, and is stopped")
        os.kill(victim, signal.SIGCONT)
        (report,) = await stopped.reports()
    assert (report.pid, report.code, set(report.turns)) == (victim, 0, {GOOD})


async def test_no_process_is_left_when_the_test_is_over(
    connected: Mapping[str, Any], tmp_path: Path
) -> None:
    arguments = {**connected, "point": "before_sending", "signal": signal.SIGSTOP}
    arm(tmp_path)
    async with crew(WORK, arguments, tmp_path, workers=2, seconds=3600) as endless:
        await victim_of(tmp_path)
    for pid in endless.pids:
        with pytest.raises(ProcessLookupError):
            await gone(pid)


async def gone(pid: int) -> None:
    with anyio.fail_after(10):
        while True:
            os.kill(pid, 0)
            await anyio.sleep(0.02)

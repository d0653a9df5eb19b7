"""A token that is renewed only as long as it is good is never left until it has ended.

The facts are those of Instagram: no refresh token, sixty days, and the token itself is presented.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
import structlog

from connectors.catalog import integrations
from connectors.local._refresh import ReconnectRequiredError, TokenKeeper
from connectors.local._refresh._sweeper import Sweeper
from connectors.local._statuses import status
from tests.local.refresh.providers import ACCESS, Clock, World, settled, token, world
from tests.loops import REAL, on
from transports import Request, Response
from transports.mock import MockTransport, json_response

pytestmark = on(REAL)

DAY = 86_400.0
LIFETIME = 60 * DAY


@attrs.define
class Instagram:
    """Takes the newest token, from its second day to its last, and gives one for it."""

    clock: Clock
    token: str = ACCESS
    obtained_at: float = attrs.field(init=False)
    asked: int = 0

    def __attrs_post_init__(self) -> None:
        self.obtained_at = self.clock.now

    def __call__(self, request: Request) -> Response:
        self.asked += 1
        age = self.clock.now - self.obtained_at
        [presented] = parse_qs(urlsplit(request.url).query)["access_token"]
        if presented != self.token or not DAY <= age < LIFETIME:
            return json_response({"error": {"code": 190, "message": "no"}}, status=400)
        self.token, self.obtained_at = f"access-{self.asked}", self.clock.now
        return json_response({"access_token": self.token, "expires_in": int(LIFETIME)})


@asynccontextmanager
async def instagram(folder: Path) -> AsyncIterator[tuple[World, Instagram]]:
    facts = attrs.asdict(integrations()["instagram"].refresh, recurse=False)
    async with world(folder, **facts) as it:
        provider = Instagram(it.clock)
        here = MockTransport(provider)
        keeper = TokenKeeper(it.vault, here, catalog=it.catalog, clock=it.clock)
        await it.connect(refresh_token=None, expires_at=it.clock.now + LIFETIME)
        try:
            yield attrs.evolve(it, keeper=keeper), provider
        finally:
            await keeper.aclose()


def sweeper(it: World) -> Sweeper:
    return Sweeper(it.vault, it.keeper, it.catalog, it.clock)


async def test_used_once_a_day_it_lives_for_a_year(tmp_path: Path) -> None:
    async with instagram(tmp_path) as (it, provider):
        for _ in range(365):
            await it.get()
            await settled(it)
            it.clock.now += DAY
        assert token(await it.get()) == provider.token
        assert provider.asked == 52


@pytest.mark.parametrize(("days", "renewals"), [(1, 52), (50, 7)])
async def test_used_by_nobody_the_sweeper_alone_keeps_it_for_a_year(
    tmp_path: Path, days: int, renewals: int
) -> None:
    async with instagram(tmp_path) as (it, provider):
        for _ in range(0, 365, days):
            await sweeper(it).sweep()
            await sweeper(it).sweep()
            it.clock.now += days * DAY
        assert token(await it.get()) == provider.token
        assert provider.asked == renewals


async def test_one_that_has_ended_is_told_and_the_provider_is_not_asked(tmp_path: Path) -> None:
    async with instagram(tmp_path) as (it, provider):
        it.clock.now += LIFETIME
        row = await it.row()
        assert status(row, it.catalog, it.clock.now - 1) == "active"
        assert status(row, it.catalog, it.clock.now) == "expired"
        with pytest.raises(ReconnectRequiredError, match="has ended"):
            await it.get()
        with structlog.testing.capture_logs() as events:
            await sweeper(it).sweep()
        assert (provider.asked, events) == (0, [])
        assert (await it.row()).state == "active"

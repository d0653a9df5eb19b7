"""How long what the sandbox gives out is good, and how much of it is remembered."""

import pytest

from connectors.local._sandbox import SandboxProvider
from tests.local.sandbox.players import NOW, ORIGIN, Clock, player, told

DAY = 86400.0


@pytest.mark.parametrize(
    ("name", "days"),
    [("airtable", 60), ("microsoft_teams", 90), ("gmail", 180), ("github", 183)],
)
async def test_a_refresh_token_in_use_lives_on(name: str, days: int) -> None:
    client = player(name)
    await client.connect()
    for _ in range(3):
        client.clock.now += days * DAY - 1
        assert (await client.refresh()).status == 200
    client.clock.now += days * DAY
    assert told(await client.refresh())["error"] in client.integration.refresh.terminal_errors


@pytest.mark.parametrize(
    ("name", "path"),
    [("linkedin", "refresh_token_expires_in"), ("tiktok", "refresh_expires_in")],
)
async def test_an_absolute_end_comes_nearer(name: str, path: str) -> None:
    client = player(name)
    await client.connect()
    assert client.told[path] == 365 * DAY
    client.clock.now += 300 * DAY
    await client.refresh()
    assert client.told[path] == 65 * DAY
    client.clock.now += 65 * DAY
    assert told(await client.refresh())["error"] == "invalid_grant"


async def test_a_refresh_token_may_have_no_end() -> None:
    client = player("gitlab")
    await client.connect()
    client.clock.now += 3650 * DAY
    assert (await client.refresh()).status == 200


async def test_a_token_that_is_too_young_is_not_renewed() -> None:
    client = player("instagram", lifetime=3600)
    await client.connect()
    # A day of sixty is to an hour as 86,400 s are to 60 days.
    assert client.integration.refresh.min_age == 60
    client.clock.now += 59
    response = await client.refresh()
    assert (response.status, told(response)["error"]) == (400, "invalid_request")
    client.clock.now += 1
    assert (await client.refresh()).status == 200
    client.clock.now += 3600
    assert told(await client.refresh())["error"] == "invalid_grant"


async def test_a_token_with_too_little_life_left_is_refused() -> None:
    client = player("databricks", lifetime=3600)
    await client.connect()
    client.clock.now += 3600 - 41
    assert (await client.probe()).status == 200
    client.clock.now += 1
    assert (await client.probe()).status == 401


async def test_a_lifetime_of_its_own() -> None:
    client = player("gmail", lifetime=5.5)
    await client.connect()
    assert client.told["expires_in"] == 5
    client.clock.now = NOW + 5.4
    assert (await client.probe()).status == 200
    client.clock.now = NOW + 5.5
    assert (await client.probe()).status == 401


async def test_what_is_old_leaves_first() -> None:
    client = player("gmail", limit=2)
    await client.connect()
    old = client.values["access_token"]
    for count in (1, 2):
        await client.refresh()
        assert (await client.probe(old)).status == (200 if count == 1 else 401)
    assert (await client.probe()).status == 200


@pytest.mark.parametrize("lifetime", [0, 0.5, -1, float("nan"), float("inf")])
def test_a_lifetime_that_is_none_is_refused(lifetime: float) -> None:
    with pytest.raises(ValueError, match="lifetime must be a number of seconds from 1 on"):
        SandboxProvider(lifetime=lifetime)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="limit must be at least 1, not 0"):
        SandboxProvider(limit=0)


async def test_the_clock_of_the_machine_is_the_default() -> None:
    client = player("gmail", SandboxProvider())
    await client.connect()
    assert (await client.probe()).status == 200
    assert client.clock == Clock(NOW)
    assert client.integration.api.base_url == f"{ORIGIN}/gmail/api"

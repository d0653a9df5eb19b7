"""Every type can be connected, used, renewed and given back, each in its own way."""

import re

import pytest

from connectors.catalog import integrations
from connectors.local._sandbox import ACCOUNTS, LIFETIME
from tests.local.sandbox.players import NOW, ORIGIN, STATE, TYPES, at, player, told
from tests.loops import ASYNCIO_VIRTUAL, on

# Nothing in it waits, so one loop is as good as three.
pytestmark = on([ASYNCIO_VIRTUAL])

every_type = pytest.mark.parametrize("name", TYPES)
ROTATING = [n for n, i in integrations().items() if i.refresh.rotates in {"always", "sometimes"}]
RENEWABLE = [n for n, i in integrations().items() if i.refresh.call]
REVOCABLE = [n for n, i in integrations().items() if i.revocation]
KEPT = [n for n in RENEWABLE if n not in ROTATING]


async def test_all_types_are_played() -> None:
    assert len(TYPES) == 46
    assert len(RENEWABLE) == 44


@every_type
async def test_a_type_is_connected_and_its_token_works(name: str) -> None:
    client = player(name)
    callback = client.approve("ben")
    assert callback["state"] == STATE
    assert callback["iss"] == f"{ORIGIN}/{name}"
    for step in range(len(client.integration.token)):
        assert (await client.take(step)).status == 200
    response = await client.probe()
    data = told(response)
    assert response.status == 200
    assert at(data, "account.name") == "ben"
    assert data["integration_type"] == name
    success = client.integration.api.probe.call.success
    assert success is None or at(data, success.path) is success.equals


@every_type
async def test_an_answer_has_its_facts_where_the_catalogue_says(name: str) -> None:
    client = player(name)
    await client.connect()
    answer = client.integration.token[-1].answer
    facts = at(client.told, answer.wrapped_in) or client.told
    assert at(facts, answer.expires_in) == (60 if answer.expires_in else None)
    assert at(facts, answer.expires_at) == ("2027-01-15T08:01:00Z" if answer.expires_at else None)
    lifetime = client.integration.refresh.refresh_token_lifetime
    assert at(facts, answer.refresh_expires_in) == (answer.refresh_expires_in and lifetime)
    assert (at(facts, answer.refresh_token) is None) == (answer.refresh_token is None)
    asked = client.values.get("scope")
    granted = at(facts, answer.scope)
    assert granted == (answer.scope and asked and asked.replace("+", " "))
    success = client.integration.token[-1].call.success
    assert success is None or at(client.told, success.path) is success.equals


@every_type
async def test_captured_values_pass_the_checks_of_the_catalogue(name: str) -> None:
    captured = []
    for account in ACCOUNTS:
        client = player(name)
        await client.connect(account.name)
        names = [capture.name for capture in client.integration.captures]
        captured.append({name: client.values[name] for name in names})
    for field in client.integration.connection_config:
        for values in captured:
            if field.name in values:
                assert re.fullmatch(field.validation_pattern, values[field.name], re.ASCII)
    told = [tuple(values.items()) for values in captured if any(map(_varies, values.values()))]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("name", RENEWABLE)
async def test_a_token_ends_and_is_renewed(name: str) -> None:
    client = player(name)
    await client.connect()
    client.clock.now += LIFETIME - 0.1
    assert (await client.probe()).status == 200
    assert (await client.refresh()).status == 200
    client.clock.now = NOW + LIFETIME
    assert (await client.probe()).status == 200
    client.clock.now += LIFETIME
    late = await client.probe()
    assert late.status == 401
    assert late.headers["www-authenticate"] == 'Bearer realm="sandbox", error="invalid_token"'
    assert client.provider.stats_of(name).refreshes == 1


@pytest.mark.parametrize("name", sorted(set(TYPES) - set(RENEWABLE)))
async def test_a_token_that_cant_be_renewed_has_no_end(name: str) -> None:
    client = player(name)
    await client.connect()
    client.clock.now += 10 * 365 * 86400
    assert (await client.probe()).status == 200


@pytest.mark.parametrize("name", ROTATING)
async def test_who_shows_a_replaced_refresh_token_ends_the_grant(name: str) -> None:
    client = player(name)
    await client.connect()
    old = client.values["refresh_token"]
    assert (await client.refresh()).status == 200
    newer = client.values["refresh_token"]
    assert newer != old
    client.values["refresh_token"] = old
    assert refused(client.integration.refresh.terminal_errors, told(await client.refresh()))
    client.values["refresh_token"] = newer
    assert refused(client.integration.refresh.terminal_errors, told(await client.refresh()))
    assert (await client.probe()).status == 401
    assert client.provider.stats.reuses == 1
    assert client.provider.stats.refusals == 2


@pytest.mark.parametrize("name", KEPT)
async def test_what_does_not_rotate_is_good_again_and_again(name: str) -> None:
    client = player(name)
    await client.connect()
    first = client.values.get("refresh_token")
    for _ in range(3):
        client.clock.now += LIFETIME / 2
        assert (await client.refresh()).status == 200
        assert (await client.probe()).status == 200
    assert client.values.get("refresh_token") == first
    assert client.provider.stats.reuses == 0


@pytest.mark.parametrize("name", REVOCABLE)
async def test_a_token_is_given_back(name: str) -> None:
    client = player(name)
    await client.connect()
    response = await client.revoke()
    call = client.integration.revocation
    assert call is not None
    assert response.status == 200
    assert call.success is None or at(told(response), call.success.path) is call.success.equals
    assert (await client.probe()).status == 401
    assert refused(client.integration.refresh.terminal_errors, told(await client.refresh()))
    assert client.provider.stats.revocations == 1


def _varies(value: str) -> bool:
    """An address of the sandbox, or a host of the provider, is everybody's."""
    return "://" not in value and not value.endswith(".com")


def refused(codes: tuple[str, ...], data: dict[str, object]) -> bool:
    return data["error"] in codes

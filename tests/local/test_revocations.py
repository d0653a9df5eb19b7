"""What a provider has to be told is kept from the moment that a connection ends until it was."""

from pathlib import Path
from typing import Final

import attrs
import pytest

from connectors.local._errors import VaultDamagedError
from connectors.local._oauth_records import Revocation
from connectors.local._records import Owner
from connectors.local._vault import Vault
from tests.local.steps import ACCESS, PLANTED, REFRESH, VALUE, consented, due, tokens
from tests.local.vaults import KEY, OTHER_KEY, OWNER, database, everything_in, grant, token
from tests.loops import REAL, on
from transports import Secret

pytestmark = on(REAL)

FAR: Final = 4e9
JO, KIM = Owner.app_user("app-1", "c", "jo"), Owner.app_user("app-1", "c", "kim")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "vault.db"


async def only(vault: Vault) -> Revocation:
    (job,) = await due(vault)
    return job


async def test_a_consent_that_is_ended_is_left_to_be_revoked(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        await vault.disconnect(OWNER)
        job = await only(vault)
    async with Vault(path) as again:
        assert await only(again) == job
    assert (job.app_id, job.connection_id, job.integration_type) == ("app-1", put.id, "slack")
    assert job.access_token == Secret(f"{ACCESS}-1")
    assert job.refresh_token == Secret(f"{REFRESH}-1")
    assert job.config == {"team": VALUE}
    assert (job.attempts, job.last_error) == (0, None)
    # At once, whatever a clock says.
    assert job.next_attempt_at == 0.0
    assert job.created_at > put.created_at


async def test_without_a_refresh_token_and_values_the_access_token_is_revoked(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, consented(refresh_token=None, connection_config=None))
        await vault.disconnect(OWNER)
        job = await only(vault)
    assert (job.refresh_token, job.config) == (None, None)


async def test_what_somebody_put_in_by_hand_is_not_revoked(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, grant(refresh_token="r"))
        await vault.disconnect(OWNER)
        assert await vault.revocations.due(FAR) == {}


async def test_what_has_failed_has_nothing_to_be_revoked(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        await vault.refreshes.fail(put, "invalid_grant", "invalid_grant")
        assert await vault.disconnect(OWNER)
        assert await vault.revocations.due(FAR) == {}


async def test_a_chain_that_others_use_is_not_revoked(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(JO, consented(lock_key="chain"))
        await vault.put(KIM, consented(lock_key="chain"))
        await vault.disconnect(JO)
        assert await vault.revocations.due(FAR) == {}
        await vault.disconnect(KIM)
        assert (await only(vault)).access_token == Secret(f"{ACCESS}-1")


async def test_a_damaged_connection_is_erased_all_the_same(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, consented())
        with database(path) as other:
            other.execute("UPDATE connections SET refresh_ct = access_ct")
        assert await vault.disconnect(OWNER)
        assert await vault.get(OWNER) is None
        assert await vault.revocations.due(FAR) == {}


async def test_tokens_that_came_for_what_is_gone_are_revoked(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        await vault.disconnect(OWNER)
        await vault.revocations.done((await only(vault)).id)
        assert await vault.refreshes.renew(put, tokens(captured={"host": "h"})) is None
        await vault.revocations.add(put, tokens(captured={"host": "h"}))
        job = await only(vault)
    assert job.access_token == Secret(f"{ACCESS}-2")
    assert job.refresh_token == Secret(f"{REFRESH}-2")
    assert job.config == {"team": VALUE, "host": "h"}


async def test_tokens_that_came_for_what_is_gone_go_to_the_others_of_its_chain(path: Path) -> None:
    async with Vault(path) as vault:
        jo = await vault.put(JO, consented(lock_key="chain"))
        await vault.put(KIM, consented(lock_key="chain"))
        await vault.disconnect(JO)
        await vault.revocations.add(jo, tokens())
        hers = await vault.get(KIM)
        assert await vault.revocations.due(FAR) == {}
        assert await vault.get(JO) is None
    assert token(hers) == f"{ACCESS}-2"


async def test_the_longest_due_comes_first(path: Path) -> None:
    async with Vault(path) as vault:
        for number in range(4):
            await vault.put(OWNER, consented(number))
            await vault.disconnect(OWNER)
        jobs = await due(vault)
        assert [job.access_token.reveal()[-1] for job in jobs] == list("0123")
        for job, at in zip(jobs, (9.0, 8.0, 7.0, 6.0), strict=True):
            await vault.revocations.postpone(job.id, at, "ConnectError")
        assert [job.next_attempt_at for job in await due(vault, 8.0)] == [6.0, 7.0, 8.0]
        assert await vault.revocations.due(5.9) == {}


async def test_a_provider_that_can_not_be_told_is_told_later(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, consented())
        await vault.disconnect(OWNER)
        job = await only(vault)
        assert await vault.revocations.postpone(job.id, FAR, "ConnectError")
        assert await vault.revocations.due(FAR - 1) == {}
        assert await only(vault) == attrs.evolve(
            job, attempts=1, next_attempt_at=FAR, last_error="ConnectError"
        )


async def test_what_the_provider_knows_is_erased(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, consented())
        await vault.disconnect(OWNER)
        job = await only(vault)
        with database(path) as other:
            (sealed,) = other.execute("SELECT access_ct, refresh_ct, config_ct FROM revocations")
        assert await vault.revocations.done(job.id)
        assert not await vault.revocations.done(job.id)
        assert await vault.revocations.get(job.id) is None
        assert not await vault.revocations.postpone(job.id, FAR, "ConnectError")
        assert await vault.revocations.due(FAR) == {}
        left = everything_in(path.parent)
    assert not any(value.encode() in left for value in sealed)


SWAPS: Final = {
    "another field": "UPDATE revocations SET refresh_ct = access_ct",
    "another type": "UPDATE revocations SET integration_type = 'gmail'",
    "another connection": "UPDATE revocations SET connection_id = 'x'",
    "another app": "UPDATE revocations SET app_id = 'app-2'",
    "another name": "UPDATE revocations SET id = 'x'",
    "a damaged row": "UPDATE revocations SET created_at = 'now'",
}


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
async def test_a_revocation_that_was_edited_is_refused(path: Path, swap: str) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, consented())
        await vault.disconnect(OWNER)
        with database(path) as other:
            other.execute(swap)
        with pytest.raises(VaultDamagedError, match="of revocation"):
            await due(vault)


async def test_a_revocations_secrets_are_in_no_file_and_no_repr(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, consented())
        await vault.disconnect(OWNER)
        shown = repr(await only(vault))
        left = everything_in(path.parent)
    for planted in PLANTED:
        assert planted not in shown
        assert planted.encode() not in left


async def test_a_revocation_is_resealed(path: Path) -> None:
    async with Vault(path, key=KEY) as vault:
        await vault.put(OWNER, consented())
        await vault.disconnect(OWNER)
        job = await only(vault)
    async with Vault(path, key=f"{OTHER_KEY},{KEY}") as vault:
        await vault.reseal()
    async with Vault(path, key=OTHER_KEY) as vault:
        assert await only(vault) == job


async def test_what_is_no_time_and_no_text_is_refused(path: Path) -> None:
    async with Vault(path) as vault:
        with pytest.raises(ValueError, match="now must be"):
            await vault.revocations.due(float("nan"))
        with pytest.raises(ValueError, match="at must be"):
            await vault.revocations.postpone("x", float("nan"), "ConnectError")
        with pytest.raises(ValueError, match="last_error"):
            await vault.revocations.postpone("x", 1.0, "")

"""A consent is for one use, for ten minutes, and for the connection that it was begun for."""

import hashlib
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from connectors.local._consent_rows import LIFETIME
from connectors.local._errors import VaultDamagedError
from connectors.local._oauth_records import Consent
from connectors.local._records import Grant, Owner
from connectors.local._vault import Vault
from tests.local.vaults import (
    CONFIG_VALUE,
    KEY,
    OTHER_KEY,
    OWNER,
    database,
    everything_in,
    printed_with_locals,
)
from tests.loops import REAL, on
from transports import Secret

pytestmark = on(REAL)

STATE: Final = Secret("planted-state-0a11")
OTHER_STATE: Final = Secret("planted-state-0b22")
VERIFIER: Final = Secret("planted-verifier-4477")
CONFIG: Final = {"tenant": CONFIG_VALUE}
PLANTED: Final = ("planted-state-0a11", "planted-verifier-4477", CONFIG_VALUE)
NOW: Final = 1000.0
KNOWN: Final = {
    "verifier": VERIFIER,
    "redirect_uri": "http://localhost:8044/oauth/callback",
    "scopes": ["read"],
    "config": CONFIG,
}
JO, KIM = Owner.app_user("app-1", "c", "jo"), Owner.app_user("app-1", "c", "kim")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "vault.db"


async def begun(
    vault: Vault, owner: Owner = OWNER, state: Secret = STATE, now: float = NOW, **values: Any
) -> Consent:
    known = {
        "verifier": VERIFIER,
        "redirect_uri": "http://localhost:8044/oauth/callback",
        "scopes": ["read"],
        "config": CONFIG,
    }
    return await vault.consent_rows.begin(
        owner, "slack", state=state, now=now, **{**known, **values}
    )


async def test_a_consent_comes_back_for_its_state(path: Path) -> None:
    async with Vault(path) as vault:
        consent = await begun(vault)
        status = await vault.consent_rows.status(consent.state_hash, NOW)
    async with Vault(path) as again:
        assert await again.consent_rows.take(STATE, NOW + LIFETIME - 1) == consent
    assert consent.state_hash == hashlib.sha256(STATE.reveal().encode()).hexdigest()
    assert (consent.owner, consent.integration_type, consent.scopes) == (OWNER, "slack", ("read",))
    assert (consent.verifier, consent.config) == (VERIFIER, CONFIG)
    assert (consent.created_at, consent.expires_at, consent.ended_at) == (NOW, NOW + 600, None)
    assert status is not None
    for field in attrs.fields(type(status)):
        assert getattr(status, field.name) == getattr(consent, field.name)


async def test_a_consent_without_values_has_none(path: Path) -> None:
    async with Vault(path) as vault:
        consent = await begun(vault, config=None, scopes=())
        assert await vault.consent_rows.take(STATE, NOW) == consent
    assert (consent.config, consent.scopes) == ({}, ())


async def test_a_state_is_good_once(path: Path) -> None:
    async with Vault(path) as vault:
        consent = await begun(vault)
        assert isinstance(await vault.consent_rows.take(STATE, NOW), Consent)
        assert await vault.consent_rows.take(STATE, NOW) == "used"
        await vault.consent_rows.end(consent.state_hash, "active", None, NOW)
        assert await vault.consent_rows.take(STATE, NOW) == "used"


async def test_a_state_that_nobody_has_sent_away_is_unknown(path: Path) -> None:
    async with Vault(path) as vault:
        await begun(vault)
        assert await vault.consent_rows.take(OTHER_STATE, NOW) == "unknown"
        assert await vault.consent_rows.take(Secret("\ud800"), NOW) == "unknown"
    async with Vault(path.with_name("other.db")) as other:
        assert await other.consent_rows.take(STATE, NOW) == "unknown"


async def test_a_state_is_good_for_ten_minutes(path: Path) -> None:
    async with Vault(path) as vault:
        consent = await begun(vault)
        for _ in range(2):
            assert await vault.consent_rows.take(STATE, NOW + LIFETIME) == "expired"
        status = await vault.consent_rows.status(consent.state_hash, NOW + LIFETIME)
    assert status is not None
    assert status.outcome == "expired"


async def test_taking_a_consent_erases_what_is_secret_of_it(path: Path) -> None:
    async with Vault(path) as vault:
        await begun(vault)
        with database(path) as other:
            (sealed,) = other.execute("SELECT verifier_ct, config_ct FROM consents").fetchall()
        await vault.consent_rows.take(STATE, NOW)
        left = everything_in(path.parent)
    assert not any(value.encode() in left for value in sealed)


async def test_ending_a_consent_before_it_was_taken_erases_it_too(path: Path) -> None:
    async with Vault(path) as vault:
        consent = await begun(vault)
        with database(path) as other:
            (sealed,) = other.execute("SELECT verifier_ct, config_ct FROM consents").fetchall()
        assert await vault.consent_rows.end(consent.state_hash, "denied", "access_denied", NOW)
        left = everything_in(path.parent)
    assert not any(value.encode() in left for value in sealed)


@pytest.mark.parametrize(
    ("outcome", "problem"), [("active", None), ("denied", "access_denied"), ("failed", "no code")]
)
async def test_how_it_ended_is_there_for_whoever_waits(
    path: Path, outcome: Any, problem: str | None
) -> None:
    async with Vault(path) as vault:
        consent = await begun(vault)
        await vault.consent_rows.take(STATE, NOW + 1)
        taken = await vault.consent_rows.status(consent.state_hash, NOW + 1)
        assert await vault.consent_rows.end(consent.state_hash, outcome, problem, NOW + 2)
        assert not await vault.consent_rows.end(consent.state_hash, "failed", "later", NOW + 3)
        status = await vault.consent_rows.status(consent.state_hash, NOW + 9999)
        assert await vault.consent_rows.latest(consent.connection_id, NOW) == status
    assert taken is not None
    assert taken.outcome == "taken"
    assert status is not None
    assert (status.outcome, status.problem, status.ended_at) == (outcome, problem, NOW + 2)


async def test_what_nobody_knows_does_not_end(path: Path) -> None:
    async with Vault(path) as vault:
        assert not await vault.consent_rows.end("unknown", "active", None, NOW)
        assert await vault.consent_rows.status("unknown", NOW) is None
        assert await vault.consent_rows.latest("unknown", NOW) is None


async def test_a_consent_that_was_taken_by_somebody_who_died_expires(path: Path) -> None:
    async with Vault(path) as vault:
        consent = await begun(vault)
        await vault.consent_rows.take(STATE, NOW)
        status = await vault.consent_rows.status(consent.state_hash, NOW + LIFETIME)
    assert status is not None
    assert status.outcome == "expired"


async def test_all_consents_of_an_owner_are_for_one_connection(path: Path) -> None:
    async with Vault(path) as vault:
        first = await begun(vault, JO)
        second = await begun(vault, JO, OTHER_STATE, NOW + 1)
        other = await begun(vault, KIM, Secret("third"))
        assert first.connection_id == second.connection_id != other.connection_id
        latest = await vault.consent_rows.latest(first.connection_id, NOW + 1)
        assert latest is not None
        assert latest.state_hash == second.state_hash
        put = await vault.complete(first, Grant("slack", "t"), NOW)
        assert put.id == first.connection_id
        await vault.disconnect(JO)
        assert (await begun(vault, JO, Secret("fourth"))).connection_id == put.id


async def test_a_consent_for_a_connection_that_there_is_keeps_its_id(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, Grant("slack", "t"))
        assert (await begun(vault)).connection_id == put.id


async def test_what_ended_is_forgotten_ten_minutes_later(path: Path) -> None:
    async with Vault(path) as vault:
        ended = await begun(vault, now=NOW)
        await vault.consent_rows.end(ended.state_hash, "denied", "access_denied", NOW + 10)
        pending = await begun(vault, state=OTHER_STATE, now=NOW)
        assert await vault.consent_rows.forget(NOW + 610) == 0
        assert await vault.consent_rows.forget(NOW + 611) == 1
        assert await vault.consent_rows.status(ended.state_hash, NOW) is None
        assert await vault.consent_rows.forget(NOW + LIFETIME + 600) == 0
        await begun(vault, state=Secret("third"), now=NOW + LIFETIME + 601)
        assert await vault.consent_rows.status(pending.state_hash, NOW) is None
        with database(path) as other:
            assert other.execute("SELECT count(*) FROM consents").fetchone() == (1,)


SWAPS: Final = {
    "another owner": "UPDATE consents SET user = 'kim'",
    "another connection": "UPDATE consents SET connection_id = 'x'",
    "another type": "UPDATE consents SET integration_type = 'gmail'",
    "another address": "UPDATE consents SET redirect_uri = 'https://evil.example'",
    "more scopes": "UPDATE consents SET scopes = '[\"admin\"]'",
    "more time": "UPDATE consents SET expires_at = 5000.0",
    "another field": "UPDATE consents SET config_ct = verifier_ct",
}


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
async def test_a_consent_that_was_edited_is_refused_and_not_used_up(path: Path, swap: str) -> None:
    async with Vault(path) as vault:
        await begun(vault, JO)
        with database(path) as other:
            other.execute(swap)
        for _ in range(2):
            with pytest.raises(VaultDamagedError, match="of consent") as caught:
                await vault.consent_rows.take(STATE, NOW)
    for planted in PLANTED:
        assert planted not in printed_with_locals(caught.value)


async def test_a_damaged_row_is_told(path: Path) -> None:
    async with Vault(path) as vault:
        consent = await begun(vault)
        with database(path) as other:
            other.execute("UPDATE consents SET created_at = 'now'")
        with pytest.raises(VaultDamagedError, match="damaged"):
            await vault.consent_rows.status(consent.state_hash, NOW)


async def test_a_consents_secrets_are_in_no_file_and_no_repr(path: Path) -> None:
    async with Vault(path) as vault:
        consent = await begun(vault)
        left = everything_in(path.parent)
    for planted in PLANTED:
        assert planted not in repr(consent)
        assert planted.encode() not in left


async def test_a_consent_that_cannot_be_is_refused(path: Path) -> None:
    async with Vault(path) as vault:
        with pytest.raises(ValueError, match="'slack', its owner for 'gmail'"):
            await begun(vault, Owner.app("app-1", "gmail"))
        for values in (
            {"config": [CONFIG_VALUE]},
            {"scopes": "read"},
            {"redirect_uri": ""},
            {"now": float("nan")},
        ):
            given: dict[str, Any] = {"now": NOW, **KNOWN, **values}
            with pytest.raises((TypeError, ValueError)) as caught:
                await vault.consent_rows.begin(OWNER, "slack", state=STATE, **given)
            printed = printed_with_locals(caught.value)
            assert not any(planted in printed for planted in PLANTED)
        consent = await begun(vault)
        with pytest.raises(ValueError, match="outcome must be one of active, denied"):
            await vault.consent_rows.end(consent.state_hash, "lost", None, NOW)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="problem"):
            await vault.consent_rows.end(consent.state_hash, "failed", "", NOW)
        for use in (
            vault.consent_rows.take(STATE, float("inf")),
            vault.consent_rows.end(consent.state_hash, "active", None, float("inf")),
            vault.consent_rows.status(consent.state_hash, float("inf")),
            vault.consent_rows.latest(consent.connection_id, float("inf")),
            vault.consent_rows.forget(float("inf")),
        ):
            with pytest.raises(ValueError, match="now must be Unix seconds"):
                await use


async def test_a_consent_is_resealed(path: Path) -> None:
    async with Vault(path, key=KEY) as vault:
        consent = await begun(vault)
        await begun(vault, state=OTHER_STATE)
        await vault.consent_rows.take(OTHER_STATE, NOW)
    async with Vault(path, key=f"{OTHER_KEY},{KEY}") as vault:
        told: list[int] = []
        await vault.reseal(lambda _, total: told.append(total))
    assert told == [1]
    async with Vault(path, key=OTHER_KEY) as vault:
        assert await vault.consent_rows.take(STATE, NOW) == consent

"""Each step of a refresh is done once, by whoever saw the row as it is, or changes nothing."""

from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from connectors.local._errors import VaultDamagedError
from connectors.local._records import Grant, GrantedTo, Owner, Presented, StoredConnection
from connectors.local._vault import Vault
from tests.local.steps import (
    ACCESS,
    PLANTED,
    RAW,
    REFRESH,
    SENT,
    STEPS,
    VALUE,
    Step,
    consented,
    disconnect,
    fail,
    postpone,
    reconnect,
    renew,
    tokens,
)
from tests.local.vaults import OWNER, database, everything_in, token
from tests.loops import REAL, on
from transports import Secret

pytestmark = on(REAL)

JO, KIM = Owner.app_user("app-1", "c", "jo"), Owner.app_user("app-1", "c", "kim")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "vault.db"


async def found(vault: Vault, owner: Owner = OWNER) -> StoredConnection:
    connection = await vault.get(owner)
    assert connection is not None
    return connection


async def test_a_consented_connection_comes_back_as_it_was_put(path: Path) -> None:
    async with Vault(path) as vault:
        client = GrantedTo("client-1", "http://localhost:8044/oauth/callback")
        put = await vault.put(OWNER, consented(lock_key="chain", client=client))
        (listed,) = await vault.list("app-1")
    async with Vault(path) as again:
        assert await again.get(OWNER) == await again.find(put.id) == put
    assert (put.lock_key, put.source, put.client) == ("chain", "oauth", client)
    assert put.refresh_token == Secret(f"{REFRESH}-1")
    assert put.raw == Secret(RAW)
    assert (put.obtained_at, put.expires_at, put.refresh_expires_at) == (1000.0, 4600.0, 9000.0)
    assert (put.presented, put.failures, put.strikes, put.verify) == (None, 0, 0, False)
    for field in attrs.fields(type(listed)):
        assert getattr(listed, field.name) == getattr(put, field.name)
    assert listed.has_refresh_token
    assert not any(planted in repr((put, listed, consented())) for planted in PLANTED)


async def test_a_connection_without_a_chain_has_one_of_its_own(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented(refresh_token=None, raw=None))
        (listed,) = await vault.list("app-1")
        assert await vault.get(OWNER) == put
    assert put.lock_key == put.id
    assert not listed.has_refresh_token


async def test_nothing_is_found_by_the_id_of_what_is_not_there(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        assert await vault.find("unknown") is None
        await vault.disconnect(OWNER)
        assert await vault.find(put.id) is None
        with pytest.raises(ValueError, match="connection_id"):
            await vault.find("")


@pytest.mark.parametrize("ending", ["failed", "active"])
async def test_reconnecting_keeps_the_id_and_the_configuration(path: Path, ending: str) -> None:
    async with Vault(path) as vault:
        first = await vault.put(OWNER, consented())
        await vault.refreshes.present(first, SENT)
        if ending == "failed":
            await vault.refreshes.fail(first, "invalid_grant", "invalid_grant")
        again = await vault.put(OWNER, consented(2, connection_config=None))
        assert await vault.get(OWNER) == again
    assert again.id == first.id
    assert again.connection_config == {"team": VALUE}
    assert (again.state, again.reason, again.presented, again.last_error) == ("active",) + (
        None,
    ) * 3


@pytest.mark.parametrize(
    ("grant", "config"),
    [
        (consented(connection_config={"team": "other"}), {"team": "other"}),
        (consented(source="manual", connection_config=None), None),
        (Grant("gmail", "t", source="oauth"), None),
    ],
    ids=["a new one", "put by hand", "another type"],
)
async def test_the_configuration_is_replaced_by(
    path: Path, grant: Grant, config: dict[str, str] | None
) -> None:
    async with Vault(path) as vault:
        await vault.put(JO, consented())
        assert (await vault.put(JO, grant)).connection_config == config


async def test_a_disconnected_connection_comes_back_without_its_configuration(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(OWNER, consented())
        await vault.disconnect(OWNER)
        assert (await vault.put(OWNER, consented(connection_config=None))).connection_config is None


async def test_presenting_leaves_a_mark_and_the_tokens_as_they_were(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        assert await vault.refreshes.present(put, SENT)
        marked = await found(vault)
        assert marked == attrs.evolve(put, presented=SENT)
        again = attrs.evolve(SENT, at=2000.0, silences=2, attempt_id="attempt-2")
        assert not await vault.refreshes.present(put, again)
        assert await vault.refreshes.present(marked, again)
        assert (await found(vault)).presented == again


async def test_renewed_tokens_take_the_place_of_the_old_ones(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        await vault.refreshes.present(put, SENT)
        await vault.refreshes.force(put, 4000.0)
        await vault.refreshes.postpone(
            put, marker=SENT, failures=3, next_attempt_at=5.0, last_error="busy", strike_at=1.0
        )
        renewed = await vault.refreshes.renew(
            put, tokens(scopes=("write",), refresh_expires_at=10.0, captured={"host": "h"})
        )
        assert renewed == await vault.get(OWNER)
    assert renewed is not None
    assert (token(renewed), renewed.refresh_token) == (f"{ACCESS}-2", Secret(f"{REFRESH}-2"))
    assert (renewed.generation, renewed.state) == (2, "active")
    assert (renewed.obtained_at, renewed.expires_at) == (5000.0, 8600.0)
    assert (renewed.refresh_expires_at, renewed.scopes) == (10.0, ("write",))
    assert renewed.asked == put.asked
    assert renewed.connection_config == {"team": VALUE, "host": "h"}
    assert (renewed.presented, renewed.failures, renewed.next_attempt_at) == (None, 0, None)
    assert (renewed.last_error, renewed.strikes, renewed.forced_at) == (None, 0, 4000.0)
    assert renewed.updated_at > put.updated_at


async def test_what_the_answer_does_not_say_stays(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        renewed = await vault.refreshes.renew(put, tokens(refresh_token=None, expires_at=None))
        assert renewed is not None
        assert (renewed.refresh_token, renewed.refresh_expires_at) == (put.refresh_token, 9000.0)
        assert (renewed.scopes, renewed.connection_config) == (("read",), put.connection_config)
        assert renewed.expires_at is None


async def test_tokens_without_a_refresh_token_or_a_configuration_can_be_renewed(
    path: Path,
) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented(refresh_token=None, connection_config=None))
        renewed = await vault.refreshes.renew(put, tokens(refresh_token=None))
    assert renewed is not None
    assert (renewed.has_refresh_token, renewed.connection_config) == (False, None)


async def test_a_failed_attempt_is_remembered_with_what_is_known_of_it(path: Path) -> None:
    ambiguous = attrs.evolve(SENT, outcome="ambiguous")
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        await vault.refreshes.present(put, SENT)
        assert await vault.refreshes.postpone(
            put,
            marker=ambiguous,
            failures=1,
            next_attempt_at=2000.0,
            last_error="status 502",
            strike_at=1500.0,
        )
        first = await found(vault)
        assert await vault.refreshes.postpone(
            first, marker=None, failures=2, next_attempt_at=None, last_error="busy", strike_at=9.0
        )
        second = await found(vault)
        assert await vault.refreshes.postpone(
            second, marker=None, failures=3, next_attempt_at=3000.0, last_error="busy"
        )
        third = await found(vault)
    assert (first.presented, first.failures, first.next_attempt_at) == (ambiguous, 1, 2000.0)
    assert (first.last_error, first.strikes, first.first_strike_at) == ("status 502", 1, 1500.0)
    assert (second.presented, second.next_attempt_at) == (None, None)
    assert (second.strikes, second.first_strike_at) == (2, 1500.0)
    assert (third.strikes, third.first_strike_at) == (2, 1500.0)
    assert token(third) == token(put)
    assert (third.generation, third.updated_at) == (put.generation, put.updated_at)


async def test_failing_erases_the_tokens_from_the_files_and_keeps_the_configuration(
    path: Path,
) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        await vault.refreshes.present(put, SENT)
        sealed = sealed_values(path)
        assert await vault.refreshes.fail(put, "refresh_outcome_lost", "invalid_grant")
        failed = await found(vault)
        left = everything_in(path.parent)
    assert len(sealed) == 4
    assert not any(value in left for value in sealed)
    assert (failed.state, failed.reason) == ("refresh_failed", "refresh_outcome_lost")
    assert (failed.access_token, failed.refresh_token, failed.raw) == (None, None, None)
    assert (failed.presented, failed.last_error) == (None, "invalid_grant")
    assert (failed.expires_at, failed.has_refresh_token) == (None, False)
    assert failed.connection_config == put.connection_config
    assert (failed.generation, failed.id) == (2, put.id)


def sealed_values(path: Path) -> list[bytes]:
    with database(path) as other:
        rows = other.execute("SELECT access_ct, refresh_ct, raw_ct, config_ct FROM connections")
        return [value.encode() for row in rows for value in row]


async def test_disconnecting_erases_all_of_a_consented_connection(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented(lock_key="key-of-a-chain"))
        await vault.refreshes.present(put, SENT)
        sealed = sealed_values(path)
        assert await vault.disconnect(OWNER)
        assert await vault.get(OWNER) is None
        (listed,) = await vault.list("app-1")
        left = everything_in(path.parent)
    assert not any(value in left for value in (*sealed, b"key-of-a-chain", b"attempt-1"))
    assert (listed.id, listed.generation, listed.expires_at) == (put.id, 2, None)


async def test_no_secret_of_a_refresh_is_in_a_file(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        await vault.refreshes.renew(put, tokens(raw=Secret(RAW)))
        left = everything_in(path.parent)
    for planted in PLANTED:
        assert planted.encode() not in left


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("moved", [renew, fail, disconnect, reconnect])
async def test_a_step_from_an_old_generation_changes_nothing(
    path: Path, moved: Step, step: Step
) -> None:
    async with Vault(path) as vault:
        seen = await vault.put(OWNER, consented())
        assert await moved(vault, seen)
        before = rows(path)
        assert not await step(vault, seen)
        assert rows(path) == before


@pytest.mark.parametrize("step", STEPS)
async def test_the_same_step_from_the_same_place_is_taken_once(path: Path, step: Step) -> None:
    async with Vault(path) as vault:
        seen = await vault.put(OWNER, consented())
        assert await step(vault, seen)
        before = rows(path)
        assert not await step(vault, seen)
        assert rows(path) == before


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_of_an_unknown_connection_changes_nothing(path: Path, step: Step) -> None:
    async with Vault(path) as vault:
        seen = await vault.put(OWNER, consented())
        assert not await step(vault, attrs.evolve(seen, id="unknown"))
        assert await vault.get(OWNER) == seen


@pytest.mark.parametrize("step", STEPS)
async def test_a_connection_without_tokens_takes_no_step(path: Path, step: Step) -> None:
    async with Vault(path) as vault:
        await vault.refreshes.fail(await vault.put(OWNER, consented()), "unknown", "odd")
        failed = await found(vault)
        assert not await step(vault, failed)
        assert await found(vault) == failed


async def test_a_failed_connection_gets_no_tokens_of_its_chain(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(JO, consented(lock_key="chain"))
        kim = await vault.put(KIM, consented(7, lock_key="chain"))
        await vault.refreshes.fail(kim, "invalid_grant", "invalid_grant")
        failed = await found(vault, KIM)
        jo = await vault.put(JO, consented(8, lock_key="chain"))
        assert await vault.refreshes.renew(jo, tokens())
        assert await found(vault, KIM) == failed


async def test_a_consent_to_a_chain_gives_its_tokens_to_all_of_it(path: Path) -> None:
    async with Vault(path) as vault:
        jo = await vault.put(JO, consented(lock_key="chain", connection_config={"own": "j"}))
        kim = await vault.put(KIM, consented(7, lock_key="chain", scopes=("read", "write")))
        his = await found(vault, JO)
        assert (token(his), his.refresh_token) == (token(kim), kim.refresh_token)
        assert (his.id, his.generation) == (jo.id, jo.generation + 1)
        assert (his.scopes, his.connection_config) == (("read", "write"), {"own": "j"})
        # What was under way with the tokens that are over does not take the place of these.
        assert await vault.refreshes.renew(jo, tokens(3)) is None
        assert token(await found(vault, KIM)) == token(kim)


async def test_nothing_is_presented_after_the_attempt_was_put_off(path: Path) -> None:
    async with Vault(path) as vault:
        seen = await vault.put(OWNER, consented())
        assert await postpone(vault, seen)
        assert not await vault.refreshes.present(seen, SENT)
        assert (await found(vault)).presented is None


def rows(path: Path) -> list[object]:
    with database(path) as other:
        return other.execute("SELECT * FROM connections").fetchall()


async def test_all_of_a_chain_get_its_new_tokens(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(JO, consented(lock_key="chain"))
        kim = await vault.put(KIM, consented(7, lock_key="chain", connection_config={"own": "k"}))
        other = await vault.put(Owner.app_user("app-1", "c", "lee"), consented(8, lock_key="other"))
        alone = await vault.put(Owner.app_user("app-1", "c", "max"), consented(9))
        typed = await vault.put(
            Owner.app_user("app-1", "d", "max"),
            attrs.evolve(consented(6, lock_key="chain"), integration_type="gmail"),
        )
        ended = await vault.put(Owner.app_user("app-1", "e", "max"), consented(lock_key="chain"))
        assert await vault.disconnect(ended.owner)
        before = await found(vault, KIM)
        renewed = await vault.refreshes.renew(
            await found(vault, JO), tokens(captured={"host": "h"})
        )
        hers = await found(vault, KIM)
        for untouched in (other, alone, typed):
            assert await vault.get(untouched.owner) == untouched
        assert await vault.get(ended.owner) is None
    assert renewed is not None
    assert (token(hers), hers.refresh_token) == (token(renewed), renewed.refresh_token)
    assert (hers.generation, hers.id) == (before.generation + 1, kim.id)
    assert hers.connection_config == {"own": "k", "host": "h"}


async def test_a_token_that_was_sent_is_marked_wherever_it_is(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(KIM, consented(lock_key="chain"))
        await vault.put(Owner.app_user("app-1", "c", "lee"), consented(7))
        jo = await vault.put(JO, consented(lock_key="chain"))
        assert await vault.refreshes.present(jo, SENT)
        assert await marks(vault) == [SENT, SENT, None]
        known = attrs.evolve(SENT, outcome="ambiguous")
        await vault.refreshes.postpone(
            jo, marker=known, failures=1, next_attempt_at=1.0, last_error="status 502"
        )
        assert await marks(vault) == [known, known, None]
        assert [row.failures for row in await vault.list("app-1")] == [1, 0, 0]


async def marks(vault: Vault) -> list[Presented | None]:
    return [(await found(vault, row.owner)).presented for row in await vault.list("app-1")]


async def test_a_token_that_somebody_wanted_replaced_is_so_wherever_it_is(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(KIM, consented(lock_key="chain"))
        await vault.put(Owner.app_user("app-1", "c", "lee"), consented(7))
        jo = await vault.put(JO, consented(lock_key="chain"))
        assert await vault.refreshes.force(jo, 4000.0)
        rows = [await found(vault, row.owner) for row in await vault.list("app-1")]
        assert [row.forced_at for row in rows] == [4000.0, 4000.0, None]
        assert (await vault.put(JO, consented(8))).forced_at is None


async def test_a_token_that_was_refused_fails_wherever_it_is(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.put(KIM, consented(lock_key="chain"))
        await vault.put(Owner.app_user("app-1", "c", "lee"), consented(7))
        jo = await vault.put(JO, consented(lock_key="chain"))
        assert await vault.refreshes.fail(jo, "invalid_grant", "token_revoked")
        states = [(row.state, row.reason) for row in await vault.list("app-1")]
    failed = ("refresh_failed", "invalid_grant")
    assert states == [failed, failed, ("active", None)]


async def test_a_row_that_was_put_into_another_chain_gets_none_of_its_tokens(path: Path) -> None:
    async with Vault(path) as vault:
        jo = await vault.put(JO, consented(lock_key="chain"))
        await vault.put(KIM, consented(7))
        with database(path) as other:
            other.execute("UPDATE connections SET lock_key = 'chain' WHERE user = 'kim'")
        before = rows(path)
        with pytest.raises(VaultDamagedError):
            await vault.refreshes.renew(jo, tokens())
        assert rows(path) == before


SWAPS: Final = {
    "another user's": (
        "UPDATE connections SET {field} ="
        " (SELECT {field} FROM connections WHERE user = 'kim') WHERE user = 'jo'"
    ),
    "another field's": "UPDATE connections SET {field} = config_ct WHERE user = 'jo'",
    "an earlier generation's": "UPDATE connections SET {field} = :old WHERE user = 'jo'",
}


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
@pytest.mark.parametrize("field", ["access_ct", "refresh_ct", "raw_ct"])
async def test_a_value_that_was_swapped_is_noticed(path: Path, field: str, swap: str) -> None:
    async with Vault(path) as vault:
        first = await vault.put(JO, consented())
        await vault.put(KIM, consented())
        with database(path) as other:
            select = f"SELECT {field} FROM connections WHERE user = 'jo'"
            (old,) = other.execute(select).fetchone()
            await vault.refreshes.renew(first, tokens())
            other.execute(swap.format(field=field), {"old": old})
        with pytest.raises(VaultDamagedError, match=f"{field} of connection {first.id}"):
            await vault.get(JO)


async def test_a_damaged_row_is_not_renewed_over(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        with database(path) as other:
            other.execute("UPDATE connections SET refresh_ct = access_ct")
        before = rows(path)
        for step in (renew, fail):
            with pytest.raises(VaultDamagedError):
                await step(vault, put)
        assert rows(path) == before


async def test_what_has_an_end_and_was_consented_to_is_looked_after(path: Path) -> None:
    async with Vault(path) as vault:
        ids = [
            (await vault.put(Owner.app_user("app-1", "c", user), grant)).id
            for user, grant in {
                "a": consented(expires_at=100, refresh_expires_at=None),
                "b": consented(expires_at=None, refresh_expires_at=300),
                "c": consented(expires_at=None, refresh_expires_at=None),
                "d": Grant("slack", "t", expires_at=1),
            }.items()
        ]
        failed = await vault.put(Owner.app_user("app-1", "c", "e"), consented(expires_at=1))
        await vault.refreshes.fail(failed, "unknown", "odd")
        with database(path) as other:
            other.execute("UPDATE connections SET created_at = 'now' WHERE id = ?", ids[:1])
        assert await vault.refreshes.ending() == tuple(sorted(ids[:2]))


@pytest.mark.parametrize("text", ["", "two\nlines", 5])
async def test_what_cannot_be_told_is_refused(path: Path, text: Any) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        with pytest.raises((TypeError, ValueError), match="last_error"):
            await vault.refreshes.fail(put, "unknown", text)
        with pytest.raises((TypeError, ValueError), match="last_error"):
            await vault.refreshes.postpone(
                put, marker=None, failures=1, next_attempt_at=None, last_error=text
            )
        assert await vault.get(OWNER) == put


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1e12, 10**400, "1", True])
async def test_a_time_that_cannot_be_is_refused(path: Path, seconds: Any) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        with pytest.raises((TypeError, ValueError), match="at must be Unix seconds"):
            await vault.refreshes.force(put, seconds)
        with pytest.raises((TypeError, ValueError), match="at must be Unix seconds"):
            await vault.refreshes.postpone(
                put, marker=None, failures=1, next_attempt_at=seconds, last_error="busy"
            )
        for field in ("obtained_at", "expires_at", "refresh_expires_at"):
            with pytest.raises((TypeError, ValueError), match=f"{field} must be Unix seconds"):
                consented(**{field: seconds})
        assert await vault.get(OWNER) == put


async def test_a_reason_that_nobody_knows_is_refused(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.put(OWNER, consented())
        with pytest.raises(ValueError, match="invalid_grant, refresh_outcome_lost"):
            await vault.refreshes.fail(put, "tired", "odd")  # type: ignore[arg-type]

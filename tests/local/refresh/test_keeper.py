"""What a caller gets: a token that is good now, or an error that says who has to do what."""

import hashlib
from pathlib import Path

import anyio
import pytest
import structlog

from connectors._requests import rejected_digest
from connectors.local import Grant, Owner
from connectors.local._records import StoredConnection
from connectors.local._refresh import (
    ReconnectRequiredError,
    RefreshPolicy,
    RefreshPostponedError,
    TokenKeeper,
)
from connectors.local._refresh._locks import ProcessLock
from tests.local.refresh.providers import (
    ACCESS,
    NOW,
    OWNER,
    REFRESH,
    World,
    begun,
    loses,
    says,
    settled,
    token,
    unreachable,
    world,
)
from tests.local.vaults import database
from tests.loops import REAL, on
from transports import Request, Response, Secret

pytestmark = on(REAL)

HOUR = 3600.0
BUSY = says(503, **{"retry-after": "30"})


async def test_nothing_is_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        assert await it.keeper.connection(OWNER) is None


async def test_a_token_that_is_not_due_is_handed_out_as_it_is(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR / 2
        assert token(await it.get()) == ACCESS
        await settled(it)
        assert it.provider.presented == []


async def test_a_token_without_an_end_is_handed_out_for_ever(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect(expires_at=None)
        it.clock.now += 10_000 * HOUR
        assert token(await it.get()) == ACCESS
        await settled(it)
        assert it.provider.presented == []


async def test_in_the_soft_margin_it_is_handed_out_and_renewed_behind_the_callers_back(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR - 800
        got = [token(await it.get()) for _ in range(3)]
        assert got[0] == ACCESS
        await settled(it)
        assert it.provider.presented == [REFRESH]
        assert token(await it.get()) != ACCESS


async def test_in_the_hard_margin_the_caller_waits_for_the_new_one(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR - 59
        assert token(await it.get()) != ACCESS


@pytest.mark.parametrize(
    "failure",
    [BUSY, loses, unreachable, says(401, {"error": "invalid_client"})],
    ids=["busy", "silence", "unreachable", "wrong client"],
)
async def test_nobody_is_refused_a_token_that_is_good(tmp_path: Path, failure: object) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR - 59
        it.provider.next = [failure]  # type: ignore[list-item]
        for _ in range(3):
            assert token(await it.get()) == ACCESS
        assert len(it.provider.presented) == 1


async def test_in_the_hard_margin_nobody_waits_longer_than_the_token_is_good(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect(obtained_at=NOW - HOUR, expires_at=NOW + 2)
        never = anyio.Event()

        async def hang(request: Request) -> Response:
            await never.wait()
            return it.provider.renew(request)

        it.provider.next = [hang]
        began = anyio.current_time()
        assert token(await it.get()) == ACCESS
        assert anyio.current_time() - began < 2
        never.set()


async def test_a_token_that_would_end_on_its_way_is_waited_for_as_if_it_had_ended(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect(obtained_at=NOW - HOUR, expires_at=NOW + 0.01)

        async def slowly(request: Request) -> Response:
            it.clock.now += 1
            await anyio.sleep(0.1)
            return it.provider.renew(request)

        it.provider.next = [slowly]
        assert token(await it.get()) != ACCESS


async def test_a_new_token_that_has_ended_on_its_way_is_renewed_once_more(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR

        def suspended(request: Request) -> Response:
            answer = it.provider.renew(request)
            it.clock.now += HOUR
            return answer

        it.provider.next = [suspended]
        got = await it.get()
        assert got.expires_at == it.clock.now + HOUR
        assert token(got) == token(await it.row())
        assert len(it.provider.presented) == 2


async def test_a_provider_that_is_slower_than_its_tokens_live_is_not_asked_for_ever(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR

        def slow(request: Request) -> Response:
            it.clock.now += HOUR
            return it.provider.renew(request)

        it.provider.next = [slow, slow]
        assert token(await it.get()) == token(await it.row())
        assert len(it.provider.presented) == 2


async def test_who_needs_a_token_that_takes_too_long_is_told_when_to_come_again(
    tmp_path: Path,
) -> None:
    policy = RefreshPolicy(patience=0.2)
    async with world(tmp_path, policy=policy) as it:
        await it.connect()
        it.clock.now += HOUR
        answered = anyio.Event()

        async def hang(request: Request) -> Response:
            await answered.wait()
            return it.provider.renew(request)

        it.provider.next = [hang]
        with anyio.fail_after(5), pytest.raises(RefreshPostponedError):
            await it.get()
        answered.set()
        await settled(it)
        assert token(await it.get()) != ACCESS


async def test_a_thousand_callers_share_one_refresh(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        got: list[str] = []

        async def call() -> None:
            got.append(token(await it.get()))

        async with anyio.create_task_group() as tasks:
            for _ in range(1000):
                tasks.start_soon(call)
        assert it.provider.presented == [REFRESH]
        assert len(got) == 1000
        assert set(got) == {token(await it.row())}


async def test_who_needs_a_token_is_not_held_up_by_a_refresh_in_the_background(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR - 800
        may_answer = anyio.Event()

        async def slowly(request: Request) -> Response:
            await may_answer.wait()
            return it.provider.renew(request)

        it.provider.next = [slowly]
        assert token(await it.get()) == ACCESS
        async with anyio.create_task_group() as tasks:
            it.clock.now += 790
            tasks.start_soon(it.get)
            await anyio.wait_all_tasks_blocked()
            may_answer.set()
        assert token(await it.get()) != ACCESS
        assert it.provider.presented == [REFRESH]


# A token that a service has refused.


async def test_a_refused_token_is_renewed_whatever_its_age(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        renewed = await it.get(rejected=rejected_digest(Secret(ACCESS)))
        assert token(renewed) != ACCESS


async def test_a_hundred_callers_who_were_refused_the_same_token_cause_one_refresh(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        other = it.another()
        rejected = rejected_digest(Secret(ACCESS))

        async def call(keeper: TokenKeeper) -> None:
            got = await keeper.connection(OWNER, rejected=rejected)
            assert got is not None
            assert token(got) != ACCESS

        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(call, it.keeper)
                tasks.start_soon(call, other)
        assert it.provider.presented == [REFRESH]


@pytest.mark.parametrize("rejected", [rejected_digest(Secret("an older one")), "sha256=", "", "ü"])
async def test_a_token_that_was_replaced_already_is_not_renewed_again(
    tmp_path: Path, rejected: str
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        assert token(await it.get(rejected=rejected)) == ACCESS
        assert it.provider.presented == []


async def test_a_refused_token_is_renewed_once_a_minute_at_most(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        rejected = rejected_digest(Secret(ACCESS))
        it.provider.next = [unreachable]
        with pytest.raises(RefreshPostponedError):
            await it.get(rejected=rejected)
        it.clock.now += 59
        with pytest.raises(RefreshPostponedError) as raised:
            await it.get(rejected=rejected)
        assert raised.value.retry_after == 1
        assert len(it.provider.presented) == 1
        # Who was not refused it gets it.
        assert token(await it.get()) == ACCESS
        it.clock.now += 1
        await it.get(rejected=rejected)
        assert len(it.provider.presented) == 2


async def test_a_new_token_that_is_refused_too_is_not_renewed_within_a_minute(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += 1
        renewed = await it.get(rejected=rejected_digest(Secret(ACCESS)))
        it.clock.now += 59
        rejected = rejected_digest(Secret(token(renewed)))
        with pytest.raises(RefreshPostponedError, match="refused and renewed a moment") as raised:
            await it.get(rejected=rejected)
        assert raised.value.retry_after == 1
        # Who was not refused it gets it.
        assert token(await it.get()) == token(renewed)
        assert len(it.provider.presented) == 1
        it.clock.now += 1
        assert token(await it.get(rejected=rejected)) != token(renewed)
        assert len(it.provider.presented) == 2


async def test_a_token_that_was_refused_and_not_renewed_is_not_said_to_be(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        row = await it.connect()
        it.clock.now += HOUR / 2
        await it.vault.refreshes.force(row, it.clock.now)
        rejected = rejected_digest(Secret(ACCESS))
        with pytest.raises(RefreshPostponedError, match="refused a moment ago"):
            await it.get(rejected=rejected)
        it.clock.now += 60
        it.provider.next = [unreachable]
        with pytest.raises(RefreshPostponedError):
            await it.get(rejected=rejected)
        it.clock.now += 30
        with pytest.raises(RefreshPostponedError, match="can't be reached") as raised:
            await it.get(rejected=rejected)
        assert raised.value.retry_after == 30


async def test_a_new_consent_may_be_renewed_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        rejected = rejected_digest(Secret(ACCESS))
        for times in (1, 2):
            await it.connect()
            assert token(await it.get(rejected=rejected)) != ACCESS
            assert len(it.provider.presented) == times


async def test_the_digest_of_a_token_is_what_a_client_sends() -> None:
    assert rejected_digest(Secret("a")) == "sha256=ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs"
    assert hashlib.sha256(b"a").hexdigest().startswith("ca978112")


# A token that can't be renewed.


async def test_a_token_that_cannot_be_renewed_is_good_until_its_end(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect(refresh_token=None)
        it.clock.now += HOUR - 1
        assert token(await it.get()) == ACCESS
        it.clock.now += 1
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "no_refresh_token"
        assert (await it.row()).state == "active", "it is expired, which is no state of its own"


@pytest.mark.parametrize("values", [{"refresh_token": None}, {"source": "manual"}])
async def test_a_refused_token_that_cannot_be_renewed_needs_its_owner(
    tmp_path: Path, values: dict[str, object]
) -> None:
    async with world(tmp_path) as it:
        await it.connect(**values)
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get(rejected=rejected_digest(Secret(ACCESS)))
        assert raised.value.reason == "token_rejected"
        assert it.provider.presented == []


async def test_a_token_that_somebody_put_in_is_never_renewed(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect(source="manual")
        it.clock.now += HOUR
        with pytest.raises(ReconnectRequiredError):
            await it.get()
        assert it.provider.presented == []


@pytest.mark.parametrize("expires_in", [None, HOUR])
async def test_a_token_of_a_type_that_nobody_knows_is_handed_out_until_its_end(
    tmp_path: Path, expires_in: float | None
) -> None:
    owner = Owner.app("app-1", "unheard-of")
    async with world(tmp_path) as it:
        expires_at = None if expires_in is None else it.clock.now + expires_in
        await it.vault.put(owner, Grant("unheard-of", ACCESS, expires_at=expires_at))
        assert await it.keeper.connection(owner) is not None
        it.clock.now += HOUR
        if expires_in is None:
            assert await it.keeper.connection(owner) is not None
        else:
            with pytest.raises(ReconnectRequiredError):
                await it.keeper.connection(owner)
        await it.keeper.renew(await _found(it, owner))


async def _found(it: World, owner: Owner) -> StoredConnection:
    found = await it.vault.get(owner)
    assert found is not None
    return found


async def test_a_token_is_not_renewed_before_its_provider_allows_it(tmp_path: Path) -> None:
    async with world(tmp_path, min_age=24 * 3600) as it:
        await it.connect(expires_at=it.clock.now + HOUR)
        it.clock.now += HOUR - 1
        assert token(await it.get()) == ACCESS
        assert it.provider.presented == []


async def test_a_restored_token_is_renewed_before_it_is_trusted(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        with database(it.vault.path) as connection:
            connection.execute("UPDATE connections SET verify = 1")
        it.provider.next = [BUSY]
        with pytest.raises(RefreshPostponedError):
            await it.get()
        it.clock.now += 30
        assert token(await it.get()) != ACCESS
        assert not (await it.row()).verify


async def test_a_clock_that_was_set_back_makes_a_token_due(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now -= HOUR
        assert token(await it.get()) != ACCESS


# Closing.


async def test_a_closed_keeper_hands_out_what_is_good_and_begins_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        await it.keeper.aclose()
        await it.keeper.aclose()
        it.clock.now += HOUR - 800
        assert token(await it.get()) == ACCESS
        it.clock.now += 800
        with pytest.raises(RefreshPostponedError):
            await it.get()
        await it.keeper.renew(await it.row())
        assert it.provider.presented == []


async def test_closing_cancels_what_the_provider_has_not_heard_of(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        row = await it.row()
        async with ProcessLock(it.vault.path, row.lock_key), anyio.create_task_group() as tasks:

            async def call() -> None:
                with pytest.raises(RefreshPostponedError):
                    await it.get()

            tasks.start_soon(call)
            await begun(it)
            with anyio.fail_after(2):
                await it.keeper.aclose()
        assert it.provider.presented == []
        assert (await it.row()).presented is None


async def test_a_fault_in_the_background_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR - 800

        def breaks(request: Request) -> Response:
            raise AssertionError("of the test")

        it.provider.next = [breaks]
        with structlog.testing.capture_logs() as events:
            assert token(await it.get()) == ACCESS
            await settled(it)
        assert {"event": "connectors.local.refresh_broken", "error": "AssertionError"} in [
            {name: event[name] for name in ("event", "error") if name in event} for event in events
        ]

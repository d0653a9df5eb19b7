"""What a person does not want any more is ended at the provider too, sooner or later."""

from pathlib import Path

import anyio
import attrs
import pytest
import structlog

from connectors.catalog import integrations
from connectors.local import Grant, Owner
from connectors.local._oauth_records import OAuthApp
from connectors.local._records import GrantedTo
from tests.local.refresh.providers import (
    ACCESS,
    CLIENT,
    OWNER,
    REFRESH,
    TYPE,
    World,
    loses,
    says,
    sent,
    unreachable,
    world,
)
from tests.local.vaults import database
from tests.loops import REAL, on
from transports import Request, Response

pytestmark = on(REAL)


class Revocations:
    """Answers revocations and remembers them; refreshes go on to the provider."""

    def __init__(self, it: World) -> None:
        self._it = it
        self.tokens: list[str] = []
        self.answers = it.provider.next

    async def __call__(self, request: Request) -> Response:
        assert request.url == "https://api.box.com/oauth2/revoke"
        self.tokens.append(sent(request)["token"])
        if self.answers:
            given = self.answers.pop(0)(request)
            return given if isinstance(given, Response) else await given
        return Response(200)


def revocations(it: World) -> Revocations:
    answers = Revocations(it)
    it.transport.route("POST", "https://api.box.com/oauth2/revoke", answers)
    return answers


async def test_disconnecting_erases_and_then_tells_the_provider(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        await it.connect()
        assert await it.keeper.disconnect(OWNER)
        assert await it.vault.get(OWNER) is None
        await it.keeper.revoke()
        assert answers.tokens == [REFRESH]
        assert await it.vault.revocations.due(it.clock.now) == {}


async def test_who_has_no_connection_has_nothing_to_disconnect(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        assert not await it.keeper.disconnect(OWNER)
        await it.keeper.revoke()
        assert answers.tokens == []


async def test_disconnecting_waits_for_a_refresh_and_revokes_what_that_has_brought(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        await it.connect()
        it.clock.now += 3600
        asked, may_answer = anyio.Event(), anyio.Event()

        async def when_told(request: Request) -> Response:
            asked.set()
            await may_answer.wait()
            return it.provider.renew(request)

        it.provider.next.append(when_told)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.get)
            await asked.wait()
            tasks.start_soon(it.keeper.disconnect, OWNER)
            await anyio.wait_all_tasks_blocked()
            assert await it.vault.get(OWNER) is not None
            may_answer.set()
        await it.keeper.revoke()
        assert answers.tokens == [it.provider.refresh_token]


@pytest.mark.parametrize(
    "failure",
    [says(503), unreachable, loses, says(500)],
    ids=["503", "unreachable", "silence", "500"],
)
async def test_a_revocation_that_may_not_have_happened_is_sent_again_later(
    tmp_path: Path, failure: object
) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        await it.connect()
        await it.vault.disconnect(OWNER)
        answers.answers.append(failure)  # type: ignore[arg-type]
        await it.keeper.revoke()
        assert answers.tokens == [REFRESH]
        it.clock.now += 5
        await it.keeper.revoke()
        assert answers.tokens == [REFRESH] * 2
        it.clock.now += 3600
        await it.keeper.revoke()
        assert len(answers.tokens) == 2


async def test_a_clock_that_was_wrong_does_not_put_a_revocation_off_for_as_long(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        await it.connect()
        await it.vault.disconnect(OWNER)
        answers.answers.append(unreachable)
        it.clock.now += 365 * 86_400
        (untold,) = await it.keeper.revoke()
        assert untold.again
        it.clock.now -= 365 * 86_400
        assert await it.keeper.revoke() == ()
        assert answers.tokens == [REFRESH] * 2


async def test_a_revocation_that_never_happens_is_given_up_and_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        await it.connect()
        await it.vault.disconnect(OWNER)
        with structlog.testing.capture_logs() as events:
            for _ in range(12):
                answers.answers.append(unreachable)
                await it.keeper.revoke()
                it.clock.now += 3600
        assert len(answers.tokens) == 12
        assert events[-1]["event"] == "connectors.local.revocation_given_up"
        await it.keeper.revoke()
        assert len(answers.tokens) == 12
        assert REFRESH not in str(events)


async def test_a_provider_that_refuses_is_not_asked_again_and_that_is_told(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        await it.connect()
        await it.vault.disconnect(OWNER)
        answers.answers.append(says(401, {"error": "invalid_client"}))
        with structlog.testing.capture_logs() as events:
            await it.keeper.revoke()
        assert [event["event"] for event in events] == ["connectors.local.revocation_refused"]
        it.clock.now += 3600
        await it.keeper.revoke()
        assert len(answers.tokens) == 1


async def test_one_that_is_disconnected_while_another_is_revoked_is_revoked_too(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        asked, may_answer = anyio.Event(), anyio.Event()

        async def when_told(_request: Request) -> Response:
            asked.set()
            await may_answer.wait()
            return Response(200)

        answers.answers.append(when_told)
        other = Owner.workspace("app-1", "c-1")
        await it.connect()
        await it.vault.put(other, Grant(TYPE, ACCESS, refresh_token="another", source="oauth"))
        await it.keeper.disconnect(OWNER)
        await asked.wait()
        await it.keeper.disconnect(other)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.keeper.revoke)
            await anyio.wait_all_tasks_blocked()
            may_answer.set()
        assert answers.tokens == [REFRESH, "another"]


async def test_all_are_tried_however_many_and_each_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        for number in range(25):
            await it.connect(refresh_token=f"token-{number:02}")
            await it.vault.disconnect(OWNER)
        answers.answers.extend([unreachable] * 3)
        untold = await it.keeper.revoke()
        assert sorted(answers.tokens) == [f"token-{number:02}" for number in range(25)]
        assert [each.again for each in untold] == [True] * 3


async def test_a_damaged_revocation_is_given_up_and_keeps_no_other_from_being_sent(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        for number in range(3):
            put = await it.connect(refresh_token=f"token-{number}")
            await it.vault.disconnect(OWNER)
        with database(it.vault.path) as other:
            other.execute(
                "UPDATE revocations SET refresh_ct = access_ct"
                " WHERE rowid = (SELECT min(rowid) FROM revocations)"
            )
        with structlog.testing.capture_logs() as events:
            [untold] = await it.keeper.revoke()
        assert answers.tokens == ["token-1", "token-2"]
        assert (untold.connection_id, untold.again) == (put.id, False)
        assert [event["event"] for event in events] == ["connectors.local.revocation_given_up"]
        assert await it.keeper.revoke() == ()


async def test_a_damaged_client_keeps_no_other_type_waiting(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        it.catalog["slack"] = integrations()["slack"]
        await it.vault.apps.configure(OAuthApp("slack", CLIENT))
        other = Owner.app("app-1", "slack")
        await it.vault.put(other, Grant("slack", ACCESS, refresh_token="r", source="oauth"))
        await it.vault.disconnect(other)
        await it.connect()
        await it.vault.disconnect(OWNER)
        with database(it.vault.path) as damaged:
            damaged.execute(
                "UPDATE oauth_apps SET secret_ct = config_ct WHERE integration_type = 'slack'"
            )
        [untold] = await it.keeper.revoke()
        assert answers.tokens == [REFRESH]
        assert ("is damaged" in untold.problem, untold.again) == (True, True)


@pytest.mark.parametrize("again", ["oauth", "manual", None])
@pytest.mark.parametrize("ends_all", [True, False])
async def test_a_new_consent_is_not_ended_by_what_was_to_be_revoked_before_it(
    tmp_path: Path,
    ends_all: bool,  # noqa: FBT001 - a column of the table.
    again: str | None,
) -> None:
    async with world(tmp_path) as it:
        it.catalog[TYPE] = attrs.evolve(it.catalog[TYPE], revocation_ends_all=ends_all)
        answers = revocations(it)
        await it.connect()
        await it.vault.disconnect(OWNER)
        answers.answers.append(unreachable)
        await it.keeper.revoke()
        if again is not None:
            await it.connect(refresh_token="new", source=again)
        it.clock.now += 3600
        dropped = ends_all and again == "oauth"
        with structlog.testing.capture_logs() as events:
            untold = await it.keeper.revoke()
        assert answers.tokens == [REFRESH] * (1 if dropped else 2)
        expected = ["connectors.local.revocation_dropped"] if dropped else []
        assert [event["event"] for event in events] == expected
        assert [each.again for each in untold] == [False] * len(expected)
        assert await it.vault.revocations.due(4e9) == {}


async def test_without_a_client_nobody_can_be_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        await it.connect()
        await it.vault.disconnect(OWNER)
        await it.vault.apps.remove(TYPE)
        [untold] = await it.keeper.revoke()
        assert (untold.problem, untold.again) == (
            "its type or its OAuth client is not known any more",
            False,
        )
        assert answers.tokens == []
        assert await it.vault.revocations.due(it.clock.now) == {}


async def test_the_secret_of_another_client_than_the_tokens_are_of_is_not_sent(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        await it.connect(client=GrantedTo("client-0", "https://x.example/back"))
        await it.keeper.disconnect(OWNER)
        (untold,) = await it.keeper.revoke()
        assert (untold.again, untold.problem) == (
            False,
            "its OAuth client was replaced by another one",
        )
        assert answers.tokens == []


async def test_a_configuration_that_the_type_does_not_take_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        await it.connect(connection_config={"unheard-of": "planted-value"})
        await it.vault.disconnect(OWNER)
        with structlog.testing.capture_logs() as events:
            [untold] = await it.keeper.revoke()
        assert "connection_config has an unknown name" in untold.problem
        assert not untold.again
        assert [event["event"] for event in events] == ["connectors.local.revocation_refused"]
        assert "planted-value" not in str((events, untold))
        assert answers.tokens == []


async def test_a_closed_keeper_tells_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        answers = revocations(it)
        await it.connect()
        await it.keeper.aclose()
        assert await it.keeper.disconnect(OWNER)
        await it.keeper.revoke()
        assert answers.tokens == []
        # The next one finds it.
        await it.another().revoke()
        assert answers.tokens == [REFRESH]

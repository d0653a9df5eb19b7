"""A refresh that the provider refuses: whose fault it is, and what ends with it.

The provider ends a grant when a refresh token is used twice, as the strict ones do. The wall clock
is set by hand; the rest is real, because a vault works in threads.
"""

from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import attrs
import pytest
import structlog

from connectors.catalog import integrations
from connectors.local._errors import VaultDamagedError
from connectors.local._oauth import OAuthClient
from connectors.local._oauth_records import OAuthApp
from connectors.local._records import GrantedTo
from connectors.local._refresh import (
    ClientMissingError,
    ClientRejectedError,
    ReconnectRequiredError,
    RefreshPostponedError,
)
from tests.local.refresh.providers import (
    ACCESS,
    CLIENT,
    CLIENT_SECRET,
    REFRESH,
    TYPE,
    says,
    sent,
    token,
    world,
)
from tests.local.vaults import database
from tests.loops import REAL, on
from transports import Request, Response, Secret

pytestmark = on(REAL)

HOUR = 3600.0
INVALID_GRANT = says(400, {"error": "invalid_grant"})


async def test_a_refusal_ends_the_connection_and_erases_its_tokens(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        first = await it.connect()
        it.clock.now += HOUR
        it.provider.next = [INVALID_GRANT]
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert (raised.value.integration_type, raised.value.reason) == (TYPE, "invalid_grant")
        row = await it.row()
        assert (row.state, row.reason, row.id) == ("refresh_failed", "invalid_grant", first.id)
        assert (row.access_token, row.refresh_token) == (None, None)
        assert len(it.provider.presented) == 1
        with pytest.raises(ReconnectRequiredError):
            await it.get()
        assert len(it.provider.presented) == 1


async def test_an_interaction_that_is_required_is_a_consent_that_is_required(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, terminal_errors=("invalid_grant", "interaction_required")) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [says(400, {"error": "interaction_required"})]
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "consent_required"


async def test_a_refresh_token_past_its_end_has_expired(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect(refresh_expires_at=it.clock.now + 2 * HOUR)
        it.clock.now += 2 * HOUR
        it.provider.next = [INVALID_GRANT]
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "refresh_token_expired"


async def test_a_configuration_that_the_type_does_not_take_needs_a_new_consent(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect(connection_config={"unheard-of": "planted-value"})
        it.clock.now += HOUR
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "config_refused"
        assert (await it.row()).presented is None
        assert it.provider.presented == []


async def test_a_clock_that_differs_from_the_provider_s_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for ahead in (61, 59, None):
            await it.connect()
            it.clock.now += HOUR

            def dated(request: Request, ahead: float | None = ahead) -> Response:
                moment = format_datetime(datetime.fromtimestamp(it.clock.now + (ahead or 0), UTC))
                fields = {"date": "no date" if ahead is None else moment}
                answer = it.provider.renew(request)
                return Response(answer.status, answer.headers.merged(fields), answer.body)

            it.provider.next = [dated]
            with structlog.testing.capture_logs() as events:
                await it.get()
            told = [event for event in events if event["event"] == "connectors.local.clock_skew"]
            assert [event["seconds"] for event in told] == ([61] if ahead == 61 else [])


@pytest.mark.parametrize("date", ["no date", "", "Fri, 31 Dec 2027 23:59:59 -99999999999999"])
async def test_no_date_costs_the_tokens_that_came_with_it(tmp_path: Path, date: str) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR

        def dated(request: Request) -> Response:
            answer = it.provider.renew(request)
            return Response(answer.status, answer.headers.merged({"date": date}), answer.body)

        it.provider.next = [dated]
        got = await it.get()
        assert token(got) != ACCESS
        assert got.refresh_token == Secret(it.provider.refresh_token)


@pytest.mark.parametrize("secret", [ACCESS, REFRESH, CLIENT_SECRET])
async def test_a_provider_that_repeats_a_secret_as_an_error_code_is_not_quoted(
    tmp_path: Path, secret: str
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [says(400, {"error": secret})]
        with structlog.testing.capture_logs() as events, pytest.raises(RefreshPostponedError) as e:
            await it.get()
        kept = await it.row()
        assert secret not in f"{e.value} {events} {kept} {kept.last_error}"


@pytest.mark.parametrize("known", [True, False])
async def test_the_address_that_the_consent_came_back_to_is_sent_where_it_is_asked_for(
    tmp_path: Path, *, known: bool
) -> None:
    address = "https://app.example.com/back"
    step = integrations()[TYPE].refresh.call
    assert step is not None
    asks = {**step.call.parameters, "redirect_uri": "{redirect_uri}"}
    step = attrs.evolve(step, call=attrs.evolve(step.call, parameters=asks))
    async with world(tmp_path, call=step) as it:
        usual = "https://app.example.com/now" if known else address
        await it.vault.apps.configure(OAuthApp(TYPE, CLIENT, redirect_uri=usual))
        await it.connect(client=GrantedTo(CLIENT.client_id, address) if known else None)
        it.clock.now += HOUR
        await it.get()
        assert sent(it.transport.calls[-1].request)["redirect_uri"] == address


async def test_a_token_is_not_sent_with_the_secret_of_another_client_than_it_was_granted_to(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        granted = await it.connect(client=GrantedTo(CLIENT.client_id, "https://x.example/back"))
        other = OAuthClient("client-2", Secret("planted-other-secret"))
        await it.vault.apps.configure(OAuthApp(TYPE, other))
        assert token(await it.get()) == ACCESS
        it.clock.now += HOUR
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "client_replaced"
        assert it.provider.presented == []
        # Nothing is erased: with the client that it was granted to it goes on.
        assert await it.row() == granted
        await it.vault.apps.configure(OAuthApp(TYPE, CLIENT))
        assert token(await it.get()) != ACCESS


async def test_who_writes_another_client_into_a_row_does_not_get_its_secret_sent(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect(client=GrantedTo("client-0", "https://x.example/back"))
        with database(it.vault.path) as other:
            other.execute("UPDATE connections SET client_id = ?", (CLIENT.client_id,))
        it.clock.now += HOUR
        with pytest.raises(VaultDamagedError):
            await it.get()
        assert it.provider.presented == []


async def test_a_wrong_client_is_no_fault_of_the_connection(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [says(401, {"error": "invalid_client"})]
        for _ in range(2):
            with pytest.raises(ClientRejectedError, match="id or its secret is wrong") as raised:
                await it.get()
            assert 0 < raised.value.retry_after <= 60
        row = await it.row()
        assert (row.state, row.presented, row.generation) == ("active", None, 1)
        assert len(it.provider.presented) == 1, "the provider is left alone"
        # After a while it is tried again, and longer after a second time.
        it.clock.now += 60
        it.provider.next = [says(401, {"error": "invalid_client"})]
        with pytest.raises(ClientRejectedError) as raised:
            await it.get()
        assert raised.value.retry_after == 120
        # It was only a mood.
        it.clock.now += 120
        await it.get()
        app = await it.vault.apps.get(TYPE)
        assert app is not None
        assert (app.failures, app.problem) == (0, None)
        # And now it is wrong, until somebody puts in the right one.
        it.clock.now += HOUR
        it.provider.next = [says(401, {"error": "invalid_client"})]
        with pytest.raises(ClientRejectedError):
            await it.get()
        await it.vault.apps.configure(OAuthApp(TYPE, OAuthClient("client-2", Secret("right"))))
        await it.get()


async def test_without_a_client_nothing_can_be_renewed(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        await it.vault.apps.remove(TYPE)
        assert token(await it.get()) == ACCESS
        it.clock.now += HOUR
        with pytest.raises(ClientMissingError, match=f"no OAuth client for {TYPE}"):
            await it.get()


async def test_a_refusal_in_unknown_words_ends_a_connection_only_after_three_in_an_hour(
    tmp_path: Path,
) -> None:
    odd = says(400, {"error": "what_is_this"})
    async with world(tmp_path) as it:
        await it.connect()
        it.clock.now += HOUR
        it.provider.next = [odd] * 3
        for _ in range(3):
            with pytest.raises(RefreshPostponedError):
                await it.get()
            it.clock.now += 600
        it.clock.now += 1800
        it.provider.next = [odd]
        with pytest.raises(ReconnectRequiredError) as raised:
            await it.get()
        assert raised.value.reason == "unknown"


async def test_two_refusals_in_unknown_words_a_day_apart_end_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        for _ in range(2):
            it.clock.now += 24 * HOUR
            it.provider.next = [says(400, {"error": "what_is_this"})]
            with pytest.raises(RefreshPostponedError):
                await it.get()
        it.clock.now += HOUR
        await it.get()
        assert (await it.row()).strikes == 0

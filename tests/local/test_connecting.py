"""From a consent to a connection: what is asked for, what is believed, and what failures leave."""

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import anyio
import attrs
import pytest

from connectors.catalog import integrations
from connectors.local import Owner, Vault
from connectors.local._connecting import (
    Begun,
    ConnectingError,
    ConsentOverError,
    Consents,
    UnknownTypeError,
)
from connectors.local._errors import VaultError
from connectors.local._oauth import OAuthClient, code_challenge
from connectors.local._refresh import ClientMissingError
from connectors.local._sandbox import Fault
from tests.local.consents import NOW, OWNER, REDIRECT, TYPE, World, query_of, world
from tests.local.vaults import database, everything_in, printed_with_locals, token
from tests.loops import REAL, on
from transports import ConnectError, FieldValue, ReadTimeoutError, Request, Response, Secret
from transports.mock import MockTransport, json_response

pytestmark = on(REAL)

TYPES = sorted(integrations())


def asked(begun: Begun) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(begun.url.reveal()).query))


def config_for(it: World, name: str) -> dict[str, str]:
    fields = it.catalog[name].connection_config
    return {field.name: field.placeholder for field in fields if not field.automated}


@pytest.mark.parametrize("name", TYPES)
async def test_an_account_of_every_type_is_connected(tmp_path: Path, name: str) -> None:
    async with world(tmp_path) as it:
        await it.configure(name)
        connected = await it.connect(name, config=config_for(it, name))
        row = await it.row(name)
        assert row == connected.connection
        assert row is not None
        assert (row.state, row.source, row.generation) == ("active", "oauth", 1)
        assert set(config_for(it, name)) <= set(row.connection_config or {})
        assert {c.name for c in it.catalog[name].captures} <= set(row.connection_config or {})
        assert row.obtained_at == NOW
        assert connected.lasts
        shown = Secret(f"Bearer {token(row)}")
        # What the type needs besides is nothing that this test is about.
        fields: dict[str, FieldValue] = dict.fromkeys(it.catalog[name].api.headers, "some-value")
        fields["authorization"] = shown
        request = Request("GET", f"{it.catalog[name].api.base_url}/any", fields)
        assert (await it.transport.send(request)).status == 200


async def test_a_consent_asks_for_what_the_type_needs_and_then_for_what_was_asked(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure(scopes=("read_api",))
        begun = await it.begin()
        assert asked(begun)["scope"] == "read_user read_api"
        begun = await it.begin(scopes=("api", "read_user"))
        assert asked(begun)["scope"] == "read_user api"
        await it.consents.complete(it.allow(begun))
        row = await it.row()
        assert row is not None
        assert row.scopes == ("read_user", "api")


async def test_what_the_provider_grants_is_kept_in_place_of_what_was_asked(tmp_path: Path) -> None:
    answer = json_response({"access_token": "t", "scope": "read_user", "expires_in": 60})
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin(scopes=("api",))
        transport = MockTransport(lambda _: answer)
        await it.over(transport).complete(it.allow(begun))
        row = await it.row()
        assert row is not None
        assert row.scopes == ("read_user",)


async def test_a_challenge_goes_out_and_its_verifier_stays_until_the_code_is_exchanged(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        await it.consents.complete(it.allow(begun))
        sent = dict(parse_qsl((it.transport.calls[0].request.body or b"").decode()))
        assert code_challenge(Secret(sent["code_verifier"])) == asked(begun)["code_challenge"]
        assert asked(begun)["code_challenge_method"] == "S256"
        assert sent["redirect_uri"] == asked(begun)["redirect_uri"] == REDIRECT
        assert sent["code_verifier"] not in begun.url.reveal()


async def test_a_wrong_verifier_connects_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        one, other = await it.begin(), await it.begin()
        # The code of one consent with the state of another, as an attacker would have it.
        stolen = it.allow(one, state=asked(other)["state"])
        assert "invalid_grant" in await it.refusal(stolen)
        assert await it.row() is None
        assert (await it.status(other)).outcome == "failed"


async def test_each_answer_is_waited_for_twenty_seconds(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure("instagram")
        await it.connect("instagram")
        assert len(it.transport.calls) == 2
        left = [call.request.deadline - anyio.current_time() for call in it.transport.calls]
        assert all(15 < seconds <= 20 for seconds in left)


async def test_the_address_of_a_consent_comes_before_the_clients_and_that_before_the_backends(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        assert asked(await it.begin())["redirect_uri"] == REDIRECT
        await it.configure(redirect_uri="https://example.com/client")
        assert asked(await it.begin())["redirect_uri"] == "https://example.com/client"
        begun = await it.begin(redirect_uri="https://example.com/own")
        assert asked(begun)["redirect_uri"] == "https://example.com/own"


async def test_without_an_address_to_come_back_to_nothing_is_begun(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        consents = it.over(it.transport, redirect_uri=None)
        with pytest.raises(ConnectingError, match="connectors configure gitlab") as caught:
            await consents.begin(OWNER, TYPE)
        assert "start `connectors dev`, without --host" in str(caught.value)
        assert caught.value.integration_type == TYPE


@pytest.mark.parametrize("backend", [REDIRECT, None])
async def test_a_provider_that_refuses_this_machine_is_not_asked_to_send_anybody_here(
    tmp_path: Path, backend: str | None
) -> None:
    async with world(tmp_path) as it:
        it.catalog[TYPE] = attrs.evolve(it.catalog[TYPE], loopback_redirect=False)
        await it.configure()
        consents = it.over(it.transport, redirect_uri=backend)
        with pytest.raises(ConnectingError, match="GitLab sends nobody back to http on this"):
            await consents.begin(OWNER, TYPE)
        tunnel = it.over(it.transport, redirect_uri="https://tunnel.example/back")
        assert asked(await tunnel.begin(OWNER, TYPE))["redirect_uri"].startswith("https://tunnel")
        await it.configure(redirect_uri="https://example.com/client")
        begun = await consents.begin(OWNER, TYPE)
        assert asked(begun)["redirect_uri"] == "https://example.com/client"


async def test_a_type_whose_callback_anybody_could_make_up_is_not_for_an_apps_users(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure("wix")
        with pytest.raises(ConnectingError, match="Wix can't be connected for an app's users"):
            await it.consents.begin(Owner.app_user("app-1", "wix", "ben"), "wix")
        for owner in (Owner.app("app-1", "wix"), Owner.workspace("app-1", "c-1")):
            await it.consents.begin(owner, "wix")


async def test_what_can_not_be_asked_for_is_refused_before_anything_is_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        with pytest.raises(ClientMissingError):
            await it.begin()
        with pytest.raises(UnknownTypeError, match="list-available"):
            await it.begin("no-such-type")
        await it.configure()
        await it.configure("notion")
        with pytest.raises(ValueError, match="host"):
            await it.begin(config={"host": "evil/../x"})
        with pytest.raises(ValueError, match="scope"):
            await it.begin(scopes=("a b",))
        with pytest.raises(ValueError, match="takes no scopes"):
            await it.begin("notion", scopes=("read",))
        with pytest.raises(ValueError, match="its owner for"):
            await it.consents.begin(Owner.app("app-1", "slack"), TYPE)
        with pytest.raises(ValueError, match="redirect_uri"):
            await it.begin(redirect_uri="https://example.com/#fragment")
        with pytest.raises(ValueError, match="a code must not travel unencrypted"):
            await it.begin(redirect_uri="http://example.com/oauth/callback")
        with database(it.vault.path) as other:
            assert other.execute("SELECT COUNT(*) FROM consents").fetchone() == (0,)


async def test_a_state_is_good_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        query = it.allow(await it.begin())
        await it.consents.complete(query)
        with pytest.raises(ConsentOverError, match="It was connected before") as caught:
            await it.consents.complete(query)
        assert caught.value.connected
        assert caught.value.integration_type == TYPE
        assert len(it.transport.calls) == 1


async def test_of_many_callbacks_at_once_one_is_completed(tmp_path: Path) -> None:
    ended: list[str] = []

    async def come(query: Secret) -> None:
        try:
            await it.consents.complete(query)
        except ConsentOverError as error:
            ended.append(str(error))
        else:
            ended.append("connected")

    async with world(tmp_path) as it:
        await it.configure()
        query = it.allow(await it.begin())
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(come, query)
        assert ended.count("connected") == 1
        assert set(ended) <= {
            "connected",
            "It was connected before",
            "It is being connected at this moment",
        }
        assert len(it.transport.calls) == 1


async def test_a_state_is_good_for_ten_minutes(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun, late = await it.begin(), await it.begin()
        it.clock.now += 599
        await it.consents.complete(it.allow(begun))
        query = it.allow(late)
        it.clock.now += 1
        assert "more than ten minutes ago" in await it.refusal(query)
        assert len(it.transport.calls) == 1


async def test_a_state_that_a_wrong_clock_has_dated_into_the_future_is_good_for_nothing(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        it.clock.now += 86_400
        begun = await it.begin()
        query = it.allow(begun)
        it.clock.now -= 86_400
        assert (await it.status(begun)).outcome == "expired"
        assert "begin again" in await it.refusal(query)
        assert it.transport.calls == []


@pytest.mark.parametrize("words", ["Acc\u00e8s refus\u00e9\u00a0!", "a\u200bb", "\ue000"])
async def test_whatever_a_provider_says_of_its_refusal_ends_the_consent(
    tmp_path: Path, words: str
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        denied = it.allow(begun, error="access_denied", error_description=words, code=None)
        assert "the consent was not given" in await it.refusal(denied)
        assert (await it.status(begun)).outcome == "denied"
        begun = await it.begin()
        answer = json_response({"error": "invalid_grant", "error_description": words}, 400)
        with pytest.raises(ConnectingError, match="invalid_grant"):
            await it.over(answering(answer)).complete(it.allow(begun))
        assert (await it.status(begun)).outcome == "failed"


async def test_a_state_is_good_in_its_own_vault_only(tmp_path: Path) -> None:
    async with world(tmp_path) as it, world(tmp_path / "other") as other:
        await it.configure()
        await other.configure()
        query = it.allow(await it.begin())
        assert "was not begun here" in await other.refusal(query)
        assert other.transport.calls == []
        await it.consents.complete(query)


@pytest.mark.parametrize(
    "query", ["", "code=c", "code=c&state=", "state=a&state=b", "state=made-up"]
)
async def test_a_callback_without_a_state_of_ours_is_refused(tmp_path: Path, query: str) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        await it.begin()
        assert "begin again" in await it.refusal(Secret(query))
        assert it.transport.calls == []


async def test_a_consent_that_was_denied_is_told_and_connects_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        told = await it.refusal(it.deny(begun))
        assert told.startswith("gitlab: the consent was not given (access_denied")
        status = await it.status(begun)
        assert (status.outcome, status.problem) == ("denied", told)
        assert await it.row() is None
        # Who comes once more is told the same.
        assert await it.refusal(it.deny(begun)) == told


@pytest.mark.parametrize("code", ["user_cancelled_authorize", "user_cancelled_login"])
async def test_a_consent_that_was_denied_in_a_provider_s_own_words_is_denied(
    tmp_path: Path, code: str
) -> None:
    async with world(tmp_path) as it:
        await it.configure("linkedin")
        begun = await it.begin("linkedin")
        assert code in await it.refusal(query_of(it.provider.deny(begun.url), error=code))
        assert (await it.status(begun)).outcome == "denied"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"iss": "https://evil.example"}, "comes from another provider"),
        ({"code": None}, "came back to has no code"),
        ({"code": "line\nbreak"}, "came back to has no code"),
        ({"error": "server_error"}, "the consent was not given (server_error"),
    ],
)
async def test_a_callback_that_is_not_the_providers_uses_the_state_up_and_connects_nothing(
    tmp_path: Path, changes: dict[str, str | None], told: str
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        assert told in await it.refusal(it.allow(begun, "ada", **changes))
        assert (await it.status(begun)).outcome == "failed"
        assert told in await it.refusal(it.allow(begun))
        assert it.transport.calls == []
        assert await it.row() is None


async def test_hostile_values_that_a_callback_tells_connect_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure("quickbooks")
        begun = await it.begin("quickbooks")
        told = await it.refusal(it.allow(begun, realmId="1/../evil-planted"))
        assert "connection_config['realmId'] is or has a path segment of dots" in told
        assert "evil-planted" not in told
        assert it.transport.calls == []
        assert await it.row("quickbooks") is None


async def test_a_callback_without_what_the_connection_needs_connects_nothing(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure("wix")
        begun = await it.begin("wix")
        assert "instanceId" in await it.refusal(it.allow(begun, instanceId=None))
        assert await it.row("wix") is None


def answering(response: Response) -> MockTransport:
    return MockTransport(lambda _: response)


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (json_response({}), "gave no tokens (status 200)"),
        (json_response({"access_token": ""}), "gave no tokens"),
        (json_response({"access_token": "with\nbreak"}), "gave no tokens"),
        (Response(200, {}, b"<html>"), "gave no tokens"),
        (Response(302, {"location": "https://evil.example"}, b""), "status 302"),
        (json_response({"error": "invalid_grant"}, 400), "(invalid_grant)"),
        (json_response({"error": "slow_down"}, 503), "status 503"),
    ],
)
async def test_an_answer_without_a_token_connects_nothing(
    tmp_path: Path, response: Response, told: str
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        it.consents = it.over(answering(response))
        assert told in await it.refusal(it.allow(begun))
        assert (await it.status(begun)).outcome == "failed"
        assert await it.row() is None


async def test_hostile_values_that_an_answer_tells_connect_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure("salesforce")
        begun = await it.begin("salesforce")
        answer = {"access_token": "t", "instance_url": "https://evil-planted.example"}
        it.consents = it.over(answering(json_response(answer)))
        told = await it.refusal(it.allow(begun))
        assert "instance_url" in told
        assert "evil-planted" not in told
        assert await it.row("salesforce") is None


async def test_an_answer_that_lacks_what_the_connection_needs_connects_nothing(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        needed = attrs.evolve(
            it.catalog["wix"].connection_config[0], name="team_id", validation_pattern="T.*"
        )
        it.catalog["slack"] = attrs.evolve(it.catalog["slack"], connection_config=(needed,))
        await it.configure("slack")
        begun = await it.begin("slack")
        answer = {"ok": True, "authed_user": {"access_token": "t"}}
        it.consents = it.over(answering(json_response(answer)))
        assert "connection_config['team_id'] is missing" in await it.refusal(it.allow(begun))
        assert (await it.status(begun)).outcome == "failed"


async def test_a_client_that_is_refused_is_told_with_what_to_do_and_the_refreshes_are_let_alone(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure(client=OAuthClient("sandbox-gitlab", Secret("planted-wrong-secret")))
        begun = await it.begin()
        told = await it.refusal(it.allow(begun))
        assert "whose id or secret is wrong: `connectors configure gitlab`" in told
        assert "planted" not in told
        app = await it.vault.apps.get(TYPE)
        assert app is not None
        # One consent that fails is no reason to stop all refreshes of its type.
        assert (app.problem, app.failures) == (None, 0)


async def test_a_client_that_is_taken_is_not_known_as_rejected_any_more(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        app = await it.vault.apps.get(TYPE)
        assert app is not None
        await it.vault.apps.reject(app, problem="invalid_client", at=NOW, retry_at=NOW + 900)
        await it.connect()
        app = await it.vault.apps.get(TYPE)
        assert app is not None
        assert (app.problem, app.failures) == (None, 0)


async def test_a_client_that_is_removed_or_changed_meanwhile_ends_the_consent(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        await it.configure(client=OAuthClient("other", Secret("of-another-host")))
        assert "configured again meanwhile" in await it.refusal(it.allow(begun))
        begun = await it.begin()
        await it.vault.apps.remove(TYPE)
        assert "was removed meanwhile" in await it.refusal(query_with(begun))
        assert (await it.status(begun)).outcome == "failed"
        assert it.transport.calls == []
        assert await it.row() is None


async def test_a_client_that_is_removed_while_its_code_comes_back_ends_the_consent(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        with database(it.vault.path) as other:
            other.execute("DELETE FROM oauth_apps")
        assert await it.refusal(it.allow(begun)) == (
            "There is no OAuth client for gitlab any more: `connectors configure gitlab` sets one"
        )


def query_with(begun: Begun) -> Secret:
    """What a provider sends that the sandbox would refuse to send."""
    return Secret(f"code=c&state={asked(begun)['state']}")


async def test_a_type_that_is_gone_from_the_catalogue_ends_the_consent(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        query = it.allow(begun)
        del it.catalog[TYPE]
        assert "no integration type 'gitlab'" in await it.refusal(query)
        assert (await it.status(begun)).outcome == "failed"


def lost(kind: type[ConnectError | ReadTimeoutError]) -> MockTransport:
    def fail(request: Request) -> Response:
        raise kind(
            "it broke",
            method=request.method,
            url=request.url,
            phase="connect",
            maybe_sent=kind is ReadTimeoutError,
        )

    return MockTransport(fail)


@pytest.mark.parametrize("kind", [ConnectError, ReadTimeoutError])
async def test_a_provider_that_does_not_answer_is_told_and_connects_nothing(
    tmp_path: Path, kind: type[ConnectError | ReadTimeoutError]
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        it.consents = it.over(lost(kind))
        told = await it.refusal(it.allow(begun))
        assert told.startswith("The provider has not answered: it broke")
        assert told.endswith("Begin again")
        assert await it.row() is None


async def test_connecting_again_keeps_the_id_and_the_config_and_replaces_the_tokens(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        first = (await it.connect(config={"host": "git.example.org"})).connection
        second = (await it.connect(account="ben")).connection
        assert second.id == first.id
        assert second.generation == 2
        assert second.connection_config == {"host": "git.example.org"}
        assert token(second) != token(first)
        third = (await it.connect(config={"host": "other.example.org"})).connection
        assert third.id == first.id
        assert third.connection_config == {"host": "other.example.org"}


async def test_a_connection_that_has_ended_is_connected_again_under_its_id(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        first = (await it.connect(config={"host": "git.example.org"})).connection
        assert await it.vault.refreshes.fail(first, "invalid_grant", "invalid_grant")
        failed = await it.row()
        assert failed is not None
        assert failed.state == "refresh_failed"
        again = (await it.connect()).connection
        assert (again.id, again.state, again.reason) == (first.id, "active", None)
        assert again.connection_config == {"host": "git.example.org"}
        await it.vault.disconnect(OWNER)
        anew = (await it.connect()).connection
        assert anew.id == first.id
        assert anew.connection_config == {"host": "gitlab.com"}


async def test_what_the_provider_told_of_one_account_is_not_kept_for_the_next(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure("quickbooks")
        first = (await it.connect("quickbooks", "ada")).connection
        second = (await it.connect("quickbooks", "ben")).connection
        assert first.connection_config != second.connection_config
        begun = await it.begin("quickbooks")
        await it.consents.complete(it.allow(begun, realmId=None))
        third = await it.row("quickbooks")
        assert third is not None
        assert not third.connection_config


async def test_the_values_of_the_client_are_used_for_what_the_connection_does_not_have(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure(config={"host": "of-the-client.example.org"})
        first = (await it.connect()).connection
        assert first.connection_config == {"host": "of-the-client.example.org"}
        await it.configure(config={"host": "new.example.org"})
        second = (await it.connect()).connection
        assert second.connection_config == {"host": "of-the-client.example.org"}


async def test_who_begins_and_who_completes_may_be_different_processes(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        query = it.allow(begun)
        async with Vault(it.vault.path) as other:
            consents = Consents(
                other, it.transport, catalog=it.catalog, redirect_uri=None, clock=it.clock
            )
            connected = await consents.complete(query)
        assert connected.connection.id == begun.connection_id
        assert (await it.status(begun)).outcome == "active"


async def test_a_token_that_nothing_can_renew_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        answer = json_response({"access_token": "t", "expires_in": 3600})
        connected = await it.over(answering(answer)).complete(it.allow(begun))
        assert not connected.lasts
        begun = await it.begin()
        connected = await it.over(answering(json_response({"access_token": "t"}))).complete(
            it.allow(begun)
        )
        # It has no end.
        assert connected.lasts


async def test_connections_that_share_a_chain_at_the_provider_share_it_here(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure("slackbot")
        owners = [Owner.workspace("app-1", "c-1"), Owner.workspace("app-1", "c-2")]
        keys = set()
        for owner in owners:
            begun = await it.consents.begin(owner, "slackbot")
            keys.add((await it.consents.complete(it.allow(begun))).connection.lock_key)
        assert len(keys) == 1


async def test_cancelled_before_the_state_is_used_it_has_done_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        query = it.allow(begun)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await it.consents.complete(query)
        assert scope.cancelled_caught
        assert (await it.status(begun)).outcome == "pending"
        await it.consents.complete(query)


async def test_cancelled_while_the_provider_is_asked_it_goes_on_to_the_end(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        query = it.allow(await it.begin())
        with anyio.CancelScope() as scope:

            async def cancelling(request: Request) -> Response:
                scope.cancel()
                await anyio.sleep(0.05)
                return await it.transport.send(request)

            await it.over(MockTransport(cancelling)).complete(query)
        assert await it.row() is not None


async def test_what_no_shield_keeps_out_leaves_a_consent_that_is_used_up_and_nothing_else(
    tmp_path: Path,
) -> None:
    def break_off(_: Request) -> Response:
        raise KeyboardInterrupt

    async with world(tmp_path) as it:
        await it.configure()
        before = (await it.connect()).connection
        begun = await it.begin()
        with pytest.raises(KeyboardInterrupt):
            await it.over(MockTransport(break_off)).complete(it.allow(begun))
        status = await it.status(begun)
        assert (status.outcome, status.problem) == ("failed", "It was broken off: begin again")
        assert await it.row() == before


async def test_a_vault_that_fails_after_the_exchange_leaves_the_connection_as_it_was(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        before = (await it.connect()).connection
        begun = await it.begin()

        async def damaging(request: Request) -> Response:
            response = await it.transport.send(request)
            with database(it.vault.path) as other:
                other.execute("UPDATE connections SET scopes = '{'")
            return response

        with pytest.raises(VaultError):
            await it.over(MockTransport(damaging)).complete(it.allow(begun))
        assert (await it.status(begun)).outcome == "failed"
        with database(it.vault.path) as other:
            other.execute("UPDATE connections SET scopes = ?", (json.dumps(before.scopes),))
        assert await it.row() == before


def refuse_outcome(path: Path, outcome: str) -> None:
    with database(path) as other:
        other.execute(
            f"CREATE TRIGGER t BEFORE UPDATE ON consents WHEN NEW.outcome = '{outcome}' "
            "BEGIN SELECT RAISE(ABORT, 'no'); END"
        )


async def test_a_connection_and_the_end_of_its_consent_are_kept_together_or_not_at_all(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        query = it.allow(begun)
        refuse_outcome(it.vault.path, "active")
        with pytest.raises(VaultError):
            await it.consents.complete(query)
        assert await it.vault.list("app-1") == ()
        assert (await it.status(begun)).outcome == "failed"


async def test_what_is_connected_is_connected_when_nobody_can_note_that_the_client_was_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        with database(it.vault.path) as other:
            other.execute(
                "CREATE TRIGGER t BEFORE UPDATE ON oauth_apps BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        await it.consents.complete(it.allow(begun))
        assert await it.row() is not None
        assert (await it.status(begun)).outcome == "active"
        assert "connectors.local.client_untold" in caplog.text


async def test_that_the_end_of_a_consent_can_not_be_told_changes_nothing_about_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        query = it.deny(await it.begin())
        refuse_outcome(it.vault.path, "denied")
        with pytest.raises(ConnectingError, match="not given"):
            await it.consents.complete(query)
        assert "connectors.local.consent_untold" in caplog.text


async def test_a_consent_that_was_given_up_meanwhile_ends_as_it_was_said_then(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()

        async def given_up(_: Request) -> Response:
            await it.vault.consent_rows.end(begun.state_hash, "failed", "given up", NOW)
            return json_response({"error": "invalid_grant"}, 400)

        with pytest.raises(ConnectingError):
            await it.over(MockTransport(given_up)).complete(it.allow(begun))
        assert (await it.status(begun)).problem == "given up"
        assert "connectors.local.consent" not in caplog.text


async def test_no_error_and_no_event_has_a_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with world(tmp_path) as it:
        secret = it.provider.client(TYPE).client_secret
        assert secret is not None
        await it.configure()
        planted = [secret.reveal()]
        errors: list[BaseException] = []
        for make, transport in (
            (it.deny, it.transport),
            (it.allow, lost(ConnectError)),
            (it.allow, answering(json_response({"error": "invalid_client"}, 401))),
            (it.allow, answering(json_response({"error": "x", "error_description": "y"}, 400))),
        ):
            begun = await it.begin()
            query = make(begun)
            planted += [asked(begun)["state"], query_of_code(query)]
            with pytest.raises(ConnectingError) as caught:
                await it.over(transport).complete(query)
            errors.append(caught.value)
        for error in errors:
            told = printed_with_locals(error) + caplog.text + repr(it.consents)
            assert not [value for value in planted if value and value in told]


def query_of_code(query: Secret) -> str:
    return dict(parse_qsl(query.reveal())).get("code", "")


async def test_a_value_that_is_refused_is_not_in_the_error_or_its_frames(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        with pytest.raises(ValueError, match="host") as caught:
            await it.consents.begin(OWNER, TYPE, config={"host": "planted value"})
        assert "planted value" not in printed_with_locals(caught.value)


async def test_nothing_of_a_consent_is_in_the_files_in_plain_text(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        begun = await it.begin()
        query = it.allow(begun)
        await it.consents.complete(query)
        sent = dict(parse_qsl((it.transport.calls[0].request.body or b"").decode()))
        left = everything_in(tmp_path)
        for value in (sent["code"], sent["code_verifier"], asked(begun)["state"]):
            assert value.encode() not in left


async def test_a_slow_provider_is_waited_for(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.configure()
        it.provider.inject(Fault(delay_after=0.05))
        await it.connect()
        assert await it.row() is not None


async def test_how_a_consent_ended_is_an_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with world(tmp_path) as it:
        await it.configure()
        await it.connect()
        await it.refusal(it.deny(await it.begin()))
    assert "event=connectors.local.consent outcome=active" in caplog.text.replace('"', "")
    assert "outcome=denied" in caplog.text

"""`call_api` against the local backend: the token goes to the provider, and never to the app."""

import base64
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import ApiResponse, Client
from connectors.catalog import Integration, integrations
from connectors.local import Grant, Owner
from connectors.local._envelopes import _NOTHING
from tests.local.backends import APP, NOT_CONNECTED, SERVICE_ONLY, told
from tests.local.dropbox import (
    ACCESS,
    CALL_PATH,
    LIFETIME,
    OWNER,
    REFRESH,
    Step,
    World,
    says,
    world,
)
from tests.local.vaults import database
from tests.loops import REAL, on
from transports import (
    BodyTooLargeError,
    ConnectError,
    DisconnectedError,
    ReadTimeoutError,
    Request,
    Response,
)

pytestmark = on(REAL)

NEW = "planted-access-token-1"
DONE: dict[str, object] = {
    **_NOTHING,
    "success": True,
    "phase": "responded",
    "status_code": 200,
    "data": {"method": "GET", "path": "/2/x"},
    "content_type": "application/json",
}
REFUSED = {
    **DONE,
    "success": False,
    "status_code": 401,
    "data": {"error": "expired_access_token"},
}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as here:
        yield here


def sent_tokens(here: World) -> list[str]:
    return [call.headers["authorization"] for call in here.dropbox.calls]


async def test_a_call_goes_out_with_the_token_and_its_answer_comes_back(here: World) -> None:
    await here.connect()
    assert await here.call() == (200, DONE)
    [sent] = here.dropbox.calls
    assert (sent.method, sent.url) == ("GET", "https://api.dropboxapi.com/2/x")
    assert (sent.body, sent.idempotent) == (None, False)
    assert {name: sent.headers[name] for name in sent.headers} == {
        "accept": "*/*",
        "user-agent": sent.headers["user-agent"],
        "authorization": f"Bearer {ACCESS}",
    }
    assert sent.headers["user-agent"].startswith("base44-connectors/")


async def test_what_an_app_describes_is_what_is_sent(here: World) -> None:
    await here.connect()
    here.dropbox.next_call = [says(200, {})]
    await here.call(
        method="POST",
        path="/2/files/é",
        host="content.dropboxapi.com",
        query={"a": [1, True]},
        headers={"Dropbox-API-Arg": "{}", "Content-Type": "application/octet-stream"},
        body="text",
    )
    [sent] = here.dropbox.calls
    assert sent.url == "https://content.dropboxapi.com/2/files/%C3%A9?a=1&a=true"
    assert (sent.method, sent.body) == ("POST", b"text")
    assert sent.headers["dropbox-api-arg"] == "{}"
    assert sent.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "name",
    ["Authorization", "Cookie", "Host", "Content-Length", "Transfer-Encoding", "Connection",
     "X-HTTP-Method-Override", "X-Forwarded-For", "Proxy-Authorization", "User-Agent", "Forwarded",
     "Origin", "Referer", "X-GitHub-Api-Version"],
)  # fmt: skip
async def test_a_header_that_the_connector_does_not_allow_is_dropped(
    here: World, name: str
) -> None:
    await here.connect()
    await here.call(headers={name: "planted", name.lower(): "planted"})
    [sent] = here.dropbox.calls
    assert all("planted" not in value for value in sent.headers.values() if ACCESS not in value)
    assert sent.headers.get_all("authorization") == (f"Bearer {ACCESS}",)


async def test_a_type_says_what_its_api_needs_and_what_of_it_may_be_replaced(here: World) -> None:
    config = {"developer_token": "planted-developer-tok3", "login_customer_id": "1234567890"}
    for name, values in (("notion", None), ("googleads", config)):
        await here.vault.put(
            Owner.app(APP, name), Grant(name, "planted-other", connection_config=values)
        )
    sent: list[Request] = []

    def answered(request: Request) -> Response:
        sent.append(request)
        return Response(204)

    mine = {"Notion-Version": "mine", "Login-Customer-Id": "7", "Developer-Token": "mine"}
    for name, host in (("notion", "api.notion.com"), ("googleads", "googleads.googleapis.com")):
        here.transport.route("GET", f"https://{host}/2/x", answered)
        for headers in ({}, mine):
            status, _ = await here.call(f"connectors/{name}/call", headers=headers)
            assert status == 200
    versions = [request.headers["notion-version"] for request in sent[:2]]
    assert versions == [integrations()["notion"].api.headers["Notion-Version"], "mine"]
    assert [request.headers["login-customer-id"] for request in sent[2:]] == ["1234567890", "7"]
    for request in sent[2:]:
        assert request.headers.get_all("developer-token") == ("planted-developer-tok3",)


async def test_a_value_that_no_header_can_hold_is_refused_before_anything_is_sent(
    here: World,
) -> None:
    await here.vault.put(OWNER, Grant("dropbox", "odd\ud800\u2028token"))
    status, body = await here.call()
    assert (status, body["code"]) == (409, "CONNECTION_CONFIG")
    assert "'authorization' that no header can hold" in body["detail"]
    assert here.transport.calls == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
async def test_a_refused_token_is_renewed_and_the_call_sent_once_more(
    here: World, method: str
) -> None:
    await here.connect()
    here.dropbox.good.clear()
    status, body = await here.call(method=method, body={"n": 1})
    assert (status, body["status_code"], body["success"]) == (200, 200, True)
    assert sent_tokens(here) == [f"Bearer {ACCESS}", f"Bearer {NEW}"]
    first, second = here.dropbox.calls
    assert (first.method, first.url, first.body) == (second.method, second.url, second.body)
    assert len(here.dropbox.token_calls) == 1


async def test_a_new_token_that_is_refused_too_is_not_renewed_again(here: World) -> None:
    await here.connect()
    here.dropbox.next_call = [says(401, {"error": "expired_access_token"})] * 2
    assert await here.call() == (200, REFUSED)
    assert sent_tokens(here) == [f"Bearer {ACCESS}", f"Bearer {NEW}"]


async def test_a_provider_that_refuses_every_token_is_asked_for_one_a_minute(here: World) -> None:
    await here.connect()
    here.dropbox.next_call = [says(401, {"error": "expired_access_token"})] * 20
    for _ in range(10):
        assert await here.call() == (200, REFUSED)
        here.clock.now += 1
    assert len(here.dropbox.calls) == 11
    assert len(here.dropbox.token_calls) == 1
    here.clock.now += 50
    assert await here.call() == (200, REFUSED)
    assert len(here.dropbox.token_calls) == 2


async def test_a_token_that_comes_back_as_it_was_is_not_sent_again(here: World) -> None:
    await here.connect()
    here.dropbox.good.clear()
    here.dropbox.next_token = [says(200, {"access_token": ACCESS, "expires_in": LIFETIME})]
    assert await here.call(method="POST") == (200, REFUSED)
    assert sent_tokens(here) == [f"Bearer {ACCESS}"]
    assert len(here.dropbox.token_calls) == 1


@pytest.mark.parametrize(
    "grant", [{"refresh_token": None}, {"source": "manual"}], ids=["no refresh token", "by hand"]
)
async def test_a_refusal_that_nothing_can_change_is_the_result(
    here: World, grant: dict[str, Any]
) -> None:
    await here.connect(**grant)
    here.dropbox.good.clear()
    assert await here.call(method="POST") == (200, REFUSED)
    assert len(here.dropbox.calls) == 1


async def test_a_refusal_is_the_result_when_the_provider_gives_no_other_token(here: World) -> None:
    await here.connect()
    here.dropbox.good.clear()
    here.dropbox.next_token = [says(400, {"error": "invalid_grant"})]
    assert await here.call() == (200, REFUSED)
    status, body = await here.call()
    assert (status, body["code"]) == (409, "RECONNECT_REQUIRED")
    assert len(here.dropbox.calls) == 1


async def test_a_connection_that_was_removed_meanwhile_leaves_the_refusal_as_the_result(
    here: World,
) -> None:
    await here.connect()
    gone = anyio.Event()

    async def refuse(_: Request) -> Response:
        await here.vault.disconnect(OWNER)
        gone.set()
        return Response(401)

    here.transport.route("GET", "https://api.dropboxapi.com/2/x", refuse)
    status, body = await here.call()
    assert (status, body["status_code"]) == (200, 401)
    assert gone.is_set()
    assert await here.call() == (404, NOT_CONNECTED)


class Forgetful(dict[str, Integration]):
    """A catalogue that removes every connection when it is asked for a type."""

    def __init__(self, vault: Path) -> None:
        super().__init__(integrations())
        self.vault = vault

    def get(self, key: str, default: object = None) -> Any:
        with database(self.vault) as other:
            other.execute("DELETE FROM connections")
        return super().get(key, default)


async def test_a_connection_that_is_removed_before_the_call_is_not_found(tmp_path: Path) -> None:
    async with world(tmp_path, catalog=Forgetful(tmp_path / "vault.db")) as here:
        await here.connect()
        assert await here.call() == (404, NOT_CONNECTED)
        assert here.transport.calls == []


async def test_a_token_that_has_ended_is_renewed_before_the_call(here: World) -> None:
    await here.connect()
    here.clock.now += LIFETIME
    assert await here.call() == (200, DONE)
    assert sent_tokens(here) == [f"Bearer {NEW}"]


async def test_without_a_token_there_is_no_call(here: World) -> None:
    await here.connect(expires_at=here.clock.now)
    here.dropbox.next_token = [says(503), says(400, {"error": "invalid_grant"})]
    for expected in ((503, "REFRESH_POSTPONED"), (409, "RECONNECT_REQUIRED")):
        status, body = await here.call()
        assert (status, body["code"]) == expected
        here.clock.now += 3600
    assert here.dropbox.calls == []


@pytest.mark.parametrize(
    ("call", "status"),
    [({"path": "/../x"}, 422), ({"host": "evil.example"}, 422), ({"method": "TRACE"}, 422)],
)
async def test_nothing_is_renewed_for_a_call_that_cant_be_made(
    here: World, call: dict[str, object], status: int
) -> None:
    await here.connect(expires_at=here.clock.now)
    answered, body = await here.call(**call)
    assert (answered, set(body)) == (status, {"detail"})
    assert here.transport.calls == []


async def test_what_is_not_connected_is_not_found(here: World) -> None:
    await here.connect(Owner.workspace(APP, "dropbox"))
    await here.connect(Owner.app_user(APP, "dropbox", "ann"))
    await here.connect(Owner.app("another-app", "dropbox"))
    assert await here.call() == (404, NOT_CONNECTED)
    assert here.transport.calls == []


async def test_calls_are_for_the_service_token_alone(here: World) -> None:
    await here.connect()
    for headers in (here.local.user("ann"), here.local.workspace()):
        response = await here.local.ask("POST", CALL_PATH, headers, b'{"path": "/x"}')
        assert (response.status, told(response)) == (403, SERVICE_ONLY)
    assert here.transport.calls == []


async def test_a_type_that_the_catalogue_does_not_know_is_not_called(here: World) -> None:
    await here.vault.put(Owner.app(APP, "zendesk"), Grant("zendesk", ACCESS))
    assert await here.call("connectors/zendesk/call") == (
        501,
        {
            "detail": "The local backend does not know where the API of 'zendesk' is; get the "
            "connection, and call the provider with its token",
            "code": "NOT_SUPPORTED",
        },
    )


async def test_a_value_of_the_vault_that_leads_elsewhere_gets_no_token(here: World) -> None:
    config = {"host": "evil.example/"}
    await here.vault.put(
        Owner.app(APP, "gitlab"), Grant("gitlab", ACCESS, connection_config=config)
    )
    status, body = await here.call("connectors/gitlab/call")
    assert (status, body["code"]) == (409, "CONNECTION_CONFIG")
    assert here.transport.calls == []


def failing(kind: Any, phase: Any, *, maybe_sent: bool) -> Step:
    def fail(request: Request) -> Response:
        raise kind(
            "broke", method=request.method, url=request.url, phase=phase, maybe_sent=maybe_sent
        )

    return fail


@pytest.mark.parametrize(
    ("step", "phase"),
    [
        (failing(ConnectError, "connect", maybe_sent=False), "not_sent"),
        (failing(ReadTimeoutError, "headers", maybe_sent=True), "timed_out"),
        (failing(DisconnectedError, "headers", maybe_sent=True), "sent_unconfirmed"),
        (failing(BodyTooLargeError, "body", maybe_sent=True), "sent_unconfirmed"),
    ],
    ids=["unreachable", "silent", "broken", "too large"],
)
async def test_a_call_without_an_answer_is_told_and_not_repeated(
    here: World, step: Step, phase: str
) -> None:
    await here.connect()
    here.dropbox.next_call = [step]
    status, body = await here.call(method="POST")
    assert (status, body["success"], body["phase"]) == (200, False, phase)
    assert body["status_code"] is None
    assert body["detail"].startswith("broke (POST https://api.dropboxapi.com/2/x, phase ")
    assert len(here.dropbox.calls) == 1


@pytest.mark.parametrize(("size", "phase"), [(0, "responded"), (1, "sent_unconfirmed")])
async def test_an_answer_of_up_to_16_mib_comes_back(here: World, size: int, phase: str) -> None:
    await here.connect()
    body = b"x" * (16 * 1024 * 1024 + size)
    here.dropbox.next_call = [lambda _: Response(200, {}, body)]
    _, told_of_it = await here.call()
    assert told_of_it["phase"] == phase
    if size == 0:
        assert base64.b64decode(told_of_it["data_base64"]) == body


@pytest.mark.parametrize("location", ["https://evil.example/", "/elsewhere", "//evil.example/x"])
async def test_no_redirect_is_followed(here: World, location: str) -> None:
    await here.connect()
    here.dropbox.next_call = [lambda _: Response(307, {"location": location})]
    status, body = await here.call(method="POST", body={})
    assert (status, body["success"], body["status_code"]) == (200, False, 307)
    assert body["headers"] == {"location": location}
    assert len(here.transport.calls) == 1


async def test_a_provider_that_does_not_answer_is_given_up_before_the_client_gives_up(
    here: World,
) -> None:
    await here.connect()
    await here.call()
    [sent] = here.dropbox.calls
    assert anyio.current_time() + 20 < sent.deadline <= anyio.current_time() + 25


async def test_a_client_makes_calls_of_a_vault_in_its_own_process(here: World) -> None:
    await here.vault.put(Owner.app("local", "dropbox"), Grant("dropbox", ACCESS))
    async with Client.local(vault=here.vault, provider_transport=here.transport) as client:
        call = client.as_service_role.connectors.call_api
        answer = await call("dropbox", path="/2/x", method="POST", body={"a": 1})
        here.dropbox.next_call = [lambda _: Response(200, {"etag": "1"}, b"\0" * 5_000_000)]
        large = await call("dropbox", path="/2/x")
    assert answer == ApiResponse(
        success=True,
        phase="responded",
        status=200,
        data={"method": "POST", "path": "/2/x"},
        content_type="application/json",
    )
    assert (large.status, large.headers) == (200, {"etag": "1"})
    assert base64.b64decode(large.data_base64 or "") == b"\0" * 5_000_000


async def test_no_event_holds_a_token_or_what_an_app_sends(
    here: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "connectors")
    await here.connect()
    here.dropbox.good.clear()
    here.dropbox.next_call = [
        says(401),
        failing(DisconnectedError, "headers", maybe_sent=True),
        says(200, {"token": "planted-answer"}),
    ]
    for _ in range(2):
        await here.call(
            path="/2/planted-path",
            query={"q": "planted-query"},
            headers={"dropbox-api-arg": "planted-header"},
            body="planted-body",
        )
    assert "event=connectors.local.call " in caplog.text
    assert "phase=sent_unconfirmed" in caplog.text
    assert "host=api.dropboxapi.com" in caplog.text
    assert "planted" not in caplog.text


CALLS = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["GET", "POST", "DELETE", "get", ""]),
        "path": st.sampled_from(
            [
                "/x",
                "//evil.example/x",
                "https://evil.example",
                "/../x",
                "/%2e%2e/x",
                "/\\evil",
                "@e",
            ]
        )
        | st.text(max_size=12).map("/".__add__)
        | st.text(max_size=12),
        "host": st.none()
        | st.sampled_from(["api.dropboxapi.com", "content.dropboxapi.com", "evil.example"])
        | st.text(max_size=12),
        "query": st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
        "headers": st.dictionaries(
            st.sampled_from(["Host", "Authorization", "X-Forwarded-Host", "Accept", "Cookie"]),
            st.text(max_size=8) | st.just("evil.example"),
            max_size=2,
        ),
        "body": st.none() | st.text(max_size=5) | st.dictionaries(st.text(max_size=3), st.text()),
    },
)
CAREFULLY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@CAREFULLY
@given(call=CALLS)
async def test_whatever_call_an_app_describes_it_goes_to_a_declared_host_or_nowhere(
    here: World, call: dict[str, object]
) -> None:
    if await here.vault.get(OWNER) is None:
        await here.connect()
    here.dropbox.calls.clear()
    response = await here.local.ask(
        "POST", CALL_PATH, here.local.service(), json.dumps(call).encode()
    )
    assert response.status in {200, 422}
    assert ACCESS.encode() not in response.body
    assert REFRESH.encode() not in response.body
    # The provider in memory refuses to be any other host.
    for sent in here.dropbox.calls:
        assert sent.url.split("/")[2] in {"api.dropboxapi.com", "content.dropboxapi.com"}
        assert sent.headers.get_all("authorization") == (f"Bearer {ACCESS}",)
        assert set(sent.headers) <= {"accept", "user-agent", "authorization", "content-type"}
    assert len(here.dropbox.calls) == (response.status == 200)


async def test_a_cancelled_call_ends_at_once(here: World) -> None:
    await here.connect()
    begun = anyio.Event()

    async def answer(_: Request) -> Response:
        begun.set()
        await anyio.sleep_forever()
        raise AssertionError

    here.transport.route("GET", "https://api.dropboxapi.com/2/x", answer)
    with suppress(TimeoutError):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.call)
            await begun.wait()
            tasks.cancel_scope.cancel()
    assert begun.is_set()


async def test_the_values_of_one_app_are_never_used_for_another(here: World) -> None:
    await here.connect()
    other = attrs.evolve(OWNER, app_id="app-2")
    await here.vault.put(other, Grant("dropbox", "planted-of-app-2"))
    here.dropbox.good.add("planted-of-app-2")
    await here.call()
    await here.call(f"/api/apps/app-2/{CALL_PATH}")
    assert sent_tokens(here) == [f"Bearer {ACCESS}", "Bearer planted-of-app-2"]

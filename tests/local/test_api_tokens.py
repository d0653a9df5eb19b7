"""A token that is handed out is good, and who gets none is told what to do."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors._requests import rejected_digest
from connectors.local import Grant, Owner
from connectors.local._records import GrantedTo
from tests.local.backends import APP, NOT_CONNECTED, told
from tests.local.dropbox import (
    ACCESS,
    CLIENT_SECRET,
    LIFETIME,
    OWNER,
    REFRESH,
    TOKEN_PATH,
    Step,
    World,
    says,
    world,
)
from tests.loops import REAL, on
from transports import ConnectError, Request, Response, Secret

pytestmark = on(REAL)

WORKSPACE = Owner.workspace(APP, "c-1")
USER = Owner.app_user(APP, "c-1", "ann")
PATHS = {
    OWNER: TOKEN_PATH,
    WORKSPACE: "external-auth/tokens/connectors/c-1",
    USER: "app-user-auth/connectors/c-1/token",
}
NEW = "planted-access-token-1"
DIGEST = rejected_digest(Secret(ACCESS))
MALFORMED = {
    "detail": "The header 'base44-rejected-token' must be there once and be 'sha256=' and the "
    "SHA-256 of the token in base64url without padding"
}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as here:
        yield here


def token(response: Response) -> object:
    assert response.status == 200, response.body
    body = told(response)
    assert isinstance(body, dict)
    return body["access_token"]


@pytest.mark.parametrize("owner", PATHS, ids=lambda owner: owner.kind)
async def test_a_token_that_has_ended_is_renewed_for_whoever_asks(
    here: World, owner: Owner
) -> None:
    await here.connect(owner)
    assert token(await here.token(PATHS[owner])) == ACCESS
    here.clock.now += LIFETIME
    assert token(await here.token(PATHS[owner])) == NEW
    assert [call["refresh_token"] for call in here.dropbox.token_calls] == [REFRESH]


@pytest.mark.parametrize("owner", PATHS, ids=lambda owner: owner.kind)
async def test_a_token_that_a_service_has_refused_is_renewed_once(
    here: World, owner: Owner
) -> None:
    await here.connect(owner)
    for _ in range(3):
        response = await here.token(PATHS[owner], Base44_Rejected_Token=DIGEST)
        assert token(response) == NEW
    assert len(here.dropbox.token_calls) == 1


async def test_a_token_that_is_not_the_refused_one_is_good_enough(here: World) -> None:
    await here.connect()
    other = rejected_digest(Secret("another"))
    assert token(await here.token(Base44_Rejected_Token=other)) == ACCESS
    assert here.dropbox.token_calls == []


@pytest.mark.parametrize(
    "given",
    [
        "",
        ACCESS,
        DIGEST.removeprefix("sha256="),
        DIGEST.upper(),
        DIGEST[:-1],
        f"{DIGEST}=",
        f" {DIGEST}x",
        DIGEST.replace("sha256", "sha512"),
        f"{DIGEST}, {DIGEST}",
        "sha256=" + "é" * 43,
    ],
)
async def test_a_digest_that_is_none_is_refused(here: World, given: str) -> None:
    await here.connect()
    response = await here.token(Base44_Rejected_Token=given)
    assert (response.status, told(response)) == (400, MALFORMED)
    assert here.dropbox.token_calls == []


async def test_a_digest_that_comes_twice_is_refused(here: World) -> None:
    await here.connect()
    bearer = here.local.service()["Authorization"]
    url = f"http://127.0.0.1/api/apps/{APP}/{TOKEN_PATH}"
    fields = [
        ("Authorization", bearer),
        ("Base44-Rejected-Token", DIGEST),
        ("base44-rejected-token", DIGEST),
    ]
    response = await here.local.backend.handle(Request("GET", url, fields))
    assert (response.status, told(response)) == (400, MALFORMED)


@pytest.mark.parametrize(
    ("owner", "command"),
    [
        (OWNER, "connectors connect dropbox --app-id app-1"),
        (WORKSPACE, "connectors connect dropbox --connector c-1 --app-id app-1"),
        (USER, "connectors connect dropbox --connector c-1 --user ann --app-id app-1"),
        (Owner.app("local", "dropbox"), "connectors connect dropbox"),
    ],
    ids=["app", "workspace", "app_user", "usual app"],
)
async def test_a_connection_that_has_ended_is_told_with_the_way_out(
    here: World, owner: Owner, command: str
) -> None:
    await here.connect(owner)
    here.clock.now += LIFETIME
    here.dropbox.next_token = [says(400, {"error": "invalid_grant"})]
    path = PATHS.get(owner, f"/api/apps/{owner.app_id}/{TOKEN_PATH}")
    for _ in range(2):
        response = await here.token(path)
        assert (response.status, told(response)) == (
            409,
            {
                "detail": "The connection to dropbox can't be used: the provider has ended it; "
                f"run: {command}",
                "code": "RECONNECT_REQUIRED",
                "reason": "invalid_grant",
                "state": "refresh_failed",
            },
        )
    assert len(here.dropbox.token_calls) == 1
    await here.connect(owner)
    assert token(await here.token(path)) == ACCESS


async def test_a_name_in_the_way_out_is_safe_to_run(here: World) -> None:
    await here.connect(Owner.app_user(APP, "c 1", "x; rm -rf ~"), expires_at=here.clock.now)
    here.dropbox.next_token = [says(400, {"error": "invalid_grant"})]
    path = "app-user-auth/connectors/c%201/token"
    response = await here.local.ask("GET", path, here.local.service("x; rm -rf ~"))
    assert b"--connector 'c 1' --user 'x; rm -rf ~' --app-id app-1" in response.body


@pytest.mark.parametrize(
    ("grant", "rejected", "words", "told_of_it"),
    [
        (
            {"refresh_token": None, "expires_at": 0.0},
            {},
            "its token has expired, and there is nothing to renew it with",
            {"reason": "no_refresh_token", "state": "expired"},
        ),
        (
            {"source": "manual", "expires_at": 0.0},
            {},
            "its token has expired, and there is nothing to renew it with",
            {"reason": "no_refresh_token", "state": "expired"},
        ),
        (
            {"refresh_token": None},
            {"Base44_Rejected_Token": DIGEST},
            "its token was refused, and there is nothing to renew it with",
            {"reason": "token_rejected", "state": "active"},
        ),
        (
            {"expires_at": 0.0, "connection_config": {"unheard-of": "planted-value"}},
            {},
            "its values are not what the type takes, so its token can't be renewed",
            {"reason": "config_refused", "state": "active"},
        ),
        (
            {"expires_at": 0.0, "client": GrantedTo("client-0", "https://x.example/back")},
            {},
            "it was granted to an OAuth client that was replaced by another one",
            {"reason": "client_replaced", "state": "active"},
        ),
    ],
    ids=["expired", "by hand", "refused", "other values", "other client"],
)
async def test_a_token_that_nothing_can_renew_is_told_with_its_state(
    here: World, grant: dict[str, Any], rejected: dict[str, str], words: str, told_of_it: object
) -> None:
    await here.connect(**grant)
    response = await here.token(**rejected)
    body = told(response)
    assert isinstance(body, dict)
    assert response.status == 409
    assert body.pop("code") == "RECONNECT_REQUIRED"
    assert body.pop("detail") == (
        f"The connection to dropbox can't be used: {words}; "
        "run: connectors connect dropbox --app-id app-1"
    )
    assert body == told_of_it


async def test_a_type_that_the_catalogue_does_not_know_is_handed_out_as_it_was_put_in(
    here: World,
) -> None:
    config = {"subdomain": "acme"}
    await here.vault.put(
        Owner.app(APP, "zendesk"), Grant("zendesk", ACCESS, connection_config=config)
    )
    response = await here.token("external-auth/tokens/zendesk")
    assert told(response) == {
        "access_token": ACCESS,
        "integration_type": "zendesk",
        "connection_config": config,
    }


def unreachable(request: Request) -> Response:
    raise ConnectError(
        "refused", method=request.method, url=request.url, phase="connect", maybe_sent=False
    )


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (says(503, None, Retry_After="7"), "the provider asks for patience (status 503)"),
        (says(429), "the provider asks for patience (status 429)"),
        (says(500), "the provider has given no clear answer (status 500)"),
        (unreachable, "the provider can't be reached"),
    ],
    ids=["503", "429", "500", "unreachable"],
)
async def test_a_refresh_that_has_to_wait_says_how_long_in_whole_seconds(
    here: World, step: Step, words: str
) -> None:
    await here.connect()
    here.dropbox.next_token = [step]
    assert token(await here.token()) == ACCESS
    here.clock.now += LIFETIME
    response = await here.token()
    assert response.status == 503
    seconds = response.headers["retry-after"]
    assert seconds == str(int(seconds)) != "0"
    if "503" in words:
        assert seconds == "7"
    assert told(response) == {
        "detail": f"The token of dropbox can't be renewed now: {words}; try again in {seconds} s",
        "code": "REFRESH_POSTPONED",
    }
    here.clock.now += int(seconds)
    assert token(await here.token()) == NEW


async def test_who_was_refused_a_token_is_not_told_that_it_has_expired(here: World) -> None:
    await here.connect()
    here.dropbox.next_token = [says(503, None, Retry_After="7")]
    response = await here.token(Base44_Rejected_Token=DIGEST)
    assert (response.status, told(response)) == (
        503,
        {
            "detail": "The token of dropbox can't be renewed now: the provider asks for patience "
            "(status 503); try again in 7 s",
            "code": "REFRESH_POSTPONED",
        },
    )
    assert token(await here.token()) == ACCESS


async def test_the_wait_is_rounded_up(here: World) -> None:
    await here.connect(expires_at=here.clock.now)
    here.dropbox.next_token = [says(503, None, Retry_After="7")]
    await here.token()
    for passed, left in ((0.25, "7"), (6.5, "1"), (0.24, "1")):
        here.clock.now += passed
        assert (await here.token()).headers["retry-after"] == left


async def test_what_is_disconnected_while_it_is_renewed_is_not_found(here: World) -> None:
    await here.connect(expires_at=here.clock.now)

    async def disconnect(request: Request) -> Response:
        await here.vault.disconnect(OWNER)
        return here.dropbox(request)

    here.transport.route("POST", "https://api.dropboxapi.com/oauth2/token", disconnect)
    response = await here.token()
    assert (response.status, told(response)) == (404, NOT_CONNECTED)


async def test_a_client_that_is_missing_is_told(here: World) -> None:
    await here.connect(expires_at=here.clock.now)
    await here.vault.apps.remove("dropbox")
    response = await here.token()
    assert (response.status, told(response)) == (
        409,
        {
            "detail": "The vault has no OAuth client for dropbox; "
            "run: connectors configure dropbox",
            "code": "OAUTH_CLIENT_MISSING",
        },
    )


async def test_a_client_that_the_provider_refuses_is_told(here: World) -> None:
    await here.connect(expires_at=here.clock.now)
    here.dropbox.next_token = [says(401, {"error": "invalid_client"})]
    for _ in range(2):
        response = await here.token()
        assert (response.status, told(response)) == (
            409,
            {
                "detail": "dropbox refuses the OAuth client of the vault, its id or its secret is "
                "wrong; run: connectors configure dropbox",
                "code": "OAUTH_CLIENT_REJECTED",
            },
        )
    await here.configure()
    assert token(await here.token()) == NEW


async def test_what_is_not_connected_is_not_found(here: World) -> None:
    for path in PATHS.values():
        response = await here.token(path, Base44_Rejected_Token=DIGEST)
        assert (response.status, told(response)) == (404, NOT_CONNECTED)


@pytest.mark.parametrize(
    ("integration_type", "source", "kept", "handed_out"),
    [
        ("gitlab", "oauth", {"host": "gitlab.acme.com"}, {"host": "gitlab.acme.com"}),
        ("notion", "oauth", {"workspace_id": "w-1", "bot_id": "b-1"}, None),
        ("quickbooks", "oauth", {"realmId": "7"}, {"realmId": "7"}),
        ("slack", "oauth", {"team_id": "T1"}, None),
        ("slack", "oauth", None, None),
        ("slack", "manual", {"team_id": "T1", "own": "x"}, {"team_id": "T1", "own": "x"}),
        ("slack", "manual", {}, {}),
        ("slack", "manual", None, None),
        ("unheard_of", "oauth", {"x": "y"}, {"x": "y"}),
    ],
)
async def test_an_app_gets_the_values_that_its_type_declares_or_that_were_put_in_by_hand(
    here: World,
    integration_type: str,
    source: str,
    kept: dict[str, str] | None,
    handed_out: dict[str, str] | None,
) -> None:
    grant = Grant(integration_type, ACCESS, connection_config=kept, source=source)  # type: ignore[arg-type]
    await here.vault.put(Owner.app(APP, integration_type), grant)
    body = told(await here.token(f"external-auth/tokens/{integration_type}"))
    assert isinstance(body, dict)
    assert body["connection_config"] == handed_out


async def test_no_event_and_no_refusal_holds_a_secret(
    here: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "connectors")
    await here.connect()
    failing = [
        says(500, {"error": f"{REFRESH} {CLIENT_SECRET}"}),
        says(400, {"error": "odd", "error_description": f"{REFRESH} {ACCESS}"}),
        says(401, {"error": "invalid_client", "error_description": CLIENT_SECRET}),
    ]
    here.dropbox.next_token = [*failing]
    here.clock.now += LIFETIME
    for _ in failing:
        response = await here.token(f"{TOKEN_PATH}?planted-query")
        assert response.status in {409, 503}
        assert b"planted" not in response.body
        here.clock.now += 3600
    assert token(await here.token(Base44_Rejected_Token=DIGEST)) == NEW
    assert "connectors.local.refresh" in caplog.text
    assert "planted" not in caplog.text
    assert DIGEST not in caplog.text

"""What a workspace sees and does with the local backend's connections."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.catalog import ConfigField, integrations
from connectors.local import Grant, Owner
from connectors.local._management_routes import _config_field
from tests.local.backends import APP, MANAGERS_ONLY, NOT_CONNECTED, Local, local_backend, told
from tests.local.dropbox import world
from tests.loops import REAL, on

pytestmark = on(REAL)

NO_AUTHORIZATION = {
    "redirect_url": None,
    "connection_id": None,
    "already_authorized": False,
    "error": None,
    "error_message": None,
    "other_user_email": None,
}
NO_TYPE = "The query must have integration_type=, and it must be printable text"
UNREADABLE = "The query can't be read: it is no UTF-8, or too long"


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_backend(tmp_path) as local:
        yield local


async def asked(local: Local, method: str, path: str, data: object = None) -> tuple[int, object]:
    body = None if data is None else json.dumps(data).encode()
    response = await local.ask(method, path, local.workspace(), body)
    return response.status, told(response)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "external-auth/available-integrations"),
        ("GET", "external-auth/list"),
        ("GET", "external-auth/status?integration_type=slack"),
        ("PUT", "external-auth/integrations/slack"),
        ("DELETE", "external-auth/integrations/slack/remove"),
        ("GET", "payments/stripe/status"),
        ("POST", "payments/stripe/install"),
        ("DELETE", "payments/stripe"),
    ],
)
async def test_management_is_for_keys_and_not_for_the_apps_users(
    local: Local, method: str, path: str
) -> None:
    for headers in (local.service("ann"), local.user("ann")):
        response = await local.ask(method, path, headers)
        assert (response.status, told(response)) == (403, MANAGERS_ONLY)
    assert (await local.ask(method, path, local.workspace())).status not in {401, 403}


async def test_the_whole_catalogue_is_available(local: Local) -> None:
    status, body = await asked(local, "GET", "external-auth/available-integrations")
    assert (status, isinstance(body, dict)) == (200, True)
    assert isinstance(body, dict)
    found = {entry["integration_type"]: entry for entry in body["integrations"]}
    assert set(found) == set(integrations())
    for name, entry in found.items():
        known = integrations()[name]
        assert entry["display_name"] == known.display_name
        assert entry["description"] == known.description
        shown = [field["name"] for field in entry["connection_config_fields"]]
        assert shown == [f.name for f in known.connection_config if not f.automated]


async def test_a_config_field_is_shown_as_the_protocol_has_it(local: Local) -> None:
    _, body = await asked(local, "GET", "external-auth/available-integrations")
    assert isinstance(body, dict)
    found = {entry["integration_type"]: entry for entry in body["integrations"]}
    [field] = integrations()["bamboohr"].connection_config
    assert found["bamboohr"]["connection_config_fields"] == [
        {
            "name": "subdomain",
            "display_name": field.display_name,
            "description": field.description,
            "placeholder": field.placeholder,
            "required": True,
            "validation_pattern": field.validation_pattern,
            "validation_error": field.validation_error,
        }
    ]
    # What the provider fills in is asked of nobody.
    assert any(field.automated for field in integrations()["quickbooks"].connection_config)
    assert found["quickbooks"]["connection_config_fields"] == []
    assert found["slack"]["connection_config_fields"] == []


async def test_a_config_field_without_an_explanation_has_none() -> None:
    field = ConfigField(
        name="host",
        display_name="Host",
        description="Where it is.",
        placeholder="a.example",
        validation_pattern="[a-z.]+",
    )
    assert _config_field(field) == {
        "name": "host",
        "display_name": "Host",
        "description": "Where it is.",
        "placeholder": "a.example",
        "required": False,
        "validation_pattern": "[a-z.]+",
    }


async def test_the_list_has_the_apps_own_active_connections(local: Local) -> None:
    hubspot = Grant("hubspot", "planted-hubspot", account_label="a@b.example")
    await local.vault.put(Owner.app(APP, "hubspot"), hubspot)
    github = Grant("github", "planted-github", account_label="octocat")
    await local.vault.put(Owner.app(APP, "github"), github)
    await local.vault.put(Owner.app("app-2", "notion"), Grant("notion", "planted-notion"))
    assert await asked(local, "GET", "external-auth/list") == (
        200,
        {
            "integrations": [
                {"integration_type": "github", "status": "active", "scopes": []},
                {
                    "integration_type": "hubspot",
                    "status": "active",
                    "scopes": [],
                    "user_email": "a@b.example",
                },
                {
                    "integration_type": "slack",
                    "status": "active",
                    "scopes": ["chat:write", "users:read"],
                },
            ]
        },
    )


async def test_what_only_its_owner_can_help_is_expired(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        now = here.clock.now
        for name, grant in {
            "box": {"refresh_token": "r", "expires_at": now, "source": "oauth"},
            "dropbox": {"expires_at": now, "source": "oauth"},
            "github": {"expires_at": now + 1},
            "gmail": {"refresh_token": "r", "expires_at": now},
            "instagram": {"expires_at": now, "source": "oauth"},
            "notion": {"source": "oauth"},
            "unheard_of": {"refresh_token": "r", "expires_at": now, "source": "oauth"},
            "wix": {"expires_at": now, "source": "oauth"},
        }.items():
            await here.vault.put(Owner.app(APP, name), Grant(name, "t", **grant))  # type: ignore[arg-type]
        slack = await here.vault.put(Owner.app(APP, "slack"), Grant("slack", "t", source="oauth"))
        await here.vault.refreshes.fail(slack, "invalid_grant", "invalid_grant")
        _, body = await asked(here.local, "GET", "external-auth/list")
        assert isinstance(body, dict)
        statuses = {entry["integration_type"]: entry["status"] for entry in body["integrations"]}
        assert statuses == {
            "box": "active",
            "dropbox": "expired",
            "github": "active",
            "gmail": "expired",
            "instagram": "expired",
            "notion": "active",
            "slack": "expired",
            "unheard_of": "expired",
            "wix": "active",
        }
        for name, status in (("box", "ACTIVE"), ("dropbox", "FAILED"), ("slack", "FAILED")):
            path = f"external-auth/status?integration_type={name}"
            assert await asked(here.local, "GET", path) == (200, {"status": status})


async def test_what_was_removed_is_not_in_the_list(local: Local) -> None:
    removed = {"status": "removed", "integration_type": "slack"}
    path = "external-auth/integrations/slack/remove"
    assert await asked(local, "DELETE", path) == (200, removed)
    assert await asked(local, "GET", "external-auth/list") == (200, {"integrations": []})
    response = await local.ask("GET", "external-auth/tokens/slack", local.service())
    assert response.status == 404


async def test_what_is_not_connected_is_not_removed(local: Local) -> None:
    path = "external-auth/integrations/github/remove"
    assert await asked(local, "DELETE", path) == (404, NOT_CONNECTED)
    # An account of the workspace is not the app's.
    path = "external-auth/integrations/c-1/remove"
    assert await asked(local, "DELETE", path) == (404, NOT_CONNECTED)


@pytest.mark.parametrize("scopes", [["chat:write", "users:read"], ["users:read", "chat:write"] * 2])
async def test_scopes_that_are_allowed_are_authorized_already(
    local: Local, scopes: list[str]
) -> None:
    connection = await local.vault.get(Owner.app(APP, "slack"))
    assert connection is not None
    path = "external-auth/integrations/slack"
    assert await asked(local, "PUT", path, {"scopes": scopes}) == (
        200,
        {**NO_AUTHORIZATION, "connection_id": connection.id, "already_authorized": True},
    )


async def test_scopes_that_are_always_asked_for_make_no_difference(local: Local) -> None:
    required = next(name for name, known in integrations().items() if known.scopes.required)
    always = integrations()[required].scopes.required
    for kept in ((), always):
        grant = Grant(required, "planted-required", scopes=["one", *kept])
        await local.vault.put(Owner.app(APP, required), grant)
        for asked_for in (["one"], ["one", *always]):
            path = f"external-auth/integrations/{required}"
            status, _ = await asked(local, "PUT", path, {"scopes": asked_for})
            assert status == 200


@pytest.mark.parametrize("scopes", [[], ["chat:write"], ["chat:write", "users:read", "files:read"]])
async def test_other_scopes_need_a_consent_and_that_a_client(
    local: Local, scopes: list[str]
) -> None:
    path = "external-auth/integrations/slack"
    assert await asked(local, "PUT", path, {"scopes": scopes}) == (
        409,
        {
            "detail": "The vault has no OAuth client for slack; run: connectors configure slack",
            "code": "OAUTH_CLIENT_MISSING",
        },
    )


async def test_a_type_that_nobody_knows_can_t_be_connected(local: Local) -> None:
    path = "external-auth/integrations/x%3B%20rm%20-rf%20~"
    status, body = await asked(local, "PUT", path, {"scopes": []})
    assert status == 404
    assert isinstance(body, dict)
    assert body["code"] == "UNKNOWN_INTEGRATION"
    assert "'x; rm -rf ~'" in body["detail"]


@pytest.mark.parametrize("body", [None, b"", b"{", b"\xff", b"[" * 100_000, b"scopes"])
async def test_a_body_that_is_no_json_is_refused(local: Local, body: bytes | None) -> None:
    path = "external-auth/integrations/slack"
    response = await local.ask("PUT", path, local.workspace(), body)
    assert (response.status, told(response)) == (400, {"detail": "The body is not JSON"})


@pytest.mark.parametrize(
    "data",
    [[], "scopes", 1, {}, {"scopes": None}, {"scopes": "a"}, {"scopes": {"a": 1}},
     {"scopes": [1]}, {"scopes": ["a", None]}, {"scopes": [""]}, {"scopes": ["a\nb"]},
     {"scopes": [["a"]]}],
)  # fmt: skip
async def test_a_body_without_scopes_is_refused(local: Local, data: object) -> None:
    assert await asked(local, "PUT", "external-auth/integrations/slack", data) == (
        422,
        {"detail": 'The body must be {"scopes": [...]}, each of them printable text and not empty'},
    )


async def test_the_status_is_active_or_failed(local: Local) -> None:
    connection = await local.vault.get(Owner.app(APP, "slack"))
    assert connection is not None
    for query, status in {
        "integration_type=slack": "ACTIVE",
        f"integration_type=slack&connection_id={connection.id}": "ACTIVE",
        f"connection_id={connection.id}&integration_type=sl%61ck&more=1": "ACTIVE",
        "integration_type=slack&connection_id=another": "FAILED",
        "integration_type=slack&connection_id=": "FAILED",
        "integration_type=github": "FAILED",
        "integration_type=c-1": "FAILED",
        "integration_type=+slack": "FAILED",
    }.items():
        path = f"external-auth/status?{query}"
        assert await asked(local, "GET", path) == (200, {"status": status})
    await local.vault.refreshes.fail(connection, "invalid_grant", "invalid_grant")
    path = "external-auth/status?integration_type=slack"
    assert await asked(local, "GET", path) == (200, {"status": "FAILED"})


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("", 422, NO_TYPE),
        ("?integration_type=", 422, NO_TYPE),
        ("?integration_type=%00", 422, NO_TYPE),
        ("?integration_type=a&integration_type=b", 400, "The query has a parameter more than once"),
        ("?integration_type=%FF", 400, UNREADABLE),
        ("?" + "a&" * 17, 400, UNREADABLE),
    ],
)
async def test_a_query_that_says_nothing_is_refused(
    local: Local, query: str, status: int, detail: str
) -> None:
    assert await asked(local, "GET", f"external-auth/status{query}") == (status, {"detail": detail})


async def test_there_are_no_payments(local: Local) -> None:
    assert await asked(local, "GET", "payments/stripe/status") == (200, {"stripe_mode": None})
    status, body = await asked(local, "POST", "payments/stripe/install")
    assert isinstance(body, dict)
    assert (status, body["code"]) == (501, "NOT_SUPPORTED")
    assert await asked(local, "DELETE", "payments/stripe") == (
        404,
        {"detail": "Stripe is not installed", "code": "NOT_FOUND"},
    )

"""An integration in the sandbox is the same one, elsewhere and in faster time."""

from typing import Any

import attrs
import pytest

from connectors.catalog import integrations
from connectors.local._sandbox import sandboxed
from tests.local.sandbox.players import ORIGIN, TYPES

OF_THE_ADDRESS = {
    *("authorization", "token", "refresh", "revocation", "introspection_url", "api"),
    "loopback_redirect",
}
FOR_PEOPLE = {"documentation_url", "notes", "redirect_uri_notes", "description", "condition"}
FOR_PEOPLE |= {"needs_scope", "validation_error"}


def strings(value: Any, name: str = "") -> list[str]:
    """Every string in a value that is not for people."""
    if name in FOR_PEOPLE:
        return []
    if attrs.has(type(value)):
        fields = [field.name for field in attrs.fields(type(value))]
        return [text for field in fields for text in strings(getattr(value, field), field)]
    if isinstance(value, tuple):
        return [text for below in value for text in strings(below)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", TYPES)
def test_no_address_leads_out_of_the_sandbox(name: str) -> None:
    integration = sandboxed(integrations()[name], ORIGIN)
    scopes = (*integration.scopes.required, *integration.scopes.examples)
    urls = [text for text in strings(integration) if "://" in text and text not in scopes]
    assert len(urls) >= 4
    assert integration.api.hosts == ()
    for url in urls:
        assert url.startswith((f"{ORIGIN}/{name}/", "http://127\\.0\\.0\\.1:8045/"))


@pytest.mark.parametrize("name", TYPES)
def test_all_else_is_as_it_was(name: str) -> None:
    before, after = integrations()[name], sandboxed(integrations()[name], ORIGIN)
    for field in attrs.fields(type(before)):
        if field.name not in {*OF_THE_ADDRESS, "connection_config"}:
            assert getattr(after, field.name) == getattr(before, field.name)
    assert [field.name for field in after.connection_config] == [
        field.name for field in before.connection_config
    ]
    for old, new in zip(before.token, after.token, strict=True):
        assert attrs.evolve(new.call, url=old.call.url) == old.call
        assert new.answer == old.answer
    assert after.authorization.parameters == before.authorization.parameters


@pytest.mark.parametrize("name", TYPES)
def test_a_person_is_sent_back_to_this_machine(name: str) -> None:
    assert sandboxed(integrations()[name], ORIGIN).loopback_redirect is True


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("gmail", "/gmail/v1/users/me/profile"),
        ("gitlab", "/api/v4/user"),
        ("quickbooks", "/v3/company/{realmId}/companyinfo/{realmId}"),
        ("salesforce", "/services/oauth2/userinfo"),
    ],
)
def test_the_api_keeps_its_paths(name: str, path: str) -> None:
    api = sandboxed(integrations()[name], ORIGIN).api
    assert api.probe.call.url == f"{ORIGIN}/{name}/api{path}"


def test_what_an_address_takes_from_the_config_is_still_sent() -> None:
    gitlab = sandboxed(integrations()["gitlab"], ORIGIN)
    assert gitlab.authorization.url == f"{ORIGIN}/gitlab/authorize/{{host}}"
    assert gitlab.token[0].call.url == f"{ORIGIN}/gitlab/token/0/{{host}}"
    github = sandboxed(integrations()["github"], ORIGIN)
    assert github.revocation is not None
    assert github.revocation.url == f"{ORIGIN}/github/revoke/{{client_id}}"


def test_ages_shrink_with_the_lifetime() -> None:
    square = sandboxed(integrations()["square"], ORIGIN, lifetime=3600).refresh
    assert (square.access_token_lifetime, square.renew_after) == (3600, 840)
    databricks = sandboxed(integrations()["databricks"], ORIGIN).refresh
    assert (databricks.access_token_lifetime, databricks.hard_margin) == (60, 0)
    assert sandboxed(integrations()["notion"], ORIGIN).refresh.access_token_lifetime is None
    clickup = integrations()["clickup"].refresh
    assert sandboxed(integrations()["clickup"], ORIGIN).refresh == clickup


@pytest.mark.parametrize(
    "origin",
    [
        "http://example.com",
        "http://127.0.0.1:8045/path",
        "http://127.0.0.1:8045/",
        "ftp://127.0.0.1",
        "127.0.0.1:8045",
        "http://[::1",
        "http://user@127.0.0.1",
        "",
    ],
)
def test_an_origin_that_is_not_of_this_machine_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="A sandbox is on this machine only"):
        sandboxed(integrations()["gmail"], origin)


@pytest.mark.parametrize("origin", ["http://localhost", "http://[::1]:80", "https://127.0.0.1:1"])
def test_an_origin_of_this_machine_is_taken(origin: str) -> None:
    assert sandboxed(integrations()["gmail"], origin).api.base_url == f"{origin}/gmail/api"

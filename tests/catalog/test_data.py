"""What the catalogue's file promises: which types, which facts, and that they fit together."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import get_args

import pytest

from connectors.catalog import Call, Integration, IntegrationType, integrations, placeholders
from connectors.catalog._hosts import origin_template
from transports import Headers

NAMES = [
    *("airtable", "bamboohr", "box", "calendly", "clickup", "contentful", "databricks", "discord"),
    *("dropbox", "github", "gitlab", "gmail", "google_analytics", "google_classroom"),
    *("google_search_console", "googleads", "googlebigquery", "googlecalendar", "googledocs"),
    *("googledrive", "googlemeet", "googlesheets", "googleslides", "googletasks", "hubspot"),
    *("hugging_face", "instagram", "linear", "linkedin", "microsoft_teams", "notion"),
    *("one_drive", "outlook", "quickbooks", "salesforce", "share_point", "slack", "slackbot"),
    *("snowflake", "splitwise", "square", "supabase", "tiktok", "typeform", "wix", "wrike"),
]

FLOW = {
    "client_id",
    "client_secret",
    "redirect_uri",
    "state",
    "scope",
    "code",
    "code_verifier",
    "code_challenge",
    "access_token",
    "refresh_token",
    "token",
}

KEPT = {
    *("authorization", "proxy-authorization", "cookie", "host", "content-length"),
    *("connection", "transfer-encoding", "te", "trailer", "upgrade", "expect"),
}

RESEARCH = re.compile(r'"(evidence|sources|field_confidence|confidence_detail|confidence_\w+)"')

every_type = pytest.mark.parametrize("integration", integrations().values(), ids=repr)


def text() -> str:
    return files("connectors.catalog").joinpath("integrations.json").read_text("utf-8")


def token_calls(integration: Integration) -> list[Call]:
    renewal = integration.refresh.call
    return [step.call for step in (*integration.token, *([renewal] if renewal else []))]


def calls(integration: Integration) -> list[Call]:
    revocation = integration.revocation
    others = [integration.api.probe.call, *([revocation] if revocation else [])]
    return [*token_calls(integration), *others]


def urls(integration: Integration) -> Iterator[str]:
    yield integration.authorization.url
    yield integration.api.base_url
    yield from (f"https://{host}" for host in integration.api.hosts)
    yield from (call.url for call in calls(integration))
    if integration.introspection_url:
        yield integration.introspection_url


def templates(integration: Integration) -> Iterator[str]:
    yield from urls(integration)
    yield from integration.authorization.parameters.values()
    yield from integration.api.headers.values()
    for call in calls(integration):
        yield from call.headers.values()
        yield from map(str, call.parameters.values())


def all_placeholders(*parts: object) -> frozenset[str]:
    return frozenset().union(*(placeholders(str(part)) for part in parts))


def test_the_catalogue_has_exactly_these_46_types() -> None:
    assert len(NAMES) == 46
    assert list(integrations()) == NAMES


def test_the_literal_lists_the_types_of_the_data_sorted() -> None:
    assert list(get_args(IntegrationType)) == list(integrations())


def test_no_research_is_in_the_file() -> None:
    assert not RESEARCH.search(text())


def test_the_file_is_sorted_and_pretty_so_that_a_change_of_it_is_readable() -> None:
    stable = json.dumps(json.loads(text()), indent=2, sort_keys=True, ensure_ascii=False)
    assert text() == stable + "\n"


@every_type
def test_an_entry_stands_under_its_own_name(integration: Integration) -> None:
    assert integrations()[integration.integration_type] is integration


@every_type
def test_every_address_is_https(integration: Integration) -> None:
    origin = re.compile(r"https://[a-z0-9.{}_-]+(/|$)|\{instance_url\}(/|$)")
    assert all(map(origin.match, urls(integration)))


@every_type
def test_no_host_of_an_api_is_declared_twice(integration: Integration) -> None:
    api = integration.api
    assert origin_template(api.base_url) not in {f"https://{host}" for host in api.hosts}
    assert list(api.hosts) == sorted(set(api.hosts))


@every_type
def test_what_a_caller_may_set_is_no_credential_and_nothing_that_http_needs(
    integration: Integration,
) -> None:
    given = integration.api.optional_headers
    names = [name.lower() for name in Headers(dict.fromkeys(given, ""))]
    assert sorted(set(names)) == names
    assert not KEPT.intersection(names)


@every_type
def test_every_placeholder_is_a_value_that_somebody_has(integration: Integration) -> None:
    fields = {field.name for field in integration.connection_config}
    assert all_placeholders(*templates(integration)) <= FLOW | fields


@every_type
def test_a_value_of_a_connection_is_never_taken_for_one_of_the_flow(
    integration: Integration,
) -> None:
    fields = {field.name for field in integration.connection_config}
    assert FLOW.isdisjoint(fields | {capture.name for capture in integration.captures})


@every_type
def test_scopes_are_a_parameter_of_their_own(integration: Integration) -> None:
    # Their separator stands as it is, so nothing else can stand beside them.
    values = integration.authorization.parameters.values()
    assert [value for value in values if "{scope}" in value and value != "{scope}"] == []
    others = [*integration.authorization.parameters, integration.authorization.url]
    assert "scope" not in all_placeholders(*others)


@every_type
def test_an_error_code_has_one_meaning(integration: Integration) -> None:
    refresh = integration.refresh
    codes = [*refresh.terminal_errors, *refresh.client_errors, *refresh.passing_errors]
    assert len(codes) == len(set(codes))


@every_type
def test_the_codes_of_the_rfc_mean_the_same_everywhere(integration: Integration) -> None:
    refresh = integration.refresh
    assert "invalid_grant" in refresh.terminal_errors
    assert {"invalid_client", "unauthorized_client"} <= set(refresh.client_errors)
    assert {"server_error", "temporarily_unavailable"} <= set(refresh.passing_errors)


@every_type
def test_the_consent_can_start_before_the_provider_has_told_anything(
    integration: Integration,
) -> None:
    given = {f.name for f in integration.connection_config if f.required or f.default is not None}
    told = {f.name for f in integration.connection_config if f.automated and f.default is None}
    needed = placeholders(integration.authorization.url)
    assert needed <= given - told


@every_type
def test_an_automated_value_is_captured(integration: Integration) -> None:
    automated = {field.name for field in integration.connection_config if field.automated}
    assert automated <= {capture.name for capture in integration.captures}


@every_type
def test_a_chain_is_named_by_captured_values(integration: Integration) -> None:
    assert set(integration.refresh.lock_on) <= {capture.name for capture in integration.captures}


@every_type
def test_a_verifier_is_sent_exactly_if_a_challenge_was(integration: Integration) -> None:
    challenge = "{code_challenge}" in integration.authorization.parameters.values()
    assert challenge == ("{code_verifier}" in integration.token[0].call.parameters.values())
    if integration.authorization.pkce != "S256_supported":
        assert challenge == (integration.authorization.pkce == "S256_required")


@every_type
def test_the_client_shows_itself_in_one_way_only(integration: Integration) -> None:
    for call in calls(integration):
        names = all_placeholders(*call.parameters.values(), *call.headers.values())
        assert not (call.basic_auth and "client_secret" in names)
    first = integration.token[0].call
    assert first.basic_auth or "{client_secret}" in first.parameters.values()


@every_type
def test_a_code_is_exchanged_unless_the_grant_needs_none(integration: Integration) -> None:
    first = integration.token[0].call
    grant = "authorization_code" if "{code}" in first.parameters.values() else "client_credentials"
    assert first.parameters["grant_type"] == grant
    for step in integration.token[1:]:
        assert "{access_token}" in step.call.parameters.values()


@every_type
def test_scopes_are_known_exactly_if_they_are_asked_for(integration: Integration) -> None:
    scopes = integration.scopes
    asked = "{scope}" in integration.authorization.parameters.values()
    assert asked == bool(scopes.required or scopes.examples)


@every_type
def test_a_refresh_token_is_presented_exactly_if_one_can_be_issued(
    integration: Integration,
) -> None:
    refresh = integration.refresh
    issued = refresh.refresh_token_issued != "never"
    renewal = refresh.call.call.parameters if refresh.call else {}
    assert ("{refresh_token}" in renewal.values()) == issued
    assert (integration.token[0].answer.refresh_token is not None) == issued
    assert (refresh.rotates != "n/a") == issued


@every_type
def test_a_lifetime_is_stated_or_known_exactly_if_the_data_says_so(
    integration: Integration,
) -> None:
    stated = any(step.answer.expires_in for step in integration.token)
    assert stated or not integration.refresh.expires_in_returned


@pytest.mark.parametrize("name", ["linkedin", "typeform", "slack", "slackbot", "square", "tiktok"])
def test_pkce_is_off_where_it_breaks_the_flow_or_changes_its_meaning(name: str) -> None:
    assert "code_challenge" not in integrations()[name].authorization.parameters


def test_what_a_plain_client_gets_wrong_is_told_by_the_data() -> None:
    of = integrations()
    assert of["slack"].authorization.parameters["user_scope"] == "{scope}"
    assert of["slack"].token[0].answer.access_token == "authed_user.access_token"
    assert of["slack"].refresh.call is not None
    assert of["slack"].refresh.call.answer.access_token == "access_token"
    assert of["slackbot"].refresh.lock_on == ("team_id",)
    assert of["bamboohr"].scopes.separator == "+"
    assert of["linear"].scopes.separator == ","
    assert of["notion"].token[0].call.body == "json"
    assert of["notion"].token[0].call.basic_auth
    assert of["tiktok"].authorization.parameters["client_key"] == "{client_id}"
    assert of["tiktok"].token[0].call.success == of["github"].token[0].call.success
    assert of["wix"].authorization.parameters["appId"] == "{client_id}"
    assert "response_type" not in of["wix"].authorization.parameters
    assert of["square"].token[0].answer.expires_at == "expires_at"
    assert of["instagram"].token[0].answer.wrapped_in == "data.0"
    assert [step.call.method for step in of["instagram"].token] == ["POST", "GET"]
    assert of["instagram"].refresh.min_age == 24 * 3600
    assert of["instagram"].refresh.renew_after == of["square"].refresh.renew_after == 7 * 24 * 3600
    assert of["gitlab"].refresh.call is not None
    assert of["gitlab"].refresh.call.call.parameters["redirect_uri"] == "{redirect_uri}"
    assert of["databricks"].refresh.hard_margin == 40
    assert of["dropbox"].revocation is not None
    assert of["dropbox"].revocation.headers == {"Authorization": "Bearer {access_token}"}
    assert "interaction_required" in of["outlook"].refresh.terminal_errors
    assert "190" in of["instagram"].refresh.terminal_errors
    assert "bad_client_secret" in of["slack"].refresh.client_errors
    assert "incorrect_client_credentials" in of["github"].refresh.client_errors
    assert "internal_error" in of["slackbot"].refresh.passing_errors
    assert of["contentful"].confidence == "low"


def test_that_a_provider_refuses_this_machine_is_known_of_those_whose_notes_say_so() -> None:
    refusing = {n for n, i in integrations().items() if i.loopback_redirect is False}
    assert refusing == {"contentful", "instagram", "slack", "slackbot", "wix"}
    taking = [i for i in integrations().values() if i.loopback_redirect]
    assert all(re.search("localhost|127.0.0.1|loopback", i.redirect_uri_notes) for i in taking)


def test_only_instagram_must_be_renewed_before_its_token_ends() -> None:
    assert [name for name, it in integrations().items() if it.refresh.only_while_good] == [
        "instagram"
    ]


def test_where_one_revocation_ends_all_grants_is_told_by_the_data() -> None:
    google = {name for name, it in integrations().items() if "google" in str(it.revocation)}
    ends_all = {name for name, it in integrations().items() if it.revocation_ends_all}
    assert len(google) == 13
    assert ends_all == google | {"discord", "square"}

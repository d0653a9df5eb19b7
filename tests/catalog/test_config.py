"""What a user gives as config is matched in full before any of it reaches a URL."""

import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import pytest
import structlog
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from connectors.catalog import (
    ConfigField,
    Integration,
    check_config,
    config_problem,
    integrations,
)

FIELDS = [
    pytest.param(integration, field, id=f"{name}-{field.name}")
    for name, integration in integrations().items()
    for field in integration.connection_config
]
every_field = pytest.mark.parametrize(("integration", "field"), FIELDS)

GOOD = {
    name: {f.name: f.placeholder for f in integration.connection_config}
    for name, integration in integrations().items()
}

ARABIC = "".join(chr(0x660 + digit) for digit in range(10))
FULL_WIDTH = "".join(chr(0xFF10 + digit) for digit in range(10))

HOSTILE = {
    "databricks": (
        "workspace_host",
        [
            "evil.com/.databricks.com",
            "evil.com/.cloud.databricks.com",
            "evil.com#.cloud.databricks.com",
            "evil.com?.cloud.databricks.com",
            "user@dbc.cloud.databricks.com",
            "dbc.cloud.databricks.com\n",
            "dbc.cloud.databricks.com:443",
            "dbc.cloud.databricks.com.evil.com",
            "..cloud.databricks.com",
            "-.cloud.databricks.com",
            "https://dbc.cloud.databricks.com",
            " dbc.cloud.databricks.com",
            "dbcXcloudXdatabricksXcom",
            "",
        ],
    ),
    "gitlab": (
        "host",
        [
            "gitlab.com\n",
            "gitlab.com:8443",
            "user:password@gitlab.com",
            "gitlab.com/evil",
            "127.0.0.1",
            "127.0.0.1:8080",
            "[::1]",
            "localhost",
            "169.254.169.254",
            "2130706433",
            "gitlab",
            "gitlab.internal",
            "gitlab.com\x00",
            "",
        ],
    ),
    "salesforce": (
        "hostname",
        ["acme.lightning.force.com", "acme.lightning.force.com\n", "10.0.0.1", "a@b.com", ""],
    ),
    "snowflake": ("account_url", ["evil.com/.snowflakecomputing.com", ".snowflakecomputing.com"]),
    "bamboohr": ("subdomain", ["evil.com/", "evil.com#", "a.b", "acme\n", "-acme", ""]),
    "quickbooks": ("realmId", [ARABIC, "9341453474484455\n", "1/2", ""]),
    "googleads": ("login_customer_id", [FULL_WIDTH, "1234567890\r\n", "123-456-7890"]),
    "microsoft_teams": ("tenant", ["..", ".", "common/../x", "common\n", "common\x1b[0m", ""]),
    "share_point": ("subdomain", ["sites/../x", "sites/x\n", "sites/x?y", "sites/é", ""]),
    "wix": ("instance_id", ["0" * 35, "0" * 36 + "\n", "{code}"]),
}


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ValueError) as caught:
        call()
    return str(caught.value)


@every_field
def test_every_pattern_compiles_and_matches_its_own_example(
    integration: Integration, field: ConfigField
) -> None:
    pattern = re.compile(field.validation_pattern, re.ASCII)
    assert pattern.fullmatch(field.placeholder)
    assert field.default is None or pattern.fullmatch(field.default)


@pytest.mark.parametrize("name", GOOD)
def test_the_examples_of_a_type_are_accepted_together(name: str) -> None:
    assert check_config(integrations()[name], GOOD[name], complete=True) == GOOD[name]


@every_field
@pytest.mark.parametrize("tail", ["\n", "\r\n", "\x00", "\x7f", " ", "\u2028", "@", "é", "\u0661"])
def test_no_value_may_end_in_what_its_pattern_does_not_name(
    integration: Integration, field: ConfigField, tail: str
) -> None:
    config = GOOD[integration.integration_type] | {field.name: field.placeholder + tail}
    message = refusal(lambda: check_config(integration, config))
    assert message.startswith(f"{integration.integration_type}: connection_config['{field.name}']")


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [(name, field, value) for name, (field, values) in HOSTILE.items() for value in values],
)
def test_a_hostile_value_is_refused(name: str, field: str, value: str) -> None:
    config = GOOD[name] | {field: value}
    message = refusal(lambda: check_config(integrations()[name], config))
    assert message.startswith(f"{name}: connection_config['{field}']")


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [(name, field, value) for name, (field, values) in HOSTILE.items() for value in values],
)
def test_a_part_of_a_config_is_checked_like_the_whole(name: str, field: str, value: str) -> None:
    whole = refusal(lambda: check_config(integrations()[name], GOOD[name] | {field: value}))
    assert config_problem(integrations()[name], {field: value}) == whole


@pytest.mark.parametrize("name", GOOD)
def test_of_a_part_of_a_config_nothing_has_to_be_there(name: str) -> None:
    integration = integrations()[name]
    assert config_problem(integration, {}) is None
    assert [config_problem(integration, {n: v}) for n, v in GOOD[name].items() if v] == [
        None for _ in GOOD[name]
    ]


def test_a_part_of_a_config_may_be_local_if_the_whole_may() -> None:
    local = {"host": "127.0.0.1:8080"}
    problem = config_problem(integrations()["gitlab"], local)
    assert problem == "gitlab: connection_config['host'] is no public host: it has a port."
    assert config_problem(integrations()["gitlab"], local, allow_local_hosts=True) is None


def test_a_part_of_a_config_is_a_mapping_of_strings_too() -> None:
    told: Mapping[str, str] = {"host": 1}  # type: ignore[dict-item]
    problem = config_problem(integrations()["gitlab"], told)
    assert problem == "gitlab: connection_config['host'] must be a string, not int."
    assert "unknown name" in str(config_problem(integrations()["gitlab"], {"x": "y"}))


def test_a_refused_value_is_not_repeated() -> None:
    mistaken = {"host": "user:hunter2@gitlab.com"}
    assert "hunter2" not in refusal(lambda: check_config(integrations()["gitlab"], mistaken))


def test_a_refusal_says_what_is_expected() -> None:
    message = refusal(
        lambda: check_config(integrations()["gitlab"], {"host": "https://gitlab.com"})
    )
    assert message == (
        "gitlab: connection_config['host'] is not of the expected form. A host name, without "
        "https://. Host of the GitLab instance. For example: gitlab.com"
    )


def test_a_refusal_without_words_for_the_form_shows_the_pattern() -> None:
    message = refusal(lambda: check_config(integrations()["quickbooks"], {"realmId": "x"}))
    assert r"It must match ^\d{10,19}$." in message


def test_a_port_is_refused_though_the_pattern_of_gitlab_allows_it() -> None:
    gitlab = integrations()["gitlab"]
    message = refusal(lambda: check_config(gitlab, {"host": "gitlab.acme.com:8443"}))
    assert message == "gitlab: connection_config['host'] is no public host: it has a port."
    local = {"host": "127.0.0.1:8443"}
    assert check_config(gitlab, local, allow_local_hosts=True) == local


def test_a_captured_origin_is_held_to_the_same_rules() -> None:
    captured = {"instance_url": "https://10.0.0.1"}
    message = refusal(lambda: check_config(integrations()["salesforce"], captured))
    assert "['instance_url'] is no public host: it is an IP address." in message


def test_a_value_in_one_more_host_of_the_api_is_held_to_the_same_rules() -> None:
    gitlab = integrations()["gitlab"]
    elsewhere = evolve(gitlab, api=evolve(gitlab.api, base_url="https://a.example", hosts=("{x}",)))
    (host,) = gitlab.connection_config
    more = evolve(elsewhere, connection_config=(host, evolve(host, name="x", default=None)))
    given = {"x": "127.0.0.1"}
    message = refusal(lambda: check_config(more, given))
    assert message == "gitlab: connection_config['x'] is no public host: it is an IP address."


def test_an_origin_that_is_not_https_is_refused_whatever_the_pattern_says() -> None:
    salesforce = integrations()["salesforce"]
    message = refusal(lambda: check_config(loose(salesforce), {"instance_url": "http://a.com"}))
    assert "['instance_url'] is no public host: it is not an https address." in message


def test_a_path_segment_of_dots_is_refused() -> None:
    message = refusal(lambda: check_config(integrations()["outlook"], {"tenant": ".."}))
    assert "['tenant'] is or has a path segment of dots. A tenant id, a domain" in message


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    message = refusal(lambda: check_config(integrations()["gitlab"], {"hots": "gitlab.com"}))
    assert message == (
        "gitlab: connection_config has an unknown name, 'hots'. Known names: 'host'."
    )
    message = refusal(lambda: check_config(integrations()["github"], {"host": "github.com"}))
    assert message.endswith("Known names: none.")


def test_a_missing_value_is_refused_with_an_example() -> None:
    message = refusal(lambda: check_config(integrations()["databricks"], {}))
    assert "databricks: connection_config['workspace_host'] is missing." in message
    assert "dbc-a1b2c3d4-e5f6.cloud.databricks.com" in message


def test_defaults_are_filled_in_and_give_way() -> None:
    assert check_config(integrations()["gitlab"], {}) == {"host": "gitlab.com"}
    given = {"host": "gitlab.acme.com"}
    assert check_config(integrations()["gitlab"], given) == given


def test_what_the_provider_tells_is_demanded_only_when_it_has_told() -> None:
    wix = integrations()["wix"]
    assert check_config(wix, {}) == {}
    assert check_config(wix, GOOD["wix"]) == GOOD["wix"]
    assert "['instance_id'] is missing." in refusal(lambda: check_config(wix, {}, complete=True))


def test_a_captured_value_without_a_field_is_accepted_if_it_prints() -> None:
    slack = integrations()["slack"]
    assert check_config(slack, {"team_id": "T01"}) == {"team_id": "T01"}
    message = refusal(lambda: check_config(slack, {"team_id": "T\x1b"}))
    assert message == (
        "slack: connection_config['team_id'] has a character that does not print, such as a "
        "newline."
    )


@pytest.mark.parametrize("longer", ["a.bc", "za.b"])
def test_a_pattern_without_anchors_is_matched_in_full_too(longer: str) -> None:
    gitlab = integrations()["gitlab"]
    (host,) = gitlab.connection_config
    unanchored = evolve(gitlab, connection_config=(evolve(host, validation_pattern="a[.]b"),))
    assert check_config(unanchored, {"host": "a.b"}) == {"host": "a.b"}
    message = refusal(lambda: check_config(unanchored, {"host": longer}))
    assert "is not of the expected form" in message


def test_an_empty_value_is_no_value() -> None:
    message = refusal(lambda: check_config(integrations()["gitlab"], {"host": ""}))
    assert message.startswith("gitlab: connection_config['host'] is empty. A host name")


def test_the_given_mapping_is_left_alone() -> None:
    values: dict[str, str] = {}
    assert check_config(integrations()["gitlab"], values) is not values
    assert values == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("host=gitlab.com", "gitlab: connection_config must be a mapping of strings, not str."),
        ({"host": 1}, "gitlab: connection_config['host'] must be a string, not int."),
        ({1: "x"}, "gitlab: connection_config has a name that is not a string but int."),
    ],
)
def test_what_is_not_a_mapping_of_strings_is_a_type_error(
    values: Mapping[str, str], message: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        check_config(integrations()["gitlab"], values)


PLANTED = "tok_" + "5ecret" * 3 + "!"


@pytest.mark.parametrize(
    "values",
    [
        lambda: {"developer_token": PLANTED},
        lambda: {"developer_token": PLANTED, "unknown": "x"},
        lambda: {"developer_token": PLANTED, "login_customer_id": 1},
        lambda: PLANTED,
    ],
    ids=["refused", "beside-an-unknown-name", "beside-a-wrong-type", "instead-of-the-mapping"],
)
def test_a_secret_is_in_no_message_and_in_no_frame_that_raises(
    values: Callable[[], Mapping[str, str]],
) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        check_config(integrations()["googleads"], values())
    show = structlog.tracebacks.ExceptionDictTransformer(show_locals=True, locals_max_string=1000)
    (shown,) = show((caught.type, caught.value, caught.tb))
    ours = [frame for frame in shown["frames"] if frame["filename"] != __file__]
    assert ours
    assert PLANTED not in json.dumps([shown["exc_value"], ours], default=repr)


def loose(integration: Integration) -> Integration:
    """The same type with patterns that accept anything: only the rule for hosts is left."""
    fields = [evolve(f, validation_pattern=r"(?s).*") for f in integration.connection_config]
    return evolve(integration, connection_config=tuple(fields))


pieces = st.sampled_from(
    [
        *(
            "evil.com",
            "acme",
            ".",
            "/",
            "@",
            ":",
            "#",
            "?",
            "\\",
            "%2f",
            "\n",
            "[::1]",
            "127.0.0.1",
        ),
        *("cloud.databricks.com", "snowflakecomputing.com", "localhost", "https://", "443", "-"),
    ]
)
hostile_text = st.lists(pieces, max_size=6).map("".join) | st.text(max_size=12)


@given(
    name=st.sampled_from(["bamboohr", "databricks", "gitlab", "salesforce", "snowflake"]),
    value=hostile_text,
    patterned=st.sampled_from([lambda integration: integration, loose]),
)
def test_an_accepted_value_is_the_whole_host_of_the_url_it_makes(
    name: str, value: str, patterned: Callable[[Integration], Integration]
) -> None:
    integration = patterned(integrations()[name])
    field = integration.connection_config[0].name
    try:
        config = check_config(integration, {field: value})
    except ValueError:
        return
    (call,) = [step.call for step in integration.token]
    host = call.url.split("/")[2].replace(f"{{{field}}}", config[field])
    url = urlsplit(call.url.replace(f"{{{field}}}", config[field]))
    assert (url.scheme, url.netloc) == ("https", host)
    assert (url.hostname, url.port, url.username) == (host.lower(), None, None)
    assert url.path == urlsplit(call.url.replace(f"{{{field}}}", "x")).path

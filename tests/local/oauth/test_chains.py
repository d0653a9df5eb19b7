"""What shares a chain of refresh tokens, and what can be renewed."""

import re

import pytest

from connectors.catalog import integrations
from connectors.local._oauth import is_renewable, lock_key, uses_refresh_token
from tests.local.oauth.flows import named

SLACKBOT, GITHUB = named("slackbot"), named("github")
TEAM = {"team_id": "T1"}


def test_a_key_is_a_digest_and_always_the_same() -> None:
    key = lock_key(GITHUB, "client", "connection", {})
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert key == lock_key(GITHUB, "another", "connection", {"x": "y"})


def test_connections_have_chains_of_their_own() -> None:
    assert lock_key(GITHUB, "client", "one", TEAM) != lock_key(GITHUB, "client", "two", TEAM)


def test_one_app_in_one_workspace_of_slack_has_one_chain() -> None:
    one = lock_key(SLACKBOT, "client", "one", TEAM)
    assert one == lock_key(SLACKBOT, "client", "two", {**TEAM, "bot_user_id": "U1"})
    assert one != lock_key(SLACKBOT, "another", "one", TEAM)
    assert one != lock_key(SLACKBOT, "client", "one", {"team_id": "T2"})


@pytest.mark.parametrize("config", [{}, {"team_id": ""}, {"bot_user_id": "T1"}])
def test_without_the_values_that_name_a_chain_it_is_the_connections(config: dict[str, str]) -> None:
    one, two = (lock_key(SLACKBOT, "client", name, config) for name in ("one", "two"))
    assert one != two


def test_a_name_cannot_be_made_to_look_like_another() -> None:
    assert lock_key(SLACKBOT, 'a", "b', "x", {"team_id": "c"}) != lock_key(
        SLACKBOT, "a", "x", {"team_id": 'b", "c'}
    )


@pytest.mark.parametrize("name", integrations())
def test_what_can_be_renewed_without_a_person(name: str) -> None:
    integration = named(name)
    none, alone = name in {"clickup", "splitwise"}, name in {"instagram", "wix"}
    assert uses_refresh_token(integration) == (not none and not alone)
    assert is_renewable(integration, has_refresh_token=True) == (not none)
    assert is_renewable(integration, has_refresh_token=False) == alone

import pickle
from typing import Any

import attrs
import pytest

from connectors.local._fields import ConnectionConfig, as_secret
from connectors.local._records import Grant, Owner
from tests.local.vaults import CONFIG_VALUE, TOKEN, grant, printed_with_locals
from transports import Secret


def test_an_owner_is_the_app_its_workspace_or_one_of_its_users() -> None:
    assert Owner.app("a", "slack") == Owner("a", "app", "slack")
    assert Owner.workspace("a", "c1") == Owner("a", "workspace", "c1")
    assert Owner.app_user("a", "c1", "u") == Owner("a", "app_user", "c1", "u")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("", "app", "slack"), ValueError),
        (("a", "app", ""), ValueError),
        (("a\nb", "app", "slack"), ValueError),
        (("a", "app", "sla\ud800ck"), ValueError),
        ((1, "app", "slack"), TypeError),
        (("a", "nobody", "slack"), ValueError),
        (("a", "app_user", "c1"), ValueError),
        (("a", "app_user", "c1", ""), ValueError),
        (("a", "workspace", "c1", "u"), ValueError),
    ],
    ids=repr,
)
def test_an_owner_that_cannot_be_is_refused(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Owner(*arguments)


@pytest.mark.parametrize(
    ("token", "values", "error"),
    [
        ("", {}, ValueError),
        (f"{TOKEN}\r\nX-Header: 1", {}, ValueError),
        (TOKEN.encode(), {}, TypeError),
        (TOKEN, {"connection_config": [CONFIG_VALUE]}, TypeError),
        (TOKEN, {"connection_config": {"developer_token": 5, "x": CONFIG_VALUE}}, TypeError),
        (TOKEN, {"scopes": "chat:write"}, TypeError),
        (TOKEN, {"scopes": ["chat:write", 5]}, TypeError),
        (TOKEN, {"scopes": [""]}, ValueError),
        (TOKEN, {"account_label": ""}, ValueError),
        (TOKEN, {"refresh_token": f"{TOKEN}\n"}, ValueError),
        (TOKEN, {"refresh_token": TOKEN.encode()}, TypeError),
        (TOKEN, {"lock_key": "../chain"}, ValueError),
        (TOKEN, {"source": "found"}, ValueError),
    ],
)
def test_a_grant_with_a_wrong_value_is_refused_without_showing_secrets(
    token: Any, values: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        Grant("slack", token, **{"connection_config": {"a": CONFIG_VALUE}, **values})
    printed = printed_with_locals(caught.value)
    assert "access_token" in printed
    assert TOKEN not in printed
    assert CONFIG_VALUE not in printed


def test_a_grant_shows_no_secret() -> None:
    assert TOKEN not in repr(grant())
    assert CONFIG_VALUE not in repr(grant())
    assert "developer_token=..." in repr(grant())


def test_a_grant_can_be_made_from_another_one() -> None:
    changed = attrs.evolve(grant(), scopes=("a",))
    assert changed.access_token == grant().access_token
    assert changed.connection_config == grant().connection_config
    assert Grant("slack", Secret("t")) == Grant("slack", "t")


def test_a_config_is_a_copy_that_reads_like_a_mapping() -> None:
    values = {"subdomain": "acme"}
    config = ConnectionConfig(values)
    values["subdomain"] = "other"
    assert dict(config) == {"subdomain": "acme"}
    assert len(config) == 1
    assert config == {"subdomain": "acme"}


def test_a_config_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(ConnectionConfig({"a": "b"}))


def test_what_is_no_text_is_no_secret() -> None:
    assert as_secret(5) == Secret("")
    assert as_secret("t") == as_secret(Secret("t"))

"""What can be no connection is refused when the mock is made, without showing a token."""

from collections.abc import Callable
from typing import Any

import pytest

from connectors import Client, Connection
from connectors.testing import MockConnectors, mock_client
from tests.tracebacks import rendered
from transports import Secret

PLANTED = "xoxb-planted-7f3a91"


def changed(connections: Any) -> None:
    mock = MockConnectors({})
    for name, given in connections.items():
        mock[name] = given


WAYS: list[Callable[[Any], object]] = [mock_client, MockConnectors, changed]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("given", "kind", "told"),
    [
        ("", ValueError, "The token of 'slack' must not be empty"),
        (f"{PLANTED}\n", ValueError, "holds a space, a line break"),
        (Secret(f"{PLANTED} "), ValueError, "holds a space, a line break"),
        (f"{PLANTED}é", ValueError, "holds a space, a line break"),
        (Connection(f"{PLANTED}\n"), ValueError, "holds a space, a line break"),
        (Connection(PLANTED, {"a": 1}), TypeError, "'slack' must have a str for 'a', not int"),  # type: ignore[dict-item]
        (PLANTED.encode(), TypeError, "'slack' can be a token, a mapping.* not bytes"),
        (None, TypeError, "not NoneType"),
        (7, TypeError, "not int"),
        (ValueError, TypeError, "not type"),
        ({PLANTED}, TypeError, "not set"),
        ([], ValueError, "'slack' has an empty list"),
        ([PLANTED, ""], ValueError, "must not be empty"),
        ([[PLANTED]], TypeError, "not list"),
        ({}, ValueError, "'slack' has no access_token"),
        ({"access_token": None}, ValueError, "'slack' has no access_token"),
        ({"access_token": 7}, TypeError, "must be a str, not int"),
        ({"access_token": f"{PLANTED}\r"}, ValueError, "holds a space, a line break"),
        ({"access_token": PLANTED, "token": 1, 2: 3}, ValueError, "'slack' has 'token', '2'; a"),
        ({"access_token": PLANTED, "integration_type": 7}, TypeError, "integration_type.*not int"),
        ({"access_token": PLANTED, "connection_config": "a"}, TypeError, "must be a mapping of"),
        ({"access_token": PLANTED, "connection_config": {1: "a"}}, TypeError, "names that are str"),
        (
            {"access_token": PLANTED, "connection_config": {"a": None}},
            TypeError,
            "must have a str for 'a', not NoneType",
        ),
    ],
)
def test_it_is_told_and_shows_no_token(
    way: Callable[[Any], object], given: object, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told) as caught:
        way({"github": PLANTED, "slack": given})
    assert PLANTED not in rendered(caught.value)


@pytest.mark.parametrize("connections", [PLANTED, [PLANTED], None])
def test_connections_are_a_mapping(connections: Any) -> None:
    for way in (mock_client, MockConnectors):
        with pytest.raises(TypeError, match="connections must be a mapping such as") as caught:
            way(connections)
        assert PLANTED not in rendered(caught.value)


@pytest.mark.parametrize(("name", "kind"), [("", ValueError), ("..", ValueError), (7, TypeError)])
def test_a_name_is_one_that_a_path_can_hold(name: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="The name of a connector"):
        mock_client({name: PLANTED})


def test_settings_of_the_client_are_checked_by_it() -> None:
    with pytest.raises(ValueError, match="timeout"):
        mock_client({}, timeout=-1)
    assert isinstance(mock_client({}, app_id="a", timeout=1, retry=False), Client)

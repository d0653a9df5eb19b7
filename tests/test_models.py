"""The values that calls return: frozen, comparable, and silent about what they hold."""

from collections.abc import Callable
from typing import get_args

import attrs
import pytest
import rich.pretty

from connectors import _models
from connectors._models import (
    ApiResponse,
    Authorization,
    AvailableIntegration,
    CallMethod,
    CallPhase,
    Connection,
    ConnectionConfigField,
    ConnectionStatus,
    Connector,
)
from tests.tracebacks import rendered
from tests.travels import Travel, travels
from transports import Secret

TOKEN = "xoxp-2041-planted-7a32f8e6c4d1"

EVERY = {
    "connection": Connection(TOKEN, {"subdomain": "acme", "key": TOKEN}, "zendesk"),
    "bare connection": Connection(TOKEN),
    "bare response": ApiResponse(success=True, phase="responded"),
    "response": ApiResponse(
        success=False,
        phase="timed_out",
        status=504,
        data={"token": [TOKEN]},
        data_base64=TOKEN,
        content_type="image/png",
        headers={"etag": TOKEN},
        credits_charged=0.5,
    ),
    "field": ConnectionConfigField("subdomain", "Subdomain"),
    "available": AvailableIntegration("a", "A", None, (ConnectionConfigField("b", "B"),)),
    "connector": Connector("slack", "active", ("a", "b"), "me@x.example"),
    "authorization": Authorization(f"https://x.example/?state={TOKEN}", "c-1"),
}
every = pytest.mark.parametrize("value", EVERY.values(), ids=EVERY.keys())


def test_every_model_is_here() -> None:
    models = {kind for kind in vars(_models).values() if isinstance(kind, type)}
    assert {kind for kind in models if attrs.has(kind)} == {type(value) for value in EVERY.values()}


@every
@travels
def test_a_copy_is_equal(value: object, travel: Travel[object]) -> None:
    again = travel(value)
    assert again == value
    assert type(again) is type(value)
    assert hash(again) == hash(value)


@every
def test_a_value_cannot_be_changed(value: attrs.AttrsInstance) -> None:
    for field in attrs.fields(type(value)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, None)
    with pytest.raises((attrs.exceptions.FrozenInstanceError, AttributeError)):
        value.more = 1  # type: ignore[attr-defined]


def test_a_mapping_in_a_value_cannot_be_changed_either() -> None:
    given = {"subdomain": "acme"}
    connection = Connection(TOKEN, given)
    response = ApiResponse(success=True, phase="responded", headers=given)
    given["subdomain"] = "evil"
    for mapping in (connection.connection_config, response.headers):
        assert mapping == {"subdomain": "acme"}
        with pytest.raises(TypeError):
            mapping["subdomain"] = "evil"  # type: ignore[index]


@every
def test_a_token_is_in_no_repr_and_in_nothing_that_walks_over_the_fields(value: object) -> None:
    assert TOKEN not in repr(value)
    assert TOKEN not in str(value)
    assert TOKEN not in rich.pretty.pretty_repr(value)


def test_a_connection_shows_its_token_only_to_who_asks() -> None:
    connection = Connection(TOKEN, {"subdomain": "acme", "key": TOKEN}, "zendesk")
    assert connection.access_token == TOKEN
    bare = Connection(TOKEN)
    assert TOKEN not in repr((attrs.asdict(bare), attrs.astuple(bare)))
    assert repr(connection) == (
        "Connection(connection_config={'subdomain': ..., 'key': ...}, integration_type='zendesk')"
    )
    assert repr(Connection(TOKEN)) == "Connection(connection_config=None, integration_type=None)"


def test_connections_are_equal_when_everything_in_them_is() -> None:
    connection = Connection(TOKEN, {"a": "b"}, "slack")
    assert connection == Connection(Secret(TOKEN), {"a": "b"}, "slack")
    assert connection == attrs.evolve(connection)
    others = [
        Connection("other", {"a": "b"}, "slack"),
        Connection(TOKEN, {"a": "c"}, "slack"),
        Connection(TOKEN, None, "slack"),
        Connection(TOKEN, {"a": "b"}, "github"),
    ]
    assert connection not in others
    assert len({connection, Connection(TOKEN, {"a": "b"}, "slack"), *others}) == 5


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: Connection(TOKEN.encode()),  # type: ignore[arg-type]
            "access_token must be a str, not bytes.",
        ),
        (
            lambda: Connection([TOKEN]),  # type: ignore[arg-type]
            "access_token must be a str, not list.",
        ),
        (
            lambda: Connection(TOKEN, 5),  # type: ignore[arg-type]
            "connection_config must be a mapping of str to str, not int.",
        ),
        (
            lambda: Connection(TOKEN, [("a", 1)]),  # type: ignore[arg-type]
            "connection_config must be a mapping of str to str, not list.",
        ),
    ],
)
def test_bad_input_to_a_connection_is_refused_without_showing_it(
    make: Callable[[], Connection], says: str
) -> None:
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value) == says
    assert "_models.py" in rendered(caught.value)
    assert TOKEN not in rendered(caught.value)


def test_what_an_answer_may_leave_out_is_null_and_empty_and_nothing() -> None:
    call = ApiResponse(success=True, phase="responded")
    assert (call.status, call.data, call.data_base64, call.content_type) == (None,) * 4
    assert (call.headers, call.credits_charged) == ({}, 0)
    assert Connection(TOKEN).connection_config is None
    field = attrs.asdict(ConnectionConfigField("a", "A"))
    assert field.pop("required") is False
    assert field == {
        "name": "a",
        "display_name": "A",
        "description": None,
        "placeholder": None,
        "validation_pattern": None,
        "validation_error": None,
    }
    assert AvailableIntegration("a", "A") == AvailableIntegration("a", "A", None, ())
    assert Connector("a", "active") == Connector("a", "active", (), None)
    nothing = attrs.asdict(Authorization())
    assert nothing.pop("already_authorized") is False
    assert set(nothing.values()) == {None}


def test_the_words_of_the_protocol() -> None:
    assert get_args(CallMethod) == ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
    assert get_args(CallPhase) == ("not_sent", "responded", "timed_out", "sent_unconfirmed")
    assert get_args(ConnectionStatus) == ("ACTIVE", "FAILED", "PENDING")

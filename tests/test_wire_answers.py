"""An answer is a value of its model or a `MalformedResponseError` that names the place."""

import json
import pickle
import time
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._errors import ConnectorsError, MalformedResponseError
from connectors._management import _Available, _Listed, _Status
from connectors._models import (
    ApiResponse,
    Authorization,
    AvailableIntegration,
    Connection,
    ConnectionConfigField,
    Connector,
)
from connectors._redaction import Redactor
from connectors._refusals import error_of
from connectors._wire import decode
from tests.tracebacks import rendered
from transports import Request, Response, Secret

PLANTED = "planted~token-3f9c2b7d15"
REQUEST = Request("GET", "https://x.example/api/apps/a/external-auth/tokens/slack?code=1")


def answer(body: object, model: type[object]) -> object:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode(Response(200, {"x-a": "b"}, raw), REQUEST, model, request_id="r-1")


def refused(body: object, model: type[object]) -> MalformedResponseError:
    with pytest.raises(MalformedResponseError) as caught:
        answer(body, model)
    return caught.value


FULL_CALL = {
    "success": False,
    "phase": "responded",
    "status_code": 404,
    "data": {"a": [1, None, {"b": 1.5}]},
    "data_base64": "AAAA",
    "content_type": "image/png",
    "headers": {"etag": "x"},
    "credits_charged": 0.25,
}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ({"access_token": "t-1"}, Connection("t-1")),
        (
            {"access_token": "t-1", "integration_type": None, "connection_config": None},
            Connection("t-1"),
        ),
        (
            {"access_token": "t-1", "integration_type": "slack", "connection_config": {}},
            Connection("t-1", {}, "slack"),
        ),
        (
            {"access_token": "t-1", "connection_config": {"subdomain": "ü"}, "more": [{"a": 1}]},
            Connection("t-1", {"subdomain": "ü"}),
        ),
        ({"success": True, "phase": "not_sent"}, ApiResponse(success=True, phase="not_sent")),
        (
            FULL_CALL,
            ApiResponse(
                success=False,
                phase="responded",
                status=404,
                data={"a": [1, None, {"b": 1.5}]},
                data_base64="AAAA",
                content_type="image/png",
                headers={"etag": "x"},
                credits_charged=0.25,
            ),
        ),
        (
            dict.fromkeys(FULL_CALL) | {"success": True, "phase": "timed_out"},
            ApiResponse(success=True, phase="timed_out"),
        ),
        (
            {"success": True, "phase": "responded", "credits_charged": 3, "data": "\ud800"},
            ApiResponse(success=True, phase="responded", credits_charged=3, data="\ud800"),
        ),
        (
            {
                "integrations": [
                    {"integration_type": "slack", "display_name": "Slack", "description": "Chat"},
                    {
                        "integration_type": "zendesk",
                        "display_name": "Zendesk",
                        "connection_config_fields": [
                            {"name": "subdomain", "display_name": "Subdomain", "required": True}
                        ],
                    },
                ]
            },
            _Available(
                (
                    AvailableIntegration("slack", "Slack", "Chat"),
                    AvailableIntegration(
                        "zendesk",
                        "Zendesk",
                        None,
                        (ConnectionConfigField("subdomain", "Subdomain", required=True),),
                    ),
                )
            ),
        ),
        (
            {
                "integrations": [
                    {"integration_type": "slack", "status": "active", "scopes": ["a", "b"]},
                    {"integration_type": "box", "status": "expired", "user_email": "a@b.example"},
                ]
            },
            _Listed(
                (
                    Connector("slack", "active", ("a", "b")),
                    Connector("box", "expired", (), "a@b.example"),
                )
            ),
        ),
        ({"integrations": []}, _Listed(())),
        ({"redirect_url": "https://x.example"}, Authorization("https://x.example")),
        (
            {"redirect_url": None, "already_authorized": True, "error": None},
            Authorization(already_authorized=True),
        ),
        ({"status": "PENDING"}, _Status("PENDING")),
    ],
)
def test_an_answer_of_the_protocol_is_its_model(body: object, value: attrs.AttrsInstance) -> None:
    assert answer(body, type(value)) == value


def test_a_byte_order_mark_is_no_part_of_an_answer() -> None:
    assert answer(b'\xef\xbb\xbf{"access_token": "t-1"}', Connection) == Connection("t-1")


def test_of_a_name_that_comes_twice_the_last_holds_as_in_javascript() -> None:
    body = b'{"access_token": "t-1", "access_token": "t-2"}'
    assert answer(body, Connection) == Connection("t-2")


GOOD_FIELD = {"name": "a", "display_name": "A"}
GOOD_TYPE = {"integration_type": "a", "display_name": "A"}
WRONG_CONFIGS: list[object] = [
    [],
    "a",
    1,
    True,
    {"a": 1},
    {"a": None},
    {"a": "\ud800"},
    {"\ud800": "a"},
]
GOOD_CALL = {"success": True, "phase": "responded"}


@pytest.mark.parametrize(
    ("model", "body", "problem"),
    [
        (Connection, b"", "it is empty"),
        (Connection, b"<html>", "it is not JSON"),
        (Connection, '{"access_token": "t"}'.encode("utf-16"), "it is not UTF-8"),
        (Connection, b'{"access_token": "t", "x": NaN}', "it holds NaN, an infinity or"),
        (Connection, b"[" * 100_000, "it is nested too deeply"),
        (Connection, [], "not an object @ $"),
        (Connection, "t-1", "not an object @ $"),
        (Connection, None, "not an object @ $"),
        (Connection, {}, "required field missing @ $.access_token"),
        (Connection, {"access_token": None}, "required field missing @ $.access_token"),
        (Connection, {"access_token": 5}, "not a string @ $.access_token"),
        (Connection, {"access_token": ["t"]}, "not a string @ $.access_token"),
        (Connection, {"access_token": ""}, "not a token that a header can hold @ $.access_token"),
        *(
            (
                Connection,
                {"access_token": f"t{character}1"},
                "not a token that a header can hold @ $.access_token",
            )
            for character in " \n\r\t\0\x7füİ\ud800"
        ),
        (
            Connection,
            {"access_token": "t", "integration_type": 1},
            "not a string @ $.integration_type",
        ),
        (
            Connection,
            {"access_token": "t", "integration_type": "a\ud800"},
            "not a string of whole characters @ $.integration_type",
        ),
        *(
            (
                Connection,
                {"access_token": "t", "connection_config": wrong},
                "not an object of strings @ $.connection_config",
            )
            for wrong in WRONG_CONFIGS
        ),
        (
            Connection,
            {"connection_config": 1},
            "required field missing @ $.access_token; not an object of strings @ $.connection_c",
        ),
        (ApiResponse, {**GOOD_CALL, "success": 1}, "not a boolean @ $.success"),
        (ApiResponse, {**GOOD_CALL, "success": "true"}, "not a boolean @ $.success"),
        (ApiResponse, {**GOOD_CALL, "status_code": "200"}, "not a whole number @ $.status_code"),
        (ApiResponse, {**GOOD_CALL, "status_code": 200.0}, "not a whole number @ $.status_code"),
        (ApiResponse, {**GOOD_CALL, "status_code": True}, "not a whole number @ $.status_code"),
        (ApiResponse, {**GOOD_CALL, "credits_charged": "1"}, "not a number @ $.credits_charged"),
        (ApiResponse, {**GOOD_CALL, "credits_charged": True}, "not a number @ $.credits_charged"),
        (ApiResponse, {**GOOD_CALL, "headers": {"a": ["b"]}}, "not an object of strings @ $.head"),
        (
            ApiResponse,
            {**GOOD_CALL, "phase": "exploded"},
            "not one of not_sent, responded, timed_out, sent_unconfirmed @ $.phase",
        ),
        (ApiResponse, {**GOOD_CALL, "phase": ["responded"]}, "not one of not_sent, responded"),
        (ApiResponse, {"success": True}, "required field missing @ $.phase"),
        (_Status, {"status": "active"}, "not one of ACTIVE, FAILED, PENDING @ $.status"),
        (_Available, {}, "required field missing @ $.integrations"),
        (_Available, {"integrations": {}}, "not an array @ $.integrations"),
        (_Available, {"integrations": "abc"}, "not an array @ $.integrations"),
        (_Available, {"integrations": [GOOD_TYPE, 1]}, "not an object @ $.integrations[1]"),
        (
            _Available,
            {"integrations": [GOOD_TYPE, {"display_name": "A"}]},
            "required field missing @ $.integrations[1].integration_type",
        ),
        (
            _Available,
            {
                "integrations": [
                    {**GOOD_TYPE, "connection_config_fields": [GOOD_FIELD, {"name": "b"}]}
                ]
            },
            "required field missing @ $.integrations[0].connection_config_fields[1].display_name",
        ),
        (
            _Listed,
            {"integrations": [{"integration_type": "a", "status": "b", "scopes": ["c", 1]}]},
            "not a string @ $.integrations[0].scopes[1]",
        ),
    ],
)
def test_another_answer_is_an_error_that_names_the_place(
    model: type[object], body: object, problem: str
) -> None:
    error = refused(body, model)
    assert error.message.startswith(f"The answer is not what the protocol says: {problem}")
    facts = (error.status, error.method, error.request_id, error.data, error.code)
    assert facts == (200, "GET", "r-1", None, None)
    assert error.url == "https://x.example/api/apps/a/external-auth/tokens/slack"
    str(error).encode()


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (Connection, PLANTED.encode()),
        (Connection, f'{{"access_token": "{PLANTED}"'.encode()),
        (Connection, f'{{"access_token": "{PLANTED}", "a": 1e999}}'.encode()),
        (Connection, {PLANTED: 1}),
        (Connection, [PLANTED]),
        (Connection, {"token": PLANTED}),
        (Connection, {"access_token": [PLANTED]}),
        (Connection, {"access_token": f"{PLANTED}\n"}),
        (Connection, {"access_token": PLANTED, "integration_type": {PLANTED: PLANTED}}),
        (Connection, {"access_token": PLANTED, "connection_config": [PLANTED]}),
        (Connection, {"access_token": PLANTED, "connection_config": {PLANTED: [PLANTED]}}),
        (ApiResponse, {"success": PLANTED, "phase": PLANTED, "headers": {PLANTED: 1}}),
        (_Available, {"integrations": [PLANTED]}),
        (_Available, {"integrations": [{PLANTED: PLANTED, "display_name": [PLANTED]}]}),
        (_Status, {"status": PLANTED}),
    ],
)
def test_a_malformed_answer_shows_nothing_of_what_it_held(
    model: type[object], body: object
) -> None:
    error = refused(body, model)
    shown = f"{error} {error!r} {vars(error)} {error.to_dict()} {rendered(error)}"
    assert "_wire.py" in shown
    assert PLANTED not in shown
    assert PLANTED.encode() not in pickle.dumps(error)
    assert error.__cause__ is None
    assert error.__context__ is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.just(PLANTED)
    | st.sampled_from(["slack", "responded", "ACTIVE", "x\n"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "access_token",
                    "integration_type",
                    "connection_config",
                    "success",
                    "phase",
                    "status_code",
                    "data",
                    "headers",
                    "integrations",
                    "error",
                    "code",
                    "message",
                    "detail",
                    PLANTED,
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
BODIES = st.binary() | JSON.map(lambda value: json.dumps(value).encode())
MODELS = st.sampled_from([Connection, ApiResponse, Authorization, _Available, _Listed, _Status])


def outcome(response: Response, model: type[object]) -> object:
    """What a call makes of an answer."""
    try:
        if response.status // 100 == 2:
            return decode(response, REQUEST, model, request_id="r-1")
        raise error_of(
            response,
            REQUEST,
            redactor=Redactor([Secret(PLANTED)]),
            retry_after=None,
            request_id="r-1",
        )
    except ConnectorsError as error:
        return error


@given(st.just(200) | st.integers(0, 999), BODIES, MODELS)
def test_whatever_the_server_sends_it_is_a_value_or_one_of_our_errors(
    status: int, body: bytes, model: type[object]
) -> None:
    result = outcome(Response(status, {}, body), model)
    assert isinstance(result, (model, ConnectorsError))
    if isinstance(result, ConnectorsError):
        shown = f"{result} {result!r} {vars(result)} {rendered(result)}"
        assert PLANTED not in shown
        assert PLANTED.encode() not in pickle.dumps(result)
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()
        json.dumps(result.to_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "body",
    [
        lambda: {"integrations": [5] * 300_000},
        lambda: {"integrations": [{}] * 300_000},
        lambda: {"integrations": [{**GOOD_TYPE, "connection_config_fields": [1] * 300_000}]},
        lambda: {"integrations": [GOOD_TYPE] * 20_000},
        lambda: {str(number): number for number in range(60_000)},
    ],
    ids=["numbers", "empty objects", "a long inner array", "good ones", "unknown fields"],
)
def test_no_answer_takes_long_to_read_or_makes_a_long_message(body: Callable[[], object]) -> None:
    raw = json.dumps(body()).encode()
    began = time.perf_counter()
    result = outcome(Response(200, {}, raw), _Available)
    # Milliseconds on any machine; with every fault collected it is many seconds.
    assert time.perf_counter() - began < 3
    assert len(str(result)) < 1000 or isinstance(result, _Available)

"""A refusal and a failure become the error that says what to do, in the service's own words."""

import json
from collections.abc import Mapping

import pytest

from connectors._errors import (
    ClientClosedError,
    ClientUsageError,
    ConnectorsError,
    ForbiddenError,
    MalformedResponseError,
    MeteredConnectorError,
    NoAnswerError,
    NotConnectedError,
    OutOfCreditsError,
    RateLimitedError,
    ReconnectRequiredError,
    RedirectError,
    ServerError,
    ServiceError,
    TimedOutError,
    UnauthorizedError,
    UnreachableError,
)
from connectors._redaction import Redactor
from connectors._refusals import error_of, error_without_answer
from transports import (
    BodyTooLargeError,
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    ForkedProcessError,
    PoolTimeoutError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    Request,
    ResolveError,
    Response,
    Secret,
    TLSError,
    TransportClosedError,
    TransportError,
    TransportTimeoutError,
    WrongEventLoopError,
)

TOKEN = "svc-planted/3f9c+2b7d15"
REQUEST = Request("GET", "https://x.example:444/api/apps/a/external-auth/tokens/slack?code=1")
METERED = {"X-Base44-Connector-Error": "metered_connector_requires_proxy"}


def refusal(
    status: int,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    retry_after: float | None = None,
) -> ServiceError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_of(
        Response(status, headers or {}, raw),
        REQUEST,
        redactor=Redactor([Secret(TOKEN)]),
        retry_after=retry_after,
        request_id="r-1",
    )


def test_a_refusal_carries_every_fact_of_it() -> None:
    body = {"detail": "Connector connection not found", "code": "NOT_FOUND"}
    error = refusal(404, body)
    assert error.to_dict() == {
        "type": "NotConnectedError",
        "message": "Connector connection not found",
        "status": 404,
        "code": "NOT_FOUND",
        "data": body,
        "request_id": "r-1",
        "method": "GET",
        "url": "https://x.example:444/api/apps/a/external-auth/tokens/slack",
        "retry_after": None,
    }


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind"),
    [
        (401, {"detail": "Unauthorized"}, {}, UnauthorizedError),
        (402, {"message": "No", "extra_data": {"reason": "i"}}, {}, OutOfCreditsError),
        (402, b"", {}, OutOfCreditsError),
        (403, {"detail": "This endpoint is only accessible"}, {}, ForbiddenError),
        (403, {"detail": "Use /call"}, METERED, MeteredConnectorError),
        (403, {"detail": "Use /call", "code": "FORBIDDEN"}, METERED, MeteredConnectorError),
        (403, {"code": "metered_connector_requires_proxy"}, {}, MeteredConnectorError),
        (400, {"code": "metered_connector_requires_proxy"}, METERED, ServiceError),
        (404, {"detail": "x", "code": "NOT_FOUND"}, {}, NotConnectedError),
        (404, {"error": {"code": "NOT_FOUND"}}, {}, NotConnectedError),
        (404, {}, {"x-base44-connector-error": "NOT_FOUND"}, NotConnectedError),
        # No such route: not the same as an integration that is not connected.
        (404, {"detail": "Not Found"}, {}, ServiceError),
        (404, b"<html>", {}, ServiceError),
        (400, {"code": "NOT_FOUND"}, {}, ServiceError),
        (409, {"detail": "x", "code": "RECONNECT_REQUIRED"}, {}, ReconnectRequiredError),
        (409, {}, {"x-base44-connector-error": "RECONNECT_REQUIRED"}, ReconnectRequiredError),
        (404, {"code": "RECONNECT_REQUIRED"}, {}, ServiceError),
        (409, {"code": "NOT_FOUND"}, {}, ServiceError),
        (409, {"detail": "Conflict"}, {}, ServiceError),
        (429, {"detail": "Slow down"}, {}, RateLimitedError),
        (500, b"Internal Server Error", {}, ServerError),
        (502, b"", {}, ServerError),
        (503, {}, {}, ServerError),
        (599, {}, {}, ServerError),
        (301, b"", {"location": "/x"}, RedirectError),
        (304, b"", {}, RedirectError),
        (400, {}, {}, ServiceError),
        (408, {}, {}, ServiceError),
        (422, {}, {}, ServiceError),
        (101, b"", {}, ServiceError),
        (999, b"", {}, ServiceError),
        (0, b"", {}, ServiceError),
    ],
)
def test_the_status_and_the_code_decide_on_the_class(
    status: int, body: object, headers: Mapping[str, str], kind: type[ServiceError]
) -> None:
    error = refusal(status, body, headers)
    assert type(error) is kind
    assert error.status == status


def test_why_a_connection_has_ended_is_in_the_data() -> None:
    body = {"detail": "x", "code": "RECONNECT_REQUIRED", "extra_data": {"reason": "revoked"}}
    assert refusal(409, body).data == body


def test_a_wait_that_the_server_asked_for_is_on_the_error() -> None:
    error = refusal(429, {"detail": "Slow down"}, retry_after=90.5)
    assert error.retry_after == 90.5
    assert "retry after 90.5 s" in str(error)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "a"}, "message": "b", "detail": "c"}, "a"),
        ({"message": "b", "detail": "c"}, "b"),
        ({"detail": "c"}, "c"),
        # As in JavaScript, what is empty is passed over.
        ({"error": {"message": ""}, "message": "", "detail": "c"}, "c"),
        ({"error": {"message": None}, "message": None, "detail": "c"}, "c"),
        ({"error": {}, "detail": "c"}, "c"),
        ({"error": None, "detail": "c"}, "c"),
        ({"error": "a", "detail": "c"}, "c"),
        ({"error": ["a"], "detail": "c"}, "c"),
        # JavaScript would say '5', 'true' or '[object Object]'; a person is told more by the next.
        ({"message": 5, "detail": "c"}, "c"),
        ({"message": True, "detail": "c"}, "c"),
        ({"message": {"en": "a"}, "detail": "c"}, "c"),
        ({"error": {"message": ["a"]}, "message": "b"}, "b"),
        ({"detail": [{"loc": ["path"], "msg": "x"}]}, None),
        ({"detail": " \n"}, None),
        ({"message": ""}, None),
        ({}, None),
        ([], None),
        ([{"message": "a"}], None),
        ("a", None),
        (5, None),
        (None, None),
        (b"", None),
        (b"<html><title>a</title></html>", None),
        (b'\xff{"message": "a"}', None),
        (b'{"message": "a", "x": NaN}', None),
    ],
)
def test_the_message_is_the_first_text_of_the_protocol(body: object, message: str | None) -> None:
    assert refusal(400, body).message == (message or "The service answered with 400 Bad Request")


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        ({"error": {"code": "A"}, "code": "B"}, METERED, "A"),
        ({"error": {"code": None}, "code": "B"}, METERED, "B"),
        ({"code": "B"}, METERED, "B"),
        ({"detail": "x"}, METERED, "metered_connector_requires_proxy"),
        (b"<html>", METERED, "metered_connector_requires_proxy"),
        ({"code": None}, {}, None),
        ({}, {}, None),
        ([], {}, None),
        # JavaScript would take these as they are: '' and 404 and an object.
        ({"error": {"code": ""}, "code": "B"}, {}, "B"),
        ({"code": ""}, METERED, "metered_connector_requires_proxy"),
        ({"code": 404}, METERED, "metered_connector_requires_proxy"),
        ({"code": 404}, {}, None),
        ({"error": {"code": {"a": 1}}}, {}, None),
        ({}, {"x-base44-connector-error": ""}, None),
    ],
)
def test_the_code_is_the_first_of_the_protocol(
    body: object, headers: Mapping[str, str], code: str | None
) -> None:
    assert refusal(400, body, headers).code == code


@pytest.mark.parametrize(
    ("body", "data"),
    [
        ({"a": [1, None, "x"]}, {"a": [1, None, "x"]}),
        ([], []),
        ("text", "text"),
        (0, 0),
        (None, None),
        (b"<html>", None),
        (b"", None),
        (b'{"a": 1e999}', None),
        (b"[" * 100_000, None),
    ],
)
def test_the_data_is_the_body_where_it_is_json(body: object, data: object) -> None:
    assert refusal(400, body).data == data


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "The service answered with 400 Bad Request"),
        (503, "The service answered with 503 Service Unavailable"),
        (599, "The service answered with 599"),
        (302, "The service answered with 302 Found"),
    ],
)
def test_a_body_that_says_nothing_leaves_the_status_to_speak(status: int, message: str) -> None:
    assert refusal(status, b"").message == message


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://other.example/x?t=1", "https://other.example"),
        ("https://other.example:8443/x", "https://other.example:8443"),
        ("http://x.example:444/y", "http://x.example:444"),
        ("//other.example/x", "https://other.example"),
        ("https://user:pass@other.example/x", "https://other.example"),
        ("https://[2001:db8::1]:8/x", "https://[2001:db8::1]:8"),
        ("/login?next=/", "another path of the same server"),
        ("../x", "another path of the same server"),
        ("https://x.example:444/", "another path of the same server"),
        ("https://[broken", "an address that is none"),
        (f"https://{TOKEN.replace('/', '%2F')}.example/", "https://[redacted].example"),
    ],
)
def test_a_redirect_says_where_to_and_no_more(location: str, target: str) -> None:
    error = refusal(307, b"", {"Location": location})
    assert error.message == f"The service redirects to {target}"
    assert "Check server_url" in str(error)


def test_a_redirect_that_says_why_is_quoted() -> None:
    error = refusal(302, {"detail": "Moved"}, {"Location": "https://other.example"})
    assert error.message == "Moved"


def test_a_location_without_a_redirect_means_nothing() -> None:
    error = refusal(404, b"", {"Location": "https://other.example"})
    assert error.message == "The service answered with 404 Not Found"


def test_no_part_of_a_refusal_repeats_a_credential() -> None:
    echoed = {
        "error": {"message": f"Bad {TOKEN}", "code": f"c-{TOKEN}"},
        "a": [{f"k-{TOKEN}": TOKEN}],
    }
    error = refusal(401, echoed)
    assert (error.message, error.code) == ("Bad [redacted]", "c-[redacted]")
    assert error.data == {
        "error": {"message": "Bad [redacted]", "code": "c-[redacted]"},
        "a": [{"k-[redacted]": "[redacted]"}],
    }
    assert refusal(401, b"", {"X-Base44-Connector-Error": TOKEN}).code == "[redacted]"


FAILURES: dict[type[TransportError], type[ConnectorsError]] = {
    TransportError: UnreachableError,
    ConnectError: UnreachableError,
    ResolveError: UnreachableError,
    TLSError: UnreachableError,
    ProxyError: UnreachableError,
    DisconnectedError: UnreachableError,
    TransportTimeoutError: TimedOutError,
    PoolTimeoutError: TimedOutError,
    ConnectTimeoutError: TimedOutError,
    ReadTimeoutError: TimedOutError,
    ProtocolError: MalformedResponseError,
    BodyTooLargeError: MalformedResponseError,
    TransportClosedError: ClientClosedError,
    WrongEventLoopError: ClientUsageError,
    ForkedProcessError: ClientUsageError,
}


def family(kind: type[TransportError]) -> set[type[TransportError]]:
    return {kind}.union(*map(family, kind.__subclasses__()))


def test_every_failure_of_a_transport_is_here() -> None:
    known = {kind for kind in family(TransportError) if kind.__module__ == "transports._errors"}
    assert known == set(FAILURES)


@pytest.mark.parametrize("maybe_sent", [True, False])
@pytest.mark.parametrize(("failed", "kind"), FAILURES.items())
def test_a_failure_is_an_error_that_keeps_its_facts(
    failed: type[TransportError], kind: type[ConnectorsError], *, maybe_sent: bool
) -> None:
    failure = failed(
        "Something went wrong", method="GET", url=REQUEST.url, phase="send", maybe_sent=maybe_sent
    )
    error = error_without_answer(failure, request_id="r-1")
    assert type(error) is kind
    facts = (error.message, error.method, error.url, error.request_id, error.status, error.data)
    url = "https://x.example:444/api/apps/a/external-auth/tokens/slack"
    assert facts == ("Something went wrong", "GET", url, "r-1", None, None)
    if isinstance(error, NoAnswerError):
        assert error.maybe_sent is maybe_sent
    assert str(error).startswith(f"Something went wrong (GET {url})")


def test_a_failure_that_a_user_has_derived_is_known_by_its_base() -> None:
    class MyTimeoutError(ConnectTimeoutError):
        pass

    failure = MyTimeoutError("Late", method="GET", url="u", phase="connect", maybe_sent=False)
    assert type(error_without_answer(failure, request_id="r-1")) is TimedOutError

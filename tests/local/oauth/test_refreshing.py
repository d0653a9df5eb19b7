"""What a refresh that brought no tokens means for the tokens from before."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

import attrs
import pytest

from connectors.local._oauth import FailureKind, RefreshFailure, refresh_request, refresh_result
from tests.local.oauth.flows import (
    ACCESS,
    CLIENT,
    NOW,
    PLANTED,
    REFRESH,
    answer,
    config_of,
    named,
)
from tests.tracebacks import rendered
from transports import (
    BodyTooLargeError,
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    PoolTimeoutError,
    ProtocolError,
    ReadTimeoutError,
    ResolveError,
    Response,
    Secret,
    TLSError,
    TransportError,
)

GITLAB = named("gitlab")
TOKENS = {"access_token": ACCESS, "refresh_token": REFRESH}


def failure(
    data: object, status: int, name: str = "gitlab", headers: Mapping[str, str] | None = None
) -> RefreshFailure:
    result = refresh_result(named(name), answer(data, status, headers), sent_at=NOW)
    assert isinstance(result, RefreshFailure)
    return result


@pytest.mark.parametrize("status", [200, 201, 203, 299])
def test_tokens_of_any_success_are_taken(status: int) -> None:
    assert not isinstance(
        refresh_result(GITLAB, answer(TOKENS, status), sent_at=NOW), RefreshFailure
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0, "ambiguous"),
        (101, "ambiguous"),
        (302, "ambiguous"),
        (304, "ambiguous"),
        (400, "unknown"),
        (401, "client_rejected"),
        (403, "unknown"),
        (404, "unknown"),
        (408, "ambiguous"),
        (422, "unknown"),
        (425, "ambiguous"),
        (429, "busy"),
        (500, "ambiguous"),
        (501, "ambiguous"),
        (502, "ambiguous"),
        (503, "busy"),
        (504, "ambiguous"),
        (520, "ambiguous"),
        (599, "ambiguous"),
        (999, "ambiguous"),
    ],
)
@pytest.mark.parametrize("data", [{}, TOKENS, None, [], "<html>"])
def test_a_status_alone_decides_when_there_is_no_code(
    status: int, kind: FailureKind, data: object
) -> None:
    # Behind a gateway that gave up, the provider may still be at work.
    expected = RefreshFailure(kind=kind, status=status, quarantine=status == 504)
    assert failure(data, status) == expected


CODES: dict[str, FailureKind] = {
    "invalid_grant": "refused",
    "invalid_client": "client_rejected",
    "unauthorized_client": "client_rejected",
    "server_error": "ambiguous",
    "temporarily_unavailable": "ambiguous",
    "invalid_request": "unknown",
    "invalid_scope": "unknown",
    "unsupported_grant_type": "unknown",
    "bad_refresh_token": "unknown",  # GitHub's, and no other's.
    "Invalid_Grant": "unknown",
}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("status", [200, 400, 403])
def test_a_code_decides_whatever_the_status(code: str, status: int) -> None:
    found = failure({"error": code}, status)
    assert found == RefreshFailure(kind=CODES[code], code=code, status=status)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_grant", "refused"),
        ("server_error", "ambiguous"),
        ("invalid_client", "client_rejected"),
        ("invalid_request", "client_rejected"),
    ],
)
def test_a_401_blames_the_client_unless_its_code_says_better(code: str, kind: FailureKind) -> None:
    assert failure({"error": code}, 401).kind == kind


def test_a_401_cannot_blame_a_client_that_was_not_shown() -> None:
    # Instagram's renewal sends the access token and nothing else.
    assert failure({}, 401, "instagram").kind == "unknown"
    # Square's client secret is in a header of the revocation, and in the body here.
    assert failure({}, 401, "square").kind == "client_rejected"
    assert failure({}, 401, "notion").kind == "client_rejected"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 302])
def test_a_code_of_a_server_that_is_down_is_not_believed(status: int) -> None:
    found = failure({"error": "invalid_grant"}, status)
    assert found.kind == ("busy" if status in {429, 503} else "ambiguous")
    assert found.code == "invalid_grant"


@pytest.mark.parametrize(
    "data",
    [
        {"error": "invalid_grant"},
        {"error": {"code": "invalid_grant"}},
        {"error": {"type": "invalid_grant"}},
        {"object": "error", "code": "invalid_grant"},
        {"errors": [{"category": "X", "code": "invalid_grant"}]},
        {"error": "Bad Request", "code": "invalid_grant"},
        {"error": "bad_request", "code": "invalid_grant"},
    ],
    ids=str,
)
def test_a_code_is_found_where_providers_put_it(data: object) -> None:
    assert failure(data, 400) == RefreshFailure(kind="refused", code="invalid_grant", status=400)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("x" * 64, "x" * 64),
        ("AADSTS70008", "AADSTS70008"),
        ("a.b-c_d", "a.b-c_d"),
        (190, "190"),
        ("x" * 65, None),
        ("", None),
        ("a b", None),
        ("a\n", None),
        ("\x1b[31m", None),
        ("\u00e4", None),
        (True, None),
        (1.5, None),
        (None, None),
        ([], None),
        ({"code": None}, None),
        (REFRESH, None),
        (REFRESH.encode().hex(), None),
        (f"x-{REFRESH}-x", None),
        ("xoxe-1-abcdefghijkl", None),
    ],
)
def test_a_code_is_shown_only_if_it_is_harmless(code: object, shown: str | None) -> None:
    response = answer({"error": code}, 400)
    found = refresh_result(GITLAB, response, sent_at=NOW, secrets=[Secret(REFRESH)])
    assert found == RefreshFailure(kind="unknown", code=shown, status=400)


def test_a_failure_in_a_good_status_is_told_from_a_page_of_a_proxy() -> None:
    assert failure({"error": "odd"}, 200).kind == "unknown"
    assert failure({"status": "odd"}, 200).kind == "ambiguous"
    assert failure("<html>", 200).kind == "ambiguous"
    assert failure({"ok": False}, 200, "slack").kind == "unknown"
    assert failure({"ok": "false"}, 200, "slack").kind == "unknown"
    assert failure({**TOKENS}, 200, "slack").kind == "ambiguous"
    assert failure({**TOKENS, "ok": 1}, 200, "slack").kind == "unknown"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "3601"}, 3601.0),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": format_datetime(datetime.fromtimestamp(NOW + 9, UTC))}, 9.0),
        ({"retry-after": format_datetime(datetime.fromtimestamp(NOW - 9, UTC))}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 429, 500, 503])
def test_a_provider_may_ask_for_patience(
    headers: dict[str, str], seconds: float | None, status: int
) -> None:
    assert failure({}, status, headers=headers).retry_after == seconds


WHERE = {"method": "POST", "url": "https://gitlab.com/oauth/token?x"}


@pytest.mark.parametrize(
    "kind", [ConnectError, ResolveError, TLSError, ConnectTimeoutError, PoolTimeoutError]
)
def test_what_was_not_sent_leaves_the_tokens_as_they_were(kind: type[TransportError]) -> None:
    error = kind("no", phase="connect", maybe_sent=False, **WHERE)
    assert refresh_result(GITLAB, error, sent_at=NOW) == RefreshFailure(kind="not_sent")


@pytest.mark.parametrize(
    "kind", [ReadTimeoutError, DisconnectedError, ProtocolError, BodyTooLargeError]
)
def test_what_may_have_been_sent_is_not_sent_again_for_a_while(kind: type[TransportError]) -> None:
    error = kind("no", phase="headers", maybe_sent=True, **WHERE)
    assert refresh_result(GITLAB, error, sent_at=NOW) == RefreshFailure(
        kind="unanswered", quarantine=True
    )


def test_an_answer_that_nobody_can_have_asked_for_is_no_token() -> None:
    result = refresh_result(named("clickup"), answer(TOKENS), sent_at=NOW)
    assert result == RefreshFailure(kind="unknown", status=200)


def test_a_type_that_needs_a_refresh_token_is_not_renewed_without_one() -> None:
    with pytest.raises(ValueError, match="gitlab: there is no refresh token to renew it with"):
        refresh_request(GITLAB, CLIENT, access_token=Secret(ACCESS), refresh_token=None, config={})


def test_a_token_that_cannot_be_sent_is_refused_and_not_shown() -> None:
    for bad in (REFRESH + "\n", REFRESH + "\u00e4", f"\ud800{REFRESH}"):
        with pytest.raises(ValueError, match="gitlab: the refresh_token is empty or has") as caught:
            refresh_request(
                GITLAB,
                CLIENT,
                access_token=Secret(ACCESS),
                refresh_token=Secret(bad),
                config={},
            )
        shown = rendered(caught.value)
        assert [secret for secret in PLANTED if secret in shown] == []


def test_an_address_whose_value_is_not_known_is_refused() -> None:
    step = GITLAB.refresh.call
    assert step is not None
    elsewhere = attrs.evolve(step, call=attrs.evolve(step.call, url="https://{site}.com/"))
    integration = attrs.evolve(GITLAB, refresh=attrs.evolve(GITLAB.refresh, call=elsewhere))
    with pytest.raises(ValueError, match="needs a value for site"):
        refresh_request(
            integration,
            CLIENT,
            access_token=Secret(ACCESS),
            refresh_token=Secret(REFRESH),
            config={},
        )


def test_gitlab_s_redirect_uri_is_left_out_if_nobody_knows_it() -> None:
    request = refresh_request(
        GITLAB, CLIENT, access_token=Secret(ACCESS), refresh_token=Secret(REFRESH), config={}
    )
    assert request.body is not None
    assert b"redirect_uri" not in request.body


def test_a_request_can_be_given_a_deadline_later() -> None:
    request = refresh_request(
        GITLAB,
        CLIENT,
        access_token=Secret(ACCESS),
        refresh_token=Secret(REFRESH),
        config=config_of(GITLAB),
    )
    later = attrs.evolve(request, deadline=20.0)
    assert (later, later.deadline, later.idempotent) == (request, 20.0, False)
    assert later.max_body == request.max_body
    assert isinstance(refresh_result(GITLAB, Response(200), sent_at=NOW), RefreshFailure)

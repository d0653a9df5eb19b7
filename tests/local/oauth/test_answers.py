"""What an answer says is read as far as it can be, and nothing that can't costs the tokens."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from email.utils import format_datetime

import attrs
import pytest

from connectors.catalog import Integration
from connectors.local._oauth import RefreshFailure, Tokens, clock_skew, refresh_result
from tests.local.oauth.flows import ACCESS, NOW, REFRESH, answer, named, tokens_of
from transports import Headers, Response, Secret

YEAR = 365 * 24 * 3600.0
LIFETIME = 7200.0  # GitLab's.


def renewed(name: str | Integration, data: object, **kwargs: object) -> Tokens:
    integration = named(name) if isinstance(name, str) else name
    result = refresh_result(integration, answer(data, **kwargs), sent_at=NOW)  # type: ignore[arg-type]
    assert isinstance(result, Tokens)
    return result


def left(end: float | None) -> float | None:
    return None if end is None else end - NOW


def test_a_complete_answer() -> None:
    data = {
        "access_token": ACCESS,
        "token_type": "Bearer",
        "refresh_token": REFRESH,
        "expires_in": 3600,
        "scope": "api read_user",
    }
    tokens = tokens_of(named("gitlab"), data)
    assert tokens == Tokens(
        access_token=Secret(ACCESS),
        refresh_token=Secret(REFRESH),
        obtained_at=NOW,
        expires_at=NOW + 3600,
        refresh_expires_at=None,
        scopes=("api", "read_user"),
        captured={},
        raw=Secret(json.dumps(data)),
    )


def test_tokens_show_their_times_and_none_of_their_values() -> None:
    data = {"access_token": ACCESS, "refresh_token": REFRESH, "team": {"id": "T-planted"}}
    shown = repr(tokens_of(named("slackbot"), {**data, "ok": True, "expires_in": 60}))
    assert str(NOW + 60) in shown
    assert "captured=<team_id>" in shown
    assert "planted" not in shown


READABLE = {
    3600: 3600.0,
    3600.5: 3600.5,
    "3600": 3600.0,
    "3600.5": 3600.5,
    1e3: 1000.0,
    1: 1.0,
    "3153600000": 100 * YEAR,
}


@pytest.mark.parametrize("value", READABLE, ids=repr)
def test_a_lifetime_is_counted_from_when_the_request_was_sent(value: object) -> None:
    tokens = renewed("gitlab", {"access_token": ACCESS, "expires_in": value})
    assert left(tokens.expires_at) == READABLE[value]


UNREADABLE = [
    '""',
    '"soon"',
    '"-3600"',
    '" 3600"',
    '"1e3"',
    '"\\u0663"',
    '"3600\\n"',
    "-3600",
    "0",
    "0.9",
    "true",
    "false",
    "[]",
    "{}",
    "[3600]",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "1e300",
    "3153600001",
    "9" * 30,
    "9" * 5000,
]


def raw_answer(lifetime: str, name: str = "expires_in") -> Response:
    return Response(200, {}, f'{{"access_token": "{ACCESS}", "{name}": {lifetime}}}'.encode())


@pytest.mark.parametrize("lifetime", UNREADABLE)
def test_an_unreadable_lifetime_never_loses_the_tokens(lifetime: str) -> None:
    tokens = refresh_result(named("gitlab"), raw_answer(lifetime), sent_at=NOW)
    assert isinstance(tokens, Tokens)
    assert tokens.access_token == Secret(ACCESS)
    # There is an end, so the usual one of the type is assumed.
    assert left(tokens.expires_at) == LIFETIME


@pytest.mark.parametrize("lifetime", UNREADABLE)
def test_an_unreadable_lifetime_of_a_type_without_a_usual_one_is_none(lifetime: str) -> None:
    tokens = refresh_result(named("contentful"), raw_answer(lifetime), sent_at=NOW)
    assert isinstance(tokens, Tokens)
    assert tokens.expires_at is None


def test_an_answer_that_is_silent_means_what_the_catalogue_says_of_the_type() -> None:
    bare = {"access_token": ACCESS, "ok": True}
    assert renewed("salesforce", bare).expires_at == NOW + 7200
    assert renewed("square", bare).expires_at == NOW + 30 * 24 * 3600
    assert renewed("slackbot", bare).expires_at is None
    assert renewed("notion", bare).expires_at is None
    assert tokens_of(named("clickup"), bare).expires_at is None
    assert tokens_of(named("github"), {**bare, "expires_in": None}).expires_at is None


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat()


DAY = 24 * 3600.0


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        (moment(DAY), DAY),
        (moment(DAY).replace("+00:00", "Z"), DAY),
        (moment(DAY).replace("+00:00", "+01:00"), DAY - 3600),
        (moment(DAY).replace("+00:00", ""), DAY),
        (moment(DAY).replace("+00:00", ".123456789Z"), DAY + 0.123456),
        # The rest is no moment, one of the past, or one that nobody will see: 30 days are usual.
        (moment(0), 30 * DAY),
        (moment(-DAY), 30 * DAY),
        ("9999-12-31T23:59:59Z", 30 * DAY),
        ("0001-01-01T00:00:00+23:59", 30 * DAY),
        ("9999-12-31T23:59:59-23:59", 30 * DAY),
        ("tomorrow", 30 * DAY),
        ("", 30 * DAY),
        (NOW + DAY, 30 * DAY),
        (True, 30 * DAY),
        ({}, 30 * DAY),
        (None, 30 * DAY),
    ],
)
def test_a_moment_is_an_end_too(stated: object, seconds: float) -> None:
    tokens = renewed("square", {"access_token": ACCESS, "expires_at": stated})
    assert left(tokens.expires_at) == pytest.approx(seconds, abs=1e-3)


def date(skew: float) -> dict[str, str]:
    return {"date": format_datetime(datetime.fromtimestamp(NOW + skew, UTC), usegmt=True)}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (date(0), DAY),
        (date(60), DAY),
        (date(61), DAY - 61),
        (date(3600), DAY - 3600),
        (date(-3600), DAY),
        ({"date": date(3600)["date"].replace("GMT", "-0000")}, DAY - 3600),
        ({"date": "yesterday"}, DAY),
        ({"date": ""}, DAY),
        ({"date": "Fri, 31 Dec 9999 23:59:59 -99999999999999"}, DAY),
        (date(2 * DAY), 30 * DAY),
        ({"date": date(3600)["date"].replace("GMT", "+0000")}, DAY - 3600),
        ({"date": date(7200)["date"].replace("GMT", "+0100")}, DAY - 3600),
    ],
)
def test_a_moment_of_a_provider_whose_clock_is_ahead_is_nearer(
    headers: dict[str, str], seconds: float
) -> None:
    data = {"access_token": ACCESS, "expires_at": moment(DAY)}
    assert left(renewed("square", data, headers=headers).expires_at) == seconds
    # Seconds from now need no clock at all.
    assert renewed("gitlab", {**data, "expires_in": 60}, headers=headers).expires_at == NOW + 60


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (date(61), 61.0),
        (date(-61), -61.0),
        (date(60), 0.0),
        (date(-60), 0.0),
        ({}, 0.0),
        ({"date": "yesterday"}, 0.0),
        ({"date": "Fri, 31 Dec 2027 23:59:59 -99999999999999"}, 0.0),
    ],
)
def test_a_clock_that_differs_is_told_whatever_the_date_is(
    headers: dict[str, str], seconds: float
) -> None:
    assert clock_skew(Headers(headers), NOW) == seconds


def test_a_moment_that_forgets_its_zone_is_not_one_of_this_machine_s() -> None:
    script = f"""
from connectors.local._oauth import clock_skew, refresh_result
from tests.local.oauth.flows import answer, named
from transports import Headers
print(clock_skew(Headers({{"date": {date(3600)["date"].replace("GMT", "-0000")!r}}}), {NOW}))
data = {{"access_token": "a", "expires_at": {moment(DAY).replace("+00:00", "")!r}}}
print(refresh_result(named("square"), answer(data), sent_at={NOW}).expires_at)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "TZ": "America/New_York", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == [str(3600.0), str(NOW + DAY)]


def test_a_refresh_token_s_end_is_stated() -> None:
    data = {"access_token": ACCESS, "refresh_token": REFRESH, "refresh_token_expires_in": 60}
    assert renewed("linkedin", data).refresh_expires_at == NOW + 60
    assert tokens_of(named("linkedin"), data).refresh_expires_at == NOW + 60


@pytest.mark.parametrize(
    ("name", "consent", "renewal"),
    [
        ("airtable", 60 * DAY, 60 * DAY),  # Sliding.
        ("gmail", 180 * DAY, 180 * DAY),  # Idle.
        ("linkedin", YEAR, None),  # Absolute: a renewal does not move it.
        ("calendly", None, None),  # None.
        ("typeform", None, None),  # Unknown.
    ],
)
def test_a_refresh_token_s_end_is_known_of_the_type(
    name: str, consent: float | None, renewal: float | None
) -> None:
    data = {"access_token": ACCESS, "refresh_token": REFRESH, "refresh_token_expires_in": "?"}
    assert left(tokens_of(named(name), data).refresh_expires_at) == consent
    assert left(renewed(name, data).refresh_expires_at) == renewal
    del data["refresh_token"]
    assert tokens_of(named(name), data).refresh_expires_at is None
    assert left(renewed(name, data).refresh_expires_at) == renewal


@pytest.mark.parametrize("value", [None, "", 7, [], {}, True, "a\nb", "a\x7f", "\u00e4", " a"])
def test_a_refresh_token_that_cannot_be_sent_is_none_and_costs_nothing(value: object) -> None:
    tokens = renewed("gitlab", {"access_token": ACCESS, "refresh_token": value})
    assert (tokens.access_token, tokens.refresh_token) == (Secret(ACCESS), None)


@pytest.mark.parametrize(
    "value",
    [None, "", 7, [], {}, True, ["a"], "a\nb", "a\r\nx: y", "a\0", "a\x7f", "\u00e4", " a", "a "],
)
def test_an_access_token_that_cannot_be_sent_is_none(value: object) -> None:
    data = {"access_token": value, "refresh_token": REFRESH, "expires_in": 60}
    result = refresh_result(named("gitlab"), answer(data), sent_at=NOW)
    assert result == RefreshFailure(kind="ambiguous", status=200)


@pytest.mark.parametrize("token", ["a", "a b", "~" * 5000, '"', "\\", "%0a", "{client_secret}"])
def test_any_token_that_can_be_sent_is_kept_as_it_is(token: str) -> None:
    assert renewed("gitlab", {"access_token": token}).access_token == Secret(token)


@pytest.mark.parametrize(
    ("name", "value", "scopes"),
    [
        ("gitlab", "api read_user", ("api", "read_user")),
        ("gitlab", "api,read_user", ("api", "read_user")),
        ("gitlab", " api  api ", ("api",)),
        ("gitlab", "", ()),
        ("gitlab", ["api", "read_user"], ("api", "read_user")),
        ("gitlab", ["api", 7, None], ("api",)),
        ("gitlab", None, None),
        ("gitlab", 7, None),
        ("gitlab", {"api": True}, None),
        ("gitlab", "api\x1b[0m", None),
        ("gitlab", "\ud800", None),
        ("linear", "read,write", ("read", "write")),
        ("bamboohr", "openid+offline_access", ("openid", "offline_access")),
        ("gmail", "https://a.b/c https://a.b/d", ("https://a.b/c", "https://a.b/d")),
        ("notion", "read", None),
    ],
)
def test_scopes_are_read_in_whatever_way_they_are_told(
    name: str, value: object, scopes: tuple[str, ...] | None
) -> None:
    assert renewed(name, {"access_token": ACCESS, "scope": value}).scopes == scopes


@pytest.mark.parametrize(
    ("owner", "captured"),
    [
        ("https://api.calendly.com/users/X", {"owner": "https://api.calendly.com/users/X"}),
        (7, {"owner": "7"}),
        (None, {}),
        ("", {}),
        (True, {}),
        (1.5, {}),
        ([], {}),
        ({}, {}),
        ("a\nb", {}),
        ("../x", {}),
        ("\ud800", {}),
    ],
)
def test_a_value_is_captured_if_it_is_one(owner: object, captured: dict[str, str]) -> None:
    assert renewed("calendly", {"access_token": ACCESS, "owner": owner}).captured == captured


def test_a_secret_among_the_scopes_is_none() -> None:
    data = {"access_token": ACCESS, "refresh_token": REFRESH, "scope": f"{ACCESS} api {REFRESH} s"}
    tokens = refresh_result(named("gitlab"), answer(data), sent_at=NOW, secrets=[Secret("s")])
    assert isinstance(tokens, Tokens)
    assert tokens.scopes == ("api",)


def test_no_captured_value_can_be_changed() -> None:
    tokens = renewed("calendly", {"access_token": ACCESS, "owner": "x"})
    with pytest.raises(TypeError):
        tokens.captured["owner"] = "y"  # type: ignore[index]


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"access_token": "planted-access-token"}',
        b'{"access_token": "planted-access-token", "name": "\xff\xfe"}',
        b'{"access_token": "first", "access_token": "planted-access-token"}',
        b'{"access_token": "planted-access-token", "x": NaN, "y": -Infinity}',
        b'{"access_token": "planted-access-token", "x": ' + b"9" * 5000 + b"}",
        b'{"access_token": "planted-access-token", "x": "\\ud800"}',
        b'{"access_token": "planted-access-token", "x": ' + b"[" * 200 + b"]" * 200 + b"}",
    ],
)
def test_what_is_odd_beside_a_token_does_not_cost_it(body: bytes) -> None:
    tokens = refresh_result(named("gitlab"), Response(200, {}, body), sent_at=NOW)
    assert isinstance(tokens, Tokens)
    assert tokens.access_token == Secret(ACCESS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"planted-access-token"',
        b"<html>",
        b"access_token=planted-access-token",
        b'{"access_token": "planted-access-token"',
        b'{"data": {"access_token": "planted-access-token"}}',
        b'[{"access_token": "planted-access-token"}]',
        b"[" * 100_000,
    ],
)
def test_what_is_no_token_answer_is_not_taken_for_one(body: bytes) -> None:
    result = refresh_result(named("gitlab"), Response(200, {}, body), sent_at=NOW)
    assert result == RefreshFailure(kind="ambiguous", status=200)


def test_a_path_leads_only_to_what_is_there() -> None:
    instagram = named("instagram")
    step = instagram.token[0]
    deep = attrs.evolve(step, answer=attrs.evolve(step.answer, wrapped_in="data.1.x"))
    integration = attrs.evolve(instagram, token=(deep,))
    good = {"data": [0, {"x": {"access_token": ACCESS}}]}
    assert tokens_of(integration, good).access_token == Secret(ACCESS)
    for data in ({"data": [0]}, {"data": {"1": 7}}, {"data": [0, "x"]}, {"data": None}):
        flat = {**data, "access_token": "flat"}
        assert tokens_of(integration, flat).access_token == Secret("flat")

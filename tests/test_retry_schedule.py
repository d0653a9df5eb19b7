"""The schedule: whether a request is sent again, and when, without a clock."""

import itertools
import math
from collections.abc import Iterator
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._retry import NO_RETRY, Result, RetryPolicy, next_delay, retry_after
from transports import (
    BodyTooLargeError,
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    ForkedProcessError,
    Headers,
    PoolTimeoutError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    Request,
    ResolveError,
    Response,
    TLSError,
    TransportClosedError,
    TransportError,
    WrongEventLoopError,
)

GET = Request("GET", "https://x.example/a")
POST = Request("POST", "https://x.example/a")
POLICY = RetryPolicy()
NOW = 1_700_000_000.0


def delay(
    result: Result,
    request: Request = GET,
    *,
    policy: RetryPolicy = POLICY,
    attempt: int = 1,
    asked: float | None = None,
    left: float = math.inf,
    chance: float = 0.5,
) -> float | None:
    return next_delay(
        policy, request, result, attempt=attempt, asked=asked, left=left, chance=lambda: chance
    )


def failure(kind: type[TransportError], *, maybe_sent: bool) -> TransportError:
    return kind("No", method="GET", url="u", phase="send", maybe_sent=maybe_sent)


ALWAYS = {429, 503}
IF_IDEMPOTENT = {408, 425, 500, 502, 504}


@pytest.mark.parametrize("status", range(100, 600))
def test_a_status_is_tried_again_when_it_may_pass_and_is_safe(status: int) -> None:
    answer = Response(status)
    assert (delay(answer, GET) is not None) is (status in ALWAYS | IF_IDEMPOTENT)
    assert (delay(answer, POST) is not None) is (status in ALWAYS)


PASSING = [
    TransportError,
    ConnectError,
    ResolveError,
    ProxyError,
    ConnectTimeoutError,
    PoolTimeoutError,
    ReadTimeoutError,
    DisconnectedError,
    ProtocolError,
]
LASTING = [
    TLSError,
    BodyTooLargeError,
    TransportClosedError,
    WrongEventLoopError,
    ForkedProcessError,
]


@pytest.mark.parametrize(
    ("request_", "maybe_sent", "safe"),
    [(GET, False, True), (GET, True, True), (POST, False, True), (POST, True, False)],
    ids=["GET, not sent", "GET, maybe sent", "POST, not sent", "POST, maybe sent"],
)
@pytest.mark.parametrize("kind", [*PASSING, *LASTING])
def test_a_failure_is_tried_again_when_it_may_pass_and_is_safe(
    kind: type[TransportError], request_: Request, *, maybe_sent: bool, safe: bool
) -> None:
    again = delay(failure(kind, maybe_sent=maybe_sent), request_)
    assert (again is not None) is (safe and kind in PASSING)


def test_a_post_that_says_it_is_idempotent_is_one() -> None:
    idempotent = Request("POST", "https://x.example/a", idempotent=True)
    careful = Request("GET", "https://x.example/a", idempotent=False)
    late = failure(ReadTimeoutError, maybe_sent=True)
    assert delay(late, idempotent) is not None
    assert delay(late, careful) is None
    assert delay(Response(500), careful) is None


@pytest.mark.parametrize(
    ("result", "ends"),
    [
        (failure(ConnectError, maybe_sent=False), [0.25, 0.5, 1, 2, 4, 8, 8, 8]),
        (Response(500), [0.25, 0.5, 1, 2, 4, 8, 8, 8]),
        (Response(429), [1, 2, 4, 8, 8, 8]),
        (Response(503), [1, 2, 4, 8, 8, 8]),
    ],
    ids=["unreachable", "500", "429", "503"],
)
def test_the_upper_end_of_the_delay_doubles_up_to_the_limit(
    result: Result, ends: list[float]
) -> None:
    policy = RetryPolicy(attempts=100)
    for chance in (0.0, 0.25, 0.999):
        delays = [
            delay(result, policy=policy, attempt=attempt, chance=chance)
            for attempt in range(1, len(ends) + 1)
        ]
        assert delays == [chance * end for end in ends]


def test_a_policy_sets_the_ends() -> None:
    policy = RetryPolicy(attempts=9, base_delay=10, busy_delay=100, max_delay=300)
    assert delay(Response(500), policy=policy, attempt=2) == 10
    assert delay(Response(503), policy=policy, attempt=2) == 100
    assert delay(Response(503), policy=policy, attempt=3) == 150
    nothing = RetryPolicy(base_delay=0)
    assert delay(Response(500), policy=nothing) == 0


def test_the_number_of_attempts_counts_the_first() -> None:
    assert [delay(Response(503), attempt=attempt) is None for attempt in (1, 2, 3, 4)] == [
        False,
        False,
        True,
        True,
    ]
    assert delay(Response(503), policy=NO_RETRY) is None
    assert NO_RETRY.attempts == 1


def test_the_hundred_thousandth_attempt_has_a_delay_too() -> None:
    policy = RetryPolicy(attempts=1_000_000)
    assert delay(Response(503), policy=policy, attempt=100_000) == 4


@pytest.mark.parametrize(
    ("asked", "chance", "expected"),
    [
        (0.0, 0.5, 0.5),
        (5.0, 0.0, 5.0),
        (5.0, 0.5, 5.25),
        (60.0, 0.0, 60.0),
        (60.0, 0.9, 65.4),
        (60.001, 0.0, None),
        (3_600_000.0, 0.0, None),
        (1e308, 0.0, None),
    ],
)
def test_a_server_gets_the_patience_it_asks_for_or_none(
    asked: float, chance: float, expected: float | None
) -> None:
    given_delay = delay(Response(503), asked=asked, chance=chance)
    assert given_delay == (expected if expected is None else pytest.approx(expected))


def test_a_policy_sets_how_long_a_server_may_ask() -> None:
    policy = RetryPolicy(max_retry_after=7200)
    assert delay(Response(503), policy=policy, asked=7200, chance=0) == 7200
    assert delay(Response(503), policy=RetryPolicy(max_retry_after=0), asked=1) is None
    assert delay(Response(503), policy=RetryPolicy(max_retry_after=0)) == 0.5


@pytest.mark.parametrize(
    ("asked", "left", "expected"),
    [
        (None, 0.6, 0.5),
        (None, 0.5, None),
        (None, 0.0, None),
        (None, -1.0, None),
        (10.0, 11.0, 10.5),
        (10.0, 10.5, None),
        (10.0, 9.0, None),
    ],
)
def test_what_would_end_after_the_deadline_does_not_begin(
    asked: float | None, left: float, expected: float | None
) -> None:
    assert delay(Response(503), asked=asked, left=left) == expected


SECONDS = st.floats(0, 1e6)
CHANCES = st.floats(0, 1, exclude_max=True)
RESULTS = st.sampled_from(
    [
        *map(Response, sorted({200, 400, 404, 501} | ALWAYS | IF_IDEMPOTENT)),
        *itertools.starmap(
            lambda kind, sent: failure(kind, maybe_sent=sent),
            itertools.product(PASSING + LASTING, [True, False]),
        ),
    ]
)


@given(
    policy=st.builds(
        RetryPolicy,
        attempts=st.integers(1, 10_000),
        base_delay=SECONDS,
        busy_delay=SECONDS,
        max_delay=SECONDS,
        max_retry_after=SECONDS,
    ),
    request=st.sampled_from([GET, POST]),
    result=RESULTS,
    attempt=st.integers(1, 10_000),
    asked=st.none() | SECONDS,
    left=st.floats(-1e6, math.inf),
    chance=CHANCES,
)
def test_a_delay_is_within_the_deadline_the_limits_and_never_less_than_asked(
    *,
    policy: RetryPolicy,
    request: Request,
    result: Result,
    attempt: int,
    asked: float | None,
    left: float,
    chance: float,
) -> None:
    seconds = delay(
        result, request, policy=policy, attempt=attempt, asked=asked, left=left, chance=chance
    )
    if seconds is None:
        return
    assert attempt < policy.attempts
    assert 0 <= seconds < left
    assert (asked or 0) <= seconds <= max(policy.max_delay, (asked or 0) * 1.1)
    assert (asked or 0) <= policy.max_retry_after
    if isinstance(result, Response):
        assert result.status in ALWAYS or (request is GET and result.status in IF_IDEMPOTENT)
    else:
        assert result.retryable
        assert request is GET or not result.maybe_sent


@given(RESULTS, st.sampled_from([GET, POST]), CHANCES, CHANCES)
def test_chance_decides_when_and_never_whether(
    result: Result, request: Request, one: float, other: float
) -> None:
    delays = [delay(result, request, chance=chance) for chance in (one, other)]
    assert (delays[0] is None) is (delays[1] is None)


def date(seconds_from_now: float) -> str:
    return formatdate(NOW + seconds_from_now, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 120\t", 120.0),
        ("007", 7.0),
        ("1.5", 1.5),
        ("3600000", 3600000.0),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("1_000", None),
        ("0x10", None),
        (".5", None),
        ("5.", None),
        ("inf", None),
        ("Infinity", None),
        ("nan", None),
        ("5, 10", None),
        ("5 s", None),
        ("soon", None),
        ("\xb2", None),
        ("\xb9\xb2", None),
        ("9" * 400, None),
        (date(90), 90.0),
        (date(0), 0.0),
        (date(-86400), 0.0),
        # The forms that a recipient has to understand (RFC 9110, section 5.6.7).
        ("Tuesday, 14-Nov-23 22:14:50 GMT", 90.0),
        ("Tue Nov 14 22:14:50 2023", 90.0),
        ("Tue, 14 Nov 2023 22:14:50 -0000", 90.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 - NOW),
        ("Tue, 32 Nov 2023 22:14:50 GMT", None),
        ("Tue, 14 Nov 2023 25:14:50 GMT", None),
        ("Tue, 14 Nov 99999999999999999999 22:14:50 GMT", None),
        ("Tue, 14 Nov 2023 22:14:50 +9999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_else_not_there(
    value: str, seconds: float | None
) -> None:
    assert retry_after(Headers({"Retry-After": value}), NOW) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1500", 1.5),
        ("0", 0.0),
        ("0.5", 0.0005),
        ("-1", 7.0),
        ("inf", 7.0),
        ("1e3", 7.0),
        ("9" * 400, 7.0),
        ("", 7.0),
    ],
)
def test_milliseconds_are_more_exact_where_they_are_well_formed(value: str, seconds: float) -> None:
    assert retry_after(Headers({"Retry-After": "7", "retry-after-ms": value}), NOW) == seconds


def test_without_the_fields_there_is_no_wait() -> None:
    assert retry_after(Headers({"Date": date(0)}), NOW) is None


@pytest.mark.parametrize("wrong_by", [0, 1, -3600, 1e7])
def test_a_date_is_compared_with_the_server_s_own_clock(wrong_by: float) -> None:
    headers = Headers({"Retry-After": date(wrong_by + 30), "Date": date(wrong_by)})
    assert retry_after(headers, NOW) == 30


def test_a_date_of_the_answer_that_is_malformed_leaves_our_own_clock() -> None:
    headers = Headers({"Retry-After": date(30), "Date": "yesterday"})
    assert retry_after(headers, NOW) == 30


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ([("Retry-After", "5"), ("retry-after", "50")], 50.0),
        ([("Retry-After", "50"), ("retry-after", "5")], 50.0),
        ([("Retry-After", "x"), ("retry-after", "5")], 5.0),
        ([("Retry-After", "5"), ("Retry-After", date(90))], 90.0),
        ([("Retry-After", "500"), ("Retry-After", date(90))], 500.0),
        ([("Retry-After-Ms", "5"), ("Retry-After-Ms", "50"), ("Retry-After", "1")], 0.05),
    ],
)
def test_of_a_field_that_comes_twice_the_longest_wait_holds(
    fields: list[tuple[str, str]], seconds: float
) -> None:
    assert retry_after(Headers(fields), NOW) == seconds


def values() -> Iterator[st.SearchStrategy[str]]:
    latin = st.text(
        st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"])
    )
    words = ["Mon,", "14", "Nov", "2023", "22:14:50", "GMT", "+9999", "-", "9" * 30, "-0000", "1e9"]
    yield latin
    yield st.lists(st.sampled_from(words)).map(" ".join)
    yield st.integers().map(str)
    yield st.floats().map(str)


@given(*[st.none() | st.one_of(*values())] * 3, st.floats(0, 1e10))
def test_whatever_the_fields_say_it_is_a_finite_wait_or_none(
    after: str | None, milliseconds: str | None, answered: str | None, now: float
) -> None:
    fields = {"Retry-After": after, "Retry-After-Ms": milliseconds, "Date": answered}
    headers = Headers({name: value for name, value in fields.items() if value is not None})
    seconds = retry_after(headers, now)
    assert seconds is None or 0 <= seconds < math.inf


@pytest.mark.parametrize(
    ("settings", "kind", "says"),
    [
        ({"attempts": 0}, ValueError, "attempts must be 1 or more, not 0."),
        ({"attempts": -3}, ValueError, "attempts must be 1 or more, not -3."),
        ({"attempts": 2.0}, TypeError, "attempts must be an int, not float."),
        ({"attempts": "3"}, TypeError, "attempts must be an int, not str."),
        *(
            ({name: wrong}, kind, f"{name} must be a number{says}")
            for name in ("base_delay", "busy_delay", "max_delay", "max_retry_after")
            for wrong, kind, says in (
                (-0.1, ValueError, " of seconds from 0, not -0.1."),
                (math.inf, ValueError, " of seconds from 0, not inf."),
                (math.nan, ValueError, " of seconds from 0, not nan."),
                ("1", TypeError, ", not str."),
                (None, TypeError, ", not NoneType."),
            )
        ),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(
    settings: dict[str, object], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind) as caught:
        RetryPolicy(**settings)  # type: ignore[arg-type]
    assert str(caught.value) == says


def test_the_policy_unless_it_is_told_otherwise() -> None:
    assert RetryPolicy() == RetryPolicy(
        attempts=3, base_delay=0.25, busy_delay=1.0, max_delay=8.0, max_retry_after=60.0
    )
    assert hash(RetryPolicy()) == hash(RetryPolicy())

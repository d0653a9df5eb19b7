"""An error says what happened, to what and what next, and loses nothing on its travels."""

import copy
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors import _errors
from connectors._errors import (
    ClientClosedError,
    ClientUsageError,
    ConnectorsError,
    ForbiddenError,
    InterruptedCallError,
    MalformedResponseError,
    MeteredConnectorError,
    MissingCredentialsError,
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
from connectors._printable import printable
from tests.travels import Travel, travels
from transports import ConnectError, ReadTimeoutError

EVERY = [kind for kind in vars(_errors).values() if isinstance(kind, type)]
EVERY = [kind for kind in EVERY if issubclass(kind, ConnectorsError)]

TREE = {
    ServiceError: ConnectorsError,
    NotConnectedError: ServiceError,
    ReconnectRequiredError: NotConnectedError,
    UnauthorizedError: ServiceError,
    ForbiddenError: ServiceError,
    MeteredConnectorError: ForbiddenError,
    OutOfCreditsError: ServiceError,
    RateLimitedError: ServiceError,
    ServerError: ServiceError,
    RedirectError: ServiceError,
    NoAnswerError: ConnectorsError,
    UnreachableError: NoAnswerError,
    TimedOutError: NoAnswerError,
    InterruptedCallError: NoAnswerError,
    MalformedResponseError: ConnectorsError,
    ClientUsageError: ConnectorsError,
    MissingCredentialsError: ClientUsageError,
    ClientClosedError: ClientUsageError,
}

kinds = pytest.mark.parametrize("kind", EVERY)


def full(kind: type[ConnectorsError]) -> ConnectorsError:
    error = kind(
        "It broke",
        status=418,
        code="TEAPOT",
        data={"pots": [1, None]},
        request_id="r-1",
        method="GET",
        url="https://x.example/y",
        retry_after=1.5,
    )
    error.add_note("While it was raining.")
    if isinstance(error, NoAnswerError):
        error.maybe_sent = False
    return error


def refused() -> ConnectError:
    return ConnectError(
        "Refused", method="GET", url="https://x.example/y", phase="connect", maybe_sent=False
    )


def test_the_tree_is_this_one() -> None:
    assert set(EVERY) == {ConnectorsError, *TREE}
    for kind, base in TREE.items():
        assert kind.__bases__[0] is base
    assert issubclass(TimedOutError, TimeoutError)


@kinds
@travels
def test_a_copy_is_the_same_error(
    kind: type[ConnectorsError], travel: Travel[ConnectorsError]
) -> None:
    error = full(kind)
    again = travel(error)
    assert type(again) is kind
    assert again is not error
    assert (again.args, str(again), repr(again)) == (error.args, str(error), repr(error))
    assert vars(again) == vars(error)
    assert again.to_dict() == error.to_dict()
    assert again.data == {"pots": [1, None]}
    assert again.__notes__ == ["While it was raining."]
    assert getattr(again, "maybe_sent", None) is (
        False if issubclass(kind, NoAnswerError) else None
    )


@travels
def test_a_copy_keeps_a_cause_of_ours(
    travel: Travel[ConnectorsError],
) -> None:
    late = ReadTimeoutError(
        "Late", method="GET", url="https://x.example/y", phase="headers", maybe_sent=True
    )
    first = full(TimedOutError)
    first.__cause__ = late
    second = full(ClientUsageError)
    second.__cause__ = first
    again = travel(second)
    assert again.__suppress_context__
    assert type(again.__cause__) is TimedOutError
    cause = again.__cause__.__cause__
    assert type(cause) is ReadTimeoutError
    assert (str(cause), cause.maybe_sent, cause.phase) == (str(late), True, "headers")


@travels
def test_a_copy_forgets_a_cause_that_need_not_survive(
    travel: Travel[ConnectorsError],
) -> None:
    error = full(ServerError)
    error.__cause__ = OSError(lambda: "can't be pickled")
    again = travel(error)
    assert again.__cause__ is None
    # Where the copy is raised in the handling of another error, that one is shown.
    assert not again.__suppress_context__


@travels
def test_a_note_on_a_copy_is_on_the_copy_alone(
    travel: Travel[ConnectorsError],
) -> None:
    error = full(ServerError)
    travel(error).add_note("Only here.")
    assert error.__notes__ == ["While it was raining."]
    bare = ServerError("It broke")
    travel(bare).add_note("Only here.")
    assert not hasattr(bare, "__notes__")


def test_a_subclass_of_a_user_with_arguments_of_its_own_is_copied() -> None:
    class MineError(NotConnectedError):
        def __init__(self, who: str, when: int) -> None:
            super().__init__(f"{who} at {when}", status=404)
            self.who = who

    again = copy.deepcopy(MineError("me", 3))
    assert (str(again), again.who, again.status) == (str(MineError("me", 3)), "me", 404)


def test_nobody_can_change_the_data_that_others_see() -> None:
    error = full(ServerError)
    shared = copy.copy(error)
    for data in (error.data, error.to_dict()["data"], shared.data):
        assert isinstance(data, dict)
        data.clear()
    assert error.data == shared.data == {"pots": [1, None]}


@kinds
def test_to_dict_is_json(kind: type[ConnectorsError]) -> None:
    shown = full(kind).to_dict()
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    expected = {
        "type": kind.__name__,
        "message": "It broke",
        "status": 418,
        "code": "TEAPOT",
        "data": {"pots": [1, None]},
        "request_id": "r-1",
        "method": "GET",
        "url": "https://x.example/y",
        "retry_after": 1.5,
    }
    sent = {"maybe_sent": False} if issubclass(kind, NoAnswerError) else {}
    assert shown == expected | sent


def test_without_an_answer_a_request_counts_as_sent_until_it_is_known_better() -> None:
    assert NoAnswerError("?").maybe_sent is True
    assert UnreachableError("?").to_dict()["maybe_sent"] is True


@kinds
def test_str_says_what_happened_to_what_and_what_next(kind: type[ConnectorsError]) -> None:
    facts = "It broke (418 TEAPOT, GET https://x.example/y, retry after 1.5 s)"
    assert str(full(kind)) == (f"{facts}. {kind.hint}" if kind.hint else facts)
    assert "\n" not in kind.hint
    assert not kind.hint.endswith(".")


NEXT_STEPS = {
    NotConnectedError: "Connect the integration first",
    ReconnectRequiredError: "Connect the integration again",
    UnauthorizedError: "Check the token or key",
    ForbiddenError: "service token",
    MeteredConnectorError: "`call_api`",
    OutOfCreditsError: "Add integration credits",
    RateLimitedError: "wait before the next",
    ServerError: "try again later",
    RedirectError: "Check server_url",
    UnreachableError: "Check the network",
    InterruptedCallError: "may be repeated",
    TimedOutError: "Client(timeout=seconds)",
    MalformedResponseError: "Check that server_url",
}


@pytest.mark.parametrize(("kind", "step"), NEXT_STEPS.items())
def test_what_a_server_or_a_network_does_has_a_next_step(
    kind: type[ConnectorsError], step: str
) -> None:
    assert step in str(kind("It broke"))


def test_a_fact_that_is_not_given_is_none() -> None:
    shown = ConnectorsError("It broke").to_dict()
    assert shown.pop("type") == "ConnectorsError"
    assert shown.pop("message") == "It broke"
    assert set(shown.values()) == {None}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectorsError("It broke"), "It broke"),
        (ConnectorsError("It broke", status=500), "It broke (500)"),
        (ConnectorsError("It broke", code="A_CODE"), "It broke (A_CODE)"),
        (ConnectorsError("It broke", method="GET", url="https://x"), "It broke (GET https://x)"),
        (ConnectorsError("It broke", retry_after=0.0), "It broke (retry after 0 s)"),
        (ConnectorsError("It broke", retry_after=3600000.0), "It broke (retry after 3600000 s)"),
        (ConnectorsError("It broke."), "It broke."),
        (ServerError("It broke."), "It broke. The service has a fault; try again later"),
    ],
)
def test_str_holds_only_the_facts_that_there_are(error: ConnectorsError, text: str) -> None:
    assert str(error) == text


def test_the_url_of_an_error_has_no_query() -> None:
    error = ServerError("It broke", method="GET", url="https://x/y?code=1&state=2")
    assert error.url == "https://x/y"
    assert ServerError("It broke", url=None).url is None


def test_str_does_nothing_to_a_terminal_or_a_log() -> None:
    error = ServiceError("a\x1b[2J\r\nb\x9b\u2028\u202e\ud800ü", code="\a", status=400)
    assert str(error) == "a\\x1b[2J\\r\\nb\\x9b\\u2028\\u202e\\ud800ü (400 \\x07)"
    str(error).encode()


@pytest.mark.parametrize("text", ["", "plain", "ünïcödé 日本 🎉", "back\\slash"])
def test_what_can_be_printed_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@given(st.text(st.characters(exclude_categories=())))
@example("Acc\u00e8s refus\u00e9\u00a0!\u202f")
@example("a\u200bb\ue000\u0378")
def test_words_of_others_can_always_be_printed_and_kept(text: str) -> None:
    assert printable(text).isprintable()


def test_a_space_of_any_width_is_a_space() -> None:
    assert printable("refus\u00e9\u00a0!\u3000non") == "refus\u00e9 ! non"


def test_an_error_with_a_cause_of_ours_shows_it_in_its_traceback() -> None:
    with pytest.raises(UnreachableError) as caught:
        raise UnreachableError("Gone") from refused()
    assert isinstance(caught.value.__cause__, ConnectError)

"""What an error says, and that it says it after a journey too."""

import copy
import inspect
import pickle

import pytest

import transports
from transports import ReadTimeoutError, TransportError, UnmatchedRequestError

KINDS = [
    kind
    for kind in vars(transports).values()
    if inspect.isclass(kind) and issubclass(kind, TransportError)
]


def made(kind: type[TransportError]) -> TransportError:
    return kind("It broke", method="GET", url="http://a/b?c=secret", phase="send", maybe_sent=True)


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_happened_to_what_and_whether_it_was_sent(kind: type[TransportError]) -> None:
    error = made(kind)
    assert str(error) == "It broke (GET http://a/b, phase send, may have been sent)"
    assert (error.method, error.url, error.phase) == ("GET", "http://a/b", "send")
    error.maybe_sent = False
    assert str(error) == "It broke (GET http://a/b, phase send, was not sent)"


@pytest.mark.parametrize("kind", KINDS)
def test_it_survives_a_pickle_and_a_copy(kind: type[TransportError]) -> None:
    error = made(kind)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is kind
        assert str(other) == str(error)
        assert vars(other) == vars(error)


@pytest.mark.parametrize("kind", KINDS)
def test_its_sentence_begins_as_all_do(kind: type[TransportError]) -> None:
    assert (inspect.getdoc(kind) or "").startswith("Raised when")


def test_another_attempt_is_of_no_use_where_it_would_end_the_same() -> None:
    final = {kind.__name__ for kind in KINDS if not kind.retryable}
    assert final == {
        "BodyTooLargeError",
        "ForkedProcessError",
        "TLSError",
        "TransportClosedError",
        "WrongEventLoopError",
    }


def test_a_timeout_is_a_timeout_to_python_too() -> None:
    assert isinstance(made(ReadTimeoutError), TimeoutError)


def test_an_unmatched_request_is_the_tests_fault_and_not_the_networks() -> None:
    assert issubclass(UnmatchedRequestError, AssertionError)
    assert not issubclass(UnmatchedRequestError, TransportError)

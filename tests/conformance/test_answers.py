"""Both SDKs make the same of an answer: the same value, or an error with the same facts.

An error is compared by its message, status, code and data. Where a server has no words of its own,
the words are those of the HTTP stack and necessarily differ: there the rest is compared.
"""

import gzip
import json
from typing import Final

import attrs
import pytest

from tests.conformance.sdks import CALLS, Call, Failure, Official, Outcome, Settings, Success, ours
from tests.conformance.stub import Answer, Stub

METERED: Final = {"X-Base44-Connector-Error": "metered_connector_requires_proxy"}

ERRORS_OF_THE_PROTOCOL: Final = {
    "no token, or a wrong one": Answer({"detail": "Unauthorized"}, 401),
    "out of credits": Answer(
        {
            "message": "The workspace has used up its integration credits",
            "extra_data": {"reason": "integration_credits_limit_reached"},
        },
        402,
    ),
    "a user token for a service token": Answer(
        {"detail": "This endpoint is only accessible to service tokens"}, 403
    ),
    "a metered connector": Answer(
        {"detail": "Use POST /apps/{app_id}/connectors/{integration_type}/call"}, 403, METERED
    ),
    "not connected": Answer({"detail": "Connector connection not found", "code": "NOT_FOUND"}, 404),
}

# Which of several words, and of several codes, an error has.
CHOICES: Final = {
    "error.message before all": {"error": {"message": "1"}, "message": "2", "detail": "3"},
    "message before detail": {"message": "2", "detail": "3"},
    "detail last": {"detail": "3"},
    "an empty message is none": {"error": {"message": ""}, "message": "", "detail": "3"},
    "a null message is none": {"error": {"message": None}, "message": None, "detail": "3"},
    "an error without a message": {"error": {"type": "x"}, "message": "2"},
    "an error that is text": {"error": "x", "message": "2"},
    "an error that is null": {"error": None, "detail": "3"},
    "error.code before all": {"error": {"code": "a"}, "code": "b", "detail": "x"},
    "code before the header": {"code": "b", "detail": "x"},
    "a null code is none": {"error": {"code": None}, "code": None, "detail": "x"},
    "message and code from different places": {"error": {"code": "a"}, "detail": "3"},
    "more fields": {"detail": "x", "extra_data": {"list": [1, 2.5, True, None, {"a": "ü"}]}},
}

WORDLESS: Final = {
    "an empty body": b"",
    "no JSON": b"<h1>Bad gateway</h1>",
    "an empty object": {},
    "null": None,
    "a list": ["detail"],
    "a number": 7,
    "words that are empty": {"error": {"message": ""}, "message": "", "detail": ""},
}

CONNECTIONS: Final = {
    "no configuration": {"access_token": "t", "integration_type": "slack"},
    "null": {"access_token": "t", "integration_type": "slack", "connection_config": None},
    "empty": {"access_token": "t", "integration_type": "slack", "connection_config": {}},
    "several values": {
        "access_token": "t" * 4000,
        "integration_type": "slack",
        "connection_config": {"subdomain": "acme", "größe": "", "B": "2", "a": "1"},
    },
    "more than is known": {"access_token": "t", "integration_type": "x", "expires_in": 3600},
}

ENVELOPE: Final = {
    "success": True,
    "phase": "responded",
    "status_code": 200,
    "data": {"ok": True, "channels": [{"id": "C1", "size": 2.5, "topic": None}]},
    "data_base64": None,
    "content_type": None,
    "headers": {"x-ratelimit-remaining": "19"},
    "credits_charged": 1.5,
}
ENVELOPES: Final = {
    "all fields": ENVELOPE,
    "none but those that must be": {"success": True, "phase": "responded"},
    "all others null": {**dict.fromkeys(ENVELOPE), "success": False, "phase": "not_sent"},
    "an error of the provider": {
        **ENVELOPE,
        "success": False,
        "status_code": 404,
        "data": {"error": "channel_not_found"},
    },
    "not sent": {"success": False, "phase": "not_sent"},
    "timed out": {"success": False, "phase": "timed_out", "credits_charged": 1},
    "unconfirmed": {"success": False, "phase": "sent_unconfirmed", "status_code": None},
    "binary data": {**ENVELOPE, "data": None, "data_base64": "AAE=", "content_type": "image/png"},
    "data that is text": {**ENVELOPE, "data": "plain text"},
    "data that is false": {**ENVELOPE, "data": False},
    "more than is known": {**ENVELOPE, "request_id": "r-1"},
}

DONE: Final = [
    Answer(b"", 204),
    Answer(b"", 200),
    Answer(b"gone", 200),
    Answer({"status": "disconnected"}, 200),
    Answer(None, 202),
]

TOKEN_READS: Final = ["get_access_token", "get_current_app_user_access_token"]
READS: Final = [
    "get_connection",
    "get_workspace_connection",
    "get_current_app_user_connection",
    *TOKEN_READS,
]


@attrs.frozen
class Both:
    """The two SDKs, and the server that answers them."""

    official: Official
    stub: Stub

    async def make_of(self, answer: Answer | None, call: Call) -> tuple[Outcome, Outcome]:
        """What ours and the official SDK make of an answer."""
        self.stub.answer = answer
        settings = Settings(self.stub.url)
        outcomes = (await ours(call, settings), await self.official(call, settings))
        sent = self.stub.take()
        assert len(sent) == len(outcomes), "each of the two asks once"
        return outcomes


@pytest.fixture
def both(official: Official, stub: Stub) -> Both:
    stub.take()
    return Both(official, stub)


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("error", ERRORS_OF_THE_PROTOCOL)
async def test_every_error_of_the_protocol_has_the_same_facts_in_every_method(
    error: str, method: str, both: Both
) -> None:
    answer = ERRORS_OF_THE_PROTOCOL[error]
    mine, theirs = await both.make_of(answer, CALLS[method])
    assert isinstance(theirs, Failure)
    assert theirs.status == answer.status
    assert mine == theirs


@pytest.mark.parametrize("header", [{}, METERED], ids=["without header", "with header"])
@pytest.mark.parametrize("choice", CHOICES)
async def test_of_several_words_and_codes_the_same_are_taken(
    choice: str, header: dict[str, str], both: Both
) -> None:
    answer = Answer(CHOICES[choice], 400, header)
    mine, theirs = await both.make_of(answer, CALLS["get_connection"])
    assert isinstance(theirs, Failure)
    assert mine == theirs


@pytest.mark.parametrize(
    "status", [400, 403, 404, 405, 408, 409, 413, 422, 429, 500, 501, 502, 503]
)
async def test_every_status_keeps_its_words(status: int, both: Both) -> None:
    answer = Answer({"detail": "words", "code": "CODE"}, status)
    mine, theirs = await both.make_of(answer, CALLS["get_connection"])
    assert mine == theirs == Failure("words", status, "CODE", answer.body)


@pytest.mark.parametrize("header", [{}, METERED], ids=["without header", "with header"])
@pytest.mark.parametrize("body", WORDLESS)
async def test_without_words_status_and_code_are_the_same(
    body: str, header: dict[str, str], both: Both
) -> None:
    answer = Answer(WORDLESS[body], 502, header)
    mine, theirs = await both.make_of(answer, CALLS["get_connection"])
    assert isinstance(mine, Failure)
    assert isinstance(theirs, Failure)
    assert (mine.status, mine.code) == (theirs.status, theirs.code)
    assert (mine.status, mine.code) == (502, next(iter(header.values()), None))
    assert mine.message
    assert theirs.message


async def test_without_an_answer_there_is_neither_status_nor_code(both: Both) -> None:
    mine, theirs = await both.make_of(None, CALLS["get_connection"])
    assert isinstance(mine, Failure)
    assert isinstance(theirs, Failure)
    assert mine.message
    assert (
        attrs.evolve(mine, message=theirs.message) == theirs == Failure(theirs.message, None, None)
    )


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize("body", CONNECTIONS)
async def test_a_connection_is_the_same(body: str, method: str, both: Both) -> None:
    mine, theirs = await both.make_of(Answer(CONNECTIONS[body]), CALLS[method])
    assert isinstance(theirs, Success)
    assert isinstance(theirs.value, str if method in TOKEN_READS else dict)
    assert mine == theirs


@pytest.mark.parametrize("body", ENVELOPES)
async def test_what_came_of_a_call_of_the_api_is_the_same(body: str, both: Both) -> None:
    mine, theirs = await both.make_of(Answer(ENVELOPES[body]), CALLS["call_api"])
    assert isinstance(theirs, Success)
    assert mine == theirs


@pytest.mark.parametrize("more", [{}, {"connection_id": "c-9", "already_authorized": False}])
async def test_the_address_of_the_consent_page_is_the_same(
    more: dict[str, object], both: Both
) -> None:
    address = "https://consent.example/?state=s&scope=a%20b"
    answer = Answer({"redirect_url": address, **more})
    mine, theirs = await both.make_of(answer, CALLS["connect_app_user"])
    assert mine == theirs == Success(address)


@pytest.mark.parametrize("answer", DONE, ids=lambda done: f"{done.status} {done.body!r}")
async def test_of_a_disconnection_only_the_status_counts(answer: Answer, both: Both) -> None:
    mine, theirs = await both.make_of(answer, CALLS["disconnect_app_user"])
    assert mine == theirs == Success(None)


async def test_a_compressed_answer_is_the_same(both: Both) -> None:
    packed = gzip.compress(json.dumps(CONNECTIONS["several values"]).encode())
    answer = Answer(packed, headers={"Content-Encoding": "gzip"})
    mine, theirs = await both.make_of(answer, CALLS["get_connection"])
    assert isinstance(theirs, Success)
    assert mine == theirs

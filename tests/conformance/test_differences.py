"""Where the two SDKs differ on purpose: each is a promise of ours that the official SDK lacks.

When one of these tests fails because the official SDK has changed, the difference is gone and its
test can go with it.
"""

from typing import Final

import attrs
import pytest

from tests.conformance.sdks import (
    CALLS,
    Failure,
    Official,
    Refused,
    Settings,
    Success,
    ours,
    service,
)
from tests.conformance.stub import Answer, Stub
from tests.conformance.wire import GOOD

USER_READS: Final = ["get_current_app_user_connection", "get_current_app_user_access_token"]


@pytest.fixture
def settings(stub: Stub) -> Settings:
    stub.answer = GOOD
    stub.take()
    return Settings(stub.url)


@pytest.mark.parametrize(
    ("identifier", "line"),
    [
        ("..", "GET /api/apps/my-app/external-auth/ HTTP/1.1"),
        (".", "GET /api/apps/my-app/external-auth/tokens/ HTTP/1.1"),
    ],
)
async def test_dots_select_another_route_there_and_are_refused_here(
    identifier: str, line: str, settings: Settings, official: Official, stub: Stub
) -> None:
    call = service("get_connection", identifier)
    await official(call, settings)
    assert [sent.line for sent in stub.take()] == [line]
    assert isinstance(await ours(call, settings), Refused)
    assert stub.take() == []


@pytest.mark.parametrize("method", USER_READS)
async def test_a_users_connection_without_a_user_is_asked_for_there_and_refused_here(
    method: str, settings: Settings, official: Official, stub: Stub
) -> None:
    nobody = attrs.evolve(settings, user_token=None)
    await official(CALLS[method], nobody)
    assert len(stub.take()) == 1
    assert isinstance(await ours(CALLS[method], nobody), Refused)
    assert stub.take() == []


async def test_a_redirect_is_followed_there_with_the_token_and_is_an_error_here(
    settings: Settings, official: Official, stub: Stub
) -> None:
    # To itself: the official SDK goes round until its HTTP stack has had enough.
    stub.answer = Answer({}, 307, {"Location": f"{stub.url}/elsewhere"})
    await official(CALLS["get_connection"], settings)
    followed = stub.take()[1]
    assert followed.line == "GET /elsewhere HTTP/1.1"
    assert ("authorization", "Bearer service-token") in followed.fields

    outcome = await ours(CALLS["get_connection"], settings)
    assert isinstance(outcome, Failure)
    assert outcome.status == 307
    assert len(stub.take()) == 1


async def test_a_token_in_an_error_is_repeated_there_and_taken_out_here(
    settings: Settings, official: Official, stub: Stub
) -> None:
    stub.answer = Answer({"detail": "No such token: service-token", "token": "service-token"}, 401)
    theirs = await official(CALLS["get_connection"], settings)
    assert "service-token" in repr(theirs)
    mine = await ours(CALLS["get_connection"], settings)
    assert mine == Failure(
        "No such token: [redacted]",
        401,
        None,
        {"detail": "No such token: [redacted]", "token": "[redacted]"},
    )


@pytest.mark.parametrize("detail", [[{"loc": ["body"], "msg": "required"}], {"a": 1}, 7, True])
async def test_words_that_are_no_text_are_a_message_there_and_none_here(
    detail: object, settings: Settings, official: Official, stub: Stub
) -> None:
    stub.answer = Answer({"detail": detail}, 422)
    theirs = await official(CALLS["get_connection"], settings)
    mine = await ours(CALLS["get_connection"], settings)
    assert isinstance(theirs, Failure)
    assert isinstance(mine, Failure)
    assert mine.message.startswith("The service answered with 422")
    assert theirs.message != mine.message
    # Nothing is lost: the words are in the data of both.
    assert attrs.evolve(mine, message=theirs.message) == theirs


@pytest.mark.parametrize("code", [7, "", ["a"]])
async def test_a_code_that_is_no_name_is_a_code_there_and_none_here(
    code: object, settings: Settings, official: Official, stub: Stub
) -> None:
    stub.answer = Answer({"detail": "words", "code": code}, 400)
    theirs = await official(CALLS["get_connection"], settings)
    assert theirs == Failure("words", 400, code, {"detail": "words", "code": code})  # type: ignore[arg-type]
    assert await ours(CALLS["get_connection"], settings) == attrs.evolve(theirs, code=None)


@pytest.mark.parametrize("body", [{}, {"access_token": None}, {"access_token": 7}, b"", b"<html>"])
async def test_an_answer_without_a_token_is_a_result_there_and_an_error_here(
    body: object, settings: Settings, official: Official, stub: Stub
) -> None:
    stub.answer = Answer(body)
    assert isinstance(await official(CALLS["get_connection"], settings), Success)
    outcome = await ours(CALLS["get_connection"], settings)
    assert isinstance(outcome, Failure)
    assert outcome.message.startswith("The answer is not what the protocol says")

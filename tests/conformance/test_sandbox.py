"""Both SDKs get the same from `connectors dev --sandbox`: of all types, and through a consent.

A program that was written for the official SDK has every provider on its own machine.
"""

from collections.abc import AsyncIterator
from typing import Final

import pytest

from connectors.catalog import integrations
from tests.conformance.backend import Backend, local_backend
from tests.conformance.person import decide
from tests.conformance.sdks import Failure, Official, Success, ours, service, user

CONNECTOR: Final = "gitlab"


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    async with local_backend(tmp_path_factory.mktemp("sandbox"), sandbox=True) as running:
        yield running


@pytest.mark.parametrize("name", sorted(integrations()))
async def test_each_type_is_connected(name: str, sandbox: Backend, official: Official) -> None:
    call = service("get_connection", name)
    theirs = await official(call, sandbox.settings)
    assert isinstance(theirs, Success)
    assert await ours(call, sandbox.settings) == theirs


@pytest.mark.parametrize("name", sorted(integrations()))
async def test_the_api_of_each_type_can_be_called(
    name: str, sandbox: Backend, official: Official
) -> None:
    call = service("call_api", name, {"path": "/anything", "method": "GET"})
    theirs, mine = await official(call, sandbox.settings), await ours(call, sandbox.settings)
    assert isinstance(theirs, Success)
    assert isinstance(mine, Success)
    for told in (theirs, mine):
        assert isinstance(told.value, dict)
        assert (told.value["phase"], told.value["status"]) == ("responded", 200)
        told.value["headers"] = None  # The date among them is that of the call.
    assert mine == theirs


async def test_an_app_user_connects_through_either_and_is_connected_for_both(
    sandbox: Backend, official: Official
) -> None:
    connect, end = user("connect_app_user", CONNECTOR), user("disconnect_app_user", CONNECTOR)
    read = service("get_current_app_user_connection", CONNECTOR)
    for begins in (official, ours):
        begun = await begins(connect, sandbox.settings)
        assert isinstance(begun, Success)
        assert "GitLab is connected" in await decide(str(begun.value))
        theirs = await official(read, sandbox.settings)
        assert isinstance(theirs, Success)
        assert await ours(read, sandbox.settings) == theirs
        assert await begins(end, sandbox.settings) == Success(None)
        gone = await official(read, sandbox.settings)
        assert isinstance(gone, Failure)
        assert (gone.status, gone.code) == (404, "NOT_FOUND")
        assert await ours(read, sandbox.settings) == gone


async def test_an_app_user_who_says_no_is_not_connected(
    sandbox: Backend, official: Official
) -> None:
    begun = await official(user("connect_app_user", CONNECTOR), sandbox.settings)
    assert isinstance(begun, Success)
    assert "Not connected" in await decide(str(begun.value), "deny")
    read = service("get_current_app_user_connection", CONNECTOR)
    theirs = await official(read, sandbox.settings)
    assert isinstance(theirs, Failure)
    assert await ours(read, sandbox.settings) == theirs

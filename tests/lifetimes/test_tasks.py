"""A client belongs to no task: it is opened in one, used in others and closed in yet another."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import anyio
import pytest

from connectors import Client
from tests.lifetimes.runs import LIMIT
from tests.lifetimes.service import TOKEN, Service
from tests.loops import REAL, on

T = TypeVar("T")
pytestmark = [on(REAL), pytest.mark.usefixtures("leaves_no_task")]


@pytest.fixture
async def leaves_no_task() -> AsyncIterator[None]:
    before = len(anyio.get_running_tasks())
    yield
    assert len(anyio.get_running_tasks()) == before


async def in_a_task_of_its_own(call: Callable[[], Awaitable[T]]) -> T:
    results: list[T] = []

    async def run() -> None:
        results.append(await call())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
    return results[0]


async def token(client: Client) -> str:
    return (await client.as_service_role.connectors.get_connection("slack")).access_token


async def test_it_is_opened_in_one_task_and_closed_in_another(service: Service) -> None:
    client = service.client()

    async def close() -> None:
        await client.__aexit__(None, None, None)

    with anyio.fail_after(LIMIT):
        await in_a_task_of_its_own(client.__aenter__)
        assert await in_a_task_of_its_own(lambda: token(client)) == TOKEN
        assert await token(client) == TOKEN
        await in_a_task_of_its_own(close)
        await service.until_left()


async def test_an_exit_stack_of_one_task_is_closed_in_another(service: Service) -> None:
    stack = AsyncExitStack()

    async def enter() -> Client:
        return await stack.enter_async_context(service.client())

    with anyio.fail_after(LIMIT):
        client = await in_a_task_of_its_own(enter)
        assert await token(client) == TOKEN
        await in_a_task_of_its_own(stack.pop_all().aclose)
        await service.until_left()


async def test_a_generator_that_holds_it_is_ended_in_another_task(service: Service) -> None:
    # So do frameworks with what a handler depends on.
    async def provide() -> AsyncIterator[Client]:
        async with service.client() as client:
            yield client

    provided = provide()
    with anyio.fail_after(LIMIT):
        client = await in_a_task_of_its_own(lambda: anext(provided))
        assert await in_a_task_of_its_own(lambda: token(client)) == TOKEN
        assert await in_a_task_of_its_own(lambda: anext(provided, None)) is None
        await service.until_left()


async def test_it_outlives_the_cancelled_task_that_opened_and_used_it(service: Service) -> None:
    clients: list[Client] = []

    async def open_use_and_wait() -> None:
        clients.append(await service.client().__aenter__())
        assert await token(clients[0]) == TOKEN
        tasks.cancel_scope.cancel()
        await anyio.sleep_forever()

    with anyio.fail_after(LIMIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(open_use_and_wait)
        [client] = clients
        assert await token(client) == TOKEN
        await client.aclose()
        await service.until_left()


async def test_two_close_it_at_once_and_both_return(service: Service) -> None:
    client = service.client()
    with anyio.fail_after(LIMIT):
        assert await token(client) == TOKEN
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(client.aclose)
        await service.until_left()

"""A client after its close, after its loop, in another thread and in a forked child.

Each works or gives its named error at once. So every step here has its limit, and what is asked of
the service is counted: an error at once has asked nothing.
"""

import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
import pytest
from anyio.abc import TaskGroup

from connectors import Client, ClientClosedError, ClientUsageError
from tests.lifetimes.runs import LIMIT, Run
from tests.lifetimes.service import TOKEN, Service, each_loop, each_run, lines, told
from transports import WrongEventLoopError

Call: TypeAlias = Callable[[Client], Coroutine[Any, Any, object]]

CALLS: dict[str, Call] = {
    "get_connection": lambda client: client.as_service_role.connectors.get_connection("slack"),
    "list_connectors": lambda client: client.management.list_connectors(),
}
"""One that is shared with others who ask for the same, and one that is not."""

each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


async def token(client: Client) -> str:
    return (await client.as_service_role.connectors.get_connection("slack")).access_token


async def error_of(call: Call, client: Client) -> ClientUsageError:
    with anyio.fail_after(LIMIT), pytest.raises(ClientUsageError) as caught:
        await call(client)
    return caught.value


@each_run
@each_call
def test_a_closed_client_says_so_at_once(service: Service, run: Run, call: Call) -> None:
    async def main() -> None:
        client = service.client()
        with anyio.fail_after(LIMIT):
            await call(client)
            await client.aclose()
            await service.until_left()
        assert type(await error_of(call, client)) is ClientClosedError

    run(main)
    assert service.asked == 1


@each_run
def test_closing_ends_all_who_wait_each_with_an_error_of_its_own(
    service: Service, run: Run
) -> None:
    errors: list[ClientUsageError] = []

    async def one(call: Call, client: Client) -> None:
        errors.append(await error_of(call, client))

    async def main() -> None:
        client = service.client()
        async with anyio.create_task_group() as tasks:
            for call in CALLS.values():
                for _ in range(10):
                    tasks.start_soon(one, call, client)
            await service.until_asked(11)
            with anyio.fail_after(LIMIT):
                await client.aclose()
                await service.until_left()

    with service.silent():
        run(main)
    assert {type(error) for error in errors} == {ClientClosedError}
    assert len({id(error) for error in errors}) == 20
    assert service.asked == 11


@each_run
def test_a_block_that_fails_closes_while_others_wait(service: Service, run: Run) -> None:
    errors: list[ClientUsageError] = []

    async def one(client: Client) -> None:
        errors.append(await error_of(CALLS["get_connection"], client))

    async def fail(tasks: TaskGroup) -> None:
        async with service.client() as client:
            tasks.start_soon(one, client)
            await service.until_asked(1)
            raise LookupError

    async def main() -> None:
        with anyio.fail_after(LIMIT):
            async with anyio.create_task_group() as tasks:
                with pytest.raises(LookupError):
                    await fail(tasks)
            await service.until_left()

    with service.silent():
        run(main)
    assert [type(error) for error in errors] == [ClientClosedError]


@each_run
def test_in_a_second_run_it_works_again(service: Service, run: Run) -> None:
    client = service.client()
    with pytest.warns(ResourceWarning, match="was not closed"):
        tokens = [run(token, client) for _ in range(3)]
    assert tokens == [TOKEN] * 3
    run(client.aclose)
    assert service.asked == 3


@each_run
@each_call
def test_a_call_that_the_first_run_cut_off_troubles_no_second(
    service: Service, run: Run, call: Call
) -> None:
    client = service.client()

    async def cut_off() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(call, client)
            await service.until_asked(1)
            tasks.cancel_scope.cancel()

    async def main() -> None:
        with anyio.fail_after(LIMIT):
            assert await token(client) == TOKEN
            await client.aclose()

    with service.silent(), pytest.warns(ResourceWarning, match="was not closed"):
        run(cut_off)
    run(main)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])  # Trio's is never left half-way.
def test_calls_that_were_left_in_a_closed_loop_trouble_no_second(
    service: Service, loop: str
) -> None:
    with service.silent(first=2), service.started("drop_a_loop", loop) as process:
        service.wait_until_asked(2)
        code, output, errors = told(process, "Go on\n")
    assert (code, output) == (0, f"{TOKEN}\n"), errors


@each_run
@each_call
def test_in_another_thread_it_says_so_at_once_and_goes_on_in_its_own(
    service: Service, run: Run, call: Call
) -> None:
    async def main() -> None:
        async with service.client() as client:
            await call(client)
            error = await anyio.to_thread.run_sync(run, error_of, call, client)
            assert isinstance(error, ClientUsageError)
            assert type(error.__cause__) is WrongEventLoopError
            assert "make one for each loop" in str(error)
            await call(client)
        await service.until_left()

    run(main)
    assert service.asked == 2


@each_run
@each_call
def test_another_thread_joins_no_call_under_way(service: Service, run: Run, call: Call) -> None:
    async def main() -> None:
        async with service.client() as client, anyio.create_task_group() as tasks:
            with service.silent():
                tasks.start_soon(call, client)
                await service.until_asked(1)
                error = await anyio.to_thread.run_sync(run, error_of, call, client)
                assert type(error.__cause__) is WrongEventLoopError
        await service.until_left()

    run(main)
    assert service.asked == 1


@each_run
@each_call
def test_closed_from_another_thread_it_ends_what_is_under_way(
    service: Service, run: Run, call: Call
) -> None:
    errors: list[ClientUsageError] = []

    async def one(client: Client) -> None:
        errors.append(await error_of(call, client))

    async def main() -> None:
        client = service.client()
        with anyio.fail_after(LIMIT):
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(one, client)
                await service.until_asked(1)
                await anyio.to_thread.run_sync(run, client.aclose, abandon_on_cancel=True)
            await service.until_left()

    with service.silent():
        run(main)
    assert [type(error) for error in errors] == [ClientClosedError] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@each_loop
def test_a_forked_child_says_so_at_once_and_the_parent_goes_on(service: Service, loop: str) -> None:
    with service.started("fork", loop) as process:
        with service.silent(first=2):
            service.wait_until_asked(2)
            said = lines(process, 5, "Go on\n")
        assert said == [
            "ForkedProcessError True",
            "ForkedProcessError True",
            "closed",
            f"own {TOKEN}",
            "child 0",
        ]
        code, output, errors = told(process)
    assert (code, output) == (0, f"parent {TOKEN}\n"), errors
    assert service.asked == 4

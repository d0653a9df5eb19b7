"""A fetch that does what the test says when it says so, and a call that keeps what became of it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup

from connectors._coalescer import Coalescer

LIMIT = 20
"""Seconds, mostly virtual ones, after which a test that waits in vain fails."""


async def settle() -> None:
    """Let every task run until it waits for the test."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


class Fetch:
    """Lands when it is told to; when cancelled, unwinds at once or when it is told to."""

    def __init__(self, *, slow_to_unwind: bool = False, limit: float = LIMIT) -> None:
        self.started = 0
        self.running = 0
        self.cancelled = 0
        self.may_unwind = anyio.Event()
        self._limit = limit
        self._told = anyio.Event()
        self._answer: Callable[[], Awaitable[object]]
        if not slow_to_unwind:
            self.may_unwind.set()

    def land(self, value: object) -> None:
        async def answer() -> object:
            return value

        self.go_on(answer)

    def fail(self, error: BaseException) -> None:
        async def answer() -> object:
            raise error

        self.go_on(answer)

    def go_on(self, answer: Callable[[], Awaitable[object]]) -> None:
        self._answer = answer
        self._told.set()

    async def __call__(self) -> Any:
        self.started += 1
        self.running += 1
        try:
            await self._told.wait()
            return await self._answer()
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            # The limit is for tests that fail before they let it unwind.
            with anyio.move_on_after(self._limit, shield=True):
                await self.may_unwind.wait()
            raise
        finally:
            self.running -= 1


class Call:
    """One call of `Coalescer.run` in a task of its own."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.ended = False
        self.joined = False
        self.value: object = None
        self.error: BaseException | None = None

    @property
    def was_cancelled(self) -> bool:
        return self.ended and self.scope.cancelled_caught

    def cancel(self) -> None:
        self.scope.cancel()

    async def run(
        self,
        coalescer: Coalescer[Any, Any],
        key: Hashable,
        fetch: Callable[[], Awaitable[object]],
    ) -> None:
        with self.scope:
            try:
                self.value = await coalescer.run(key, fetch, on_join=self._on_join)
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as error:  # noqa: BLE001 - the test looks at it.
                self.error = error
        self.ended = True

    def _on_join(self) -> None:
        self.joined = True


class Crowd:
    """Starts calls, and waits for the last of them when the block ends."""

    def __init__(self, coalescer: Coalescer[Any, Any], tasks: TaskGroup) -> None:
        self._coalescer = coalescer
        self._tasks = tasks

    async def call(
        self, fetch: Callable[[], Awaitable[object]], key: Hashable = "key", *, count: int = 1
    ) -> list[Call]:
        """Some calls for one key that have all come to wait, or ended."""
        calls = [Call() for _ in range(count)]
        for call in calls:
            self._tasks.start_soon(call.run, self._coalescer, key, fetch)
        await settle()
        return calls


@asynccontextmanager
async def crowd(coalescer: Coalescer[Any, Any]) -> AsyncIterator[Crowd]:
    with anyio.fail_after(LIMIT):
        async with anyio.create_task_group() as tasks:
            yield Crowd(coalescer, tasks)

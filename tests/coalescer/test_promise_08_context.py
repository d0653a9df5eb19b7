"""Promise 8: a fetch runs in a copy of the context of the caller that started it."""

from contextvars import ContextVar

import anyio

from connectors._coalescer import Coalescer
from tests.coalescer.support import settle

who: ContextVar[str] = ContextVar("who", default="nobody")


async def test_promise_08_the_fetch_sees_the_context_of_its_starter_and_changes_nobodys() -> None:
    coalescer = Coalescer[str, str]()
    seen: list[str] = []
    go = anyio.Event()

    async def fetch() -> str:
        seen.append(who.get())
        who.set("the fetch")
        await go.wait()
        seen.append(who.get())
        return "value"

    async def call(name: str) -> None:
        who.set(name)
        await coalescer.run("key", fetch)
        seen.append(who.get())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, "starter")
        await settle()
        tasks.start_soon(call, "follower")
        await settle()
        go.set()
    assert seen[:2] == ["starter", "the fetch"]
    assert sorted(seen[2:]) == ["follower", "starter"]
    assert who.get() == "nobody"


async def test_promise_08_what_the_starter_sets_later_is_not_seen() -> None:
    coalescer = Coalescer[str, None]()
    seen: list[str] = []
    go = anyio.Event()

    async def fetch() -> None:
        await go.wait()
        seen.append(who.get())

    async def call() -> None:
        await coalescer.run("key", fetch)

    who.set("before")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await settle()
        who.set("after")
        go.set()
    assert seen == ["before"]

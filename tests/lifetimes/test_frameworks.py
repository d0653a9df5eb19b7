"""Web frameworks, each with its own hooks: the client is made at the start and closed at the end.

One event loop serves, as under a real server: the ASGI applications get their lifespan and their
requests from the two small drivers here, and aiohttp.web runs whole.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import aiohttp
import anyio
import fastapi
import httpx2
import litestar
import litestar.datastructures
import pytest
import quart
import starlette.applications
import starlette.requests
import starlette.responses
import starlette.routing
from aiohttp import web
from fastapi.testclient import TestClient

from connectors import Client, ClientClosedError
from tests.lifetimes.runs import LIMIT
from tests.lifetimes.service import TOKEN, Service
from tests.loops import REAL, REAL_ASYNCIO

MakeClient: TypeAlias = Callable[[], Client]
Ask: TypeAlias = Callable[[], Awaitable[str]]
"""Sends a request to the application and returns the text of the answer."""

Running: TypeAlias = Callable[[MakeClient], AbstractAsyncContextManager[Ask]]
Message: TypeAlias = dict[str, Any]


async def token(client: Client) -> str:
    return (await client.as_service_role.connectors.get_connection("slack")).access_token


@asynccontextmanager
async def started(app: Any) -> AsyncIterator[Message]:
    """Start and stop an ASGI application, as a server does: all of it in one task of its own."""
    to_app, app_gets = anyio.create_memory_object_stream[Message](1)
    app_sends, from_app = anyio.create_memory_object_stream[Message](1)
    state: Message = {}
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}

    async def tell(phase: str) -> None:
        await to_app.send({"type": f"lifespan.{phase}"})
        assert await from_app.receive() == {"type": f"lifespan.{phase}.complete"}

    with to_app, app_gets, app_sends, from_app:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(app, scope, app_gets.receive, app_sends.send)
            await tell("startup")
            yield state
            await tell("shutdown")


@asynccontextmanager
async def asgi(app: Any) -> AsyncIterator[Ask]:
    async def with_state(scope: Any, receive: object, send: object) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    async def ask() -> str:
        answer = await browser.get("http://app/")
        assert answer.status_code == 200, answer.text
        return answer.text

    transport = httpx2.ASGITransport(with_state)
    async with started(app) as state, httpx2.AsyncClient(transport=transport) as browser:
        yield ask


def fastapi_lifespan(make: MakeClient) -> AbstractAsyncContextManager[Ask]:
    @asynccontextmanager
    async def lifespan(app: fastapi.FastAPI) -> AsyncIterator[None]:
        async with make() as app.state.base44:
            yield

    app = fastapi.FastAPI(lifespan=lifespan)

    @app.get("/", response_class=fastapi.responses.PlainTextResponse)
    async def index(request: fastapi.Request) -> str:
        return await token(request.app.state.base44)

    return asgi(app)


def starlette_lifespan(make: MakeClient) -> AbstractAsyncContextManager[Ask]:
    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[dict[str, Client]]:
        async with make() as base44:
            yield {"base44": base44}

    async def index(request: starlette.requests.Request) -> starlette.responses.Response:
        return starlette.responses.PlainTextResponse(await token(request.state.base44))

    routes = [starlette.routing.Route("/", index)]
    return asgi(starlette.applications.Starlette(routes=routes, lifespan=lifespan))


def quart_serving(make: MakeClient) -> AbstractAsyncContextManager[Ask]:
    app = quart.Quart(__name__)

    @app.before_serving
    async def start() -> None:
        app.extensions["base44"] = make()

    @app.after_serving
    async def stop() -> None:
        await app.extensions["base44"].aclose()

    @app.get("/")
    async def index() -> str:
        return await token(app.extensions["base44"])

    return asgi(app)


def quart_while_serving(make: MakeClient) -> AbstractAsyncContextManager[Ask]:
    app = quart.Quart(__name__)

    @app.while_serving
    async def lifespan() -> AsyncGenerator[None, None]:
        async with make() as app.extensions["base44"]:
            yield

    @app.get("/")
    async def index() -> str:
        return await token(app.extensions["base44"])

    return asgi(app)


@litestar.get("/", media_type=litestar.MediaType.TEXT)
async def litestar_index(state: litestar.datastructures.State) -> str:
    return await token(state.base44)


# Litestar's own `logging_config` would change the root logger, and nobody would change it back.
def litestar_hooks(make: MakeClient) -> AbstractAsyncContextManager[Ask]:
    async def start(app: litestar.Litestar) -> None:
        app.state.base44 = make()

    async def stop(app: litestar.Litestar) -> None:
        await app.state.base44.aclose()

    app = litestar.Litestar(
        [litestar_index], on_startup=[start], on_shutdown=[stop], logging_config=None
    )
    return asgi(app)


def litestar_lifespan(make: MakeClient) -> AbstractAsyncContextManager[Ask]:
    @asynccontextmanager
    async def lifespan(app: litestar.Litestar) -> AsyncIterator[None]:
        async with make() as app.state.base44:
            yield

    return asgi(litestar.Litestar([litestar_index], lifespan=[lifespan], logging_config=None))


BASE44 = web.AppKey("base44", Client)


async def aiohttp_index(request: web.Request) -> web.Response:
    return web.Response(text=await token(request.app[BASE44]))


@asynccontextmanager
async def aiohttp_site(app: web.Application) -> AsyncIterator[Ask]:
    async def ask() -> str:
        async with browser.get(url) as answer:
            assert answer.status == 200
            return await answer.text()

    app.add_routes([web.get("/", aiohttp_index)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = "http://{}:{}/".format(*runner.addresses[0])
    async with aiohttp.ClientSession() as browser:
        yield ask
    await runner.cleanup()


def aiohttp_cleanup_ctx(make: MakeClient) -> AbstractAsyncContextManager[Ask]:
    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        async with make() as app[BASE44]:
            yield

    app = web.Application()
    app.cleanup_ctx.append(lifespan)
    return aiohttp_site(app)


def aiohttp_on_startup(make: MakeClient) -> AbstractAsyncContextManager[Ask]:
    async def start(app: web.Application) -> None:
        app[BASE44] = make()

    async def stop(app: web.Application) -> None:
        await app[BASE44].aclose()

    app = web.Application()
    app.on_startup.append(start)
    app.on_cleanup.append(stop)
    return aiohttp_site(app)


ANY_LOOP = [fastapi_lifespan, starlette_lifespan, litestar_hooks, litestar_lifespan]
ASYNCIO_ONLY = [quart_serving, quart_while_serving, aiohttp_cleanup_ctx, aiohttp_on_startup]


def every_application() -> list[Any]:
    """Each with the loops that it runs on."""
    return [
        pytest.param(*loop.values, running, id=f"{running.__name__}-{loop.id}")
        for applications, loops in ((ANY_LOOP, REAL), (ASYNCIO_ONLY, REAL_ASYNCIO))
        for running in applications
        for loop in loops
    ]


@pytest.mark.parametrize(("anyio_backend", "running"), every_application())
async def test_a_burst_of_requests_is_one_fetch_and_nothing_is_left(
    service: Service, running: Running
) -> None:
    clients: list[Client] = []

    def make() -> Client:
        clients.append(service.client())
        return clients[-1]

    async def one(ask: Ask) -> None:
        answers.append(await ask())

    answers: list[str] = []
    before = len(anyio.get_running_tasks())
    with anyio.fail_after(LIMIT):
        async with running(make) as ask:
            assert await ask() == TOKEN
            assert service.asked == 1
            async with anyio.create_task_group() as tasks:
                with service.silent():
                    for _ in range(50):
                        tasks.start_soon(one, ask)
                    await service.until_asked(2)
                    await anyio.wait_all_tasks_blocked()
            assert answers == [TOKEN] * 50
            assert service.asked == 2
        [client] = clients
        with pytest.raises(ClientClosedError):
            await token(client)
        await service.until_left()
    assert len(anyio.get_running_tasks()) == before


def test_a_test_client_that_starts_a_loop_for_each_request_is_answered(service: Service) -> None:
    # That is what it does outside a `with` block, where it runs no lifespan either.
    base44, app = service.client(), fastapi.FastAPI()

    @app.get("/")
    async def index() -> str:
        return await token(base44)

    with pytest.warns(ResourceWarning, match="was not closed"):
        answers = [TestClient(app).get("/").json() for _ in range(2)]
    assert answers == [TOKEN, TOKEN]
    anyio.run(base44.aclose)

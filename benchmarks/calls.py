"""What a call over HTTP costs: ours, aiohttp by hand, and what a user would take instead.

    python -m benchmarks.calls

Each asks a server that answers at once for the connection of an integration type and ends with the
token in hand. The types of calls that are under way at the same time differ, so ours shares
nothing. `by hand` is what one writes in a minute; `by hand, tuned` is aiohttp set up as
`AiohttpTransport` sets it up, without what that promises beside an answer. The others are the
request paths of SDKs and clients with their defaults. The official SDK for JavaScript is found
where `BASE44_CONFORMANCE_NODE_MODULES` says that it is installed.

On trio the figure is throughput, because ours has its connections in a thread there.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from benchmarks._benchmark import main
from benchmarks._cases import THROUGHPUT, Case, Contender, Target, at_least, at_most, python
from benchmarks._servers import json_server
from benchmarks._worker import Run, Work, each

APP: Final = "6860a2b4d1e3c5f7a9b0c1d2"
TOKEN: Final = "a-service-token-of-a-usual-length-0123456789abcdef"
HEADERS: Final = {"Authorization": f"Bearer {TOKEN}", "X-App-Id": APP}
ANSWER: Final = json.dumps(
    {"access_token": "xoxb-" + 50 * "0", "integration_type": "slack", "connection_config": None}
)
PATH: Final = f"/api/apps/{APP}/external-auth/tokens"
OFFICIAL: Final = Path(__file__).with_name("calls.mjs")
AT_ONCE: Final = 64

Opened = AsyncIterator[Mapping[str, Run]]


class Answer(Protocol):
    """What httpx, httpx2 and azure-core answer with."""

    def json(self) -> Mapping[str, str]: ...


async def _token(answer: Awaitable[Answer]) -> str:
    return (await answer).json()["access_token"]


@asynccontextmanager
async def ours(url: str) -> Opened:
    from connectors import Client

    async with Client(app_id=APP, service_token=TOKEN, server_url=url) as base44:
        yield {"call": each(base44.as_service_role.connectors.get_connection)}


@asynccontextmanager
async def by_hand(url: str) -> Opened:
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def call(key: str) -> str:
            async with session.get(f"{url}{PATH}/{key}", headers=HEADERS) as response:
                data = await response.json()
            token: str = data["access_token"]
            return token

        yield {"call": each(call)}


@asynccontextmanager
async def tuned(url: str) -> Opened:
    import aiohttp
    from yarl import URL

    connector = aiohttp.TCPConnector(
        limit=100, limit_per_host=32, resolver=aiohttp.ThreadedResolver()
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Content-Type"),
    ) as session:

        async def call(key: str) -> str:
            where = URL(f"{url}{PATH}/{key}", encoded=True)
            async with session.get(where, headers=HEADERS, allow_redirects=False) as response:
                data = json.loads(await response.read())
            token: str = data["access_token"]
            return token

        yield {"call": each(call)}


@asynccontextmanager
async def httpx(url: str) -> Opened:
    import httpx

    async with httpx.AsyncClient(headers=HEADERS) as client:
        yield {"call": each(lambda key: _token(client.get(f"{url}{PATH}/{key}")))}


@asynccontextmanager
async def httpx2(url: str) -> Opened:
    import httpx2

    async with httpx2.AsyncClient(headers=HEADERS) as client:
        yield {"call": each(lambda key: _token(client.get(f"{url}{PATH}/{key}")))}


@asynccontextmanager
async def openai(url: str) -> Opened:
    from openai import AsyncOpenAI

    async with AsyncOpenAI(api_key=TOKEN, base_url=url, default_headers=HEADERS) as client:

        async def call(key: str) -> object:
            return await client.get(f"{PATH}/{key}", cast_to=object)

        yield {"call": each(call)}


@asynccontextmanager
async def azure_core(url: str) -> Opened:
    from azure.core import AsyncPipelineClient
    from azure.core.pipeline import policies
    from azure.core.rest import AsyncHttpResponse, HttpRequest

    # What each client of the Azure SDK is generated with.
    usual = [
        policies.RequestIdPolicy(),
        policies.HeadersPolicy(HEADERS),
        policies.UserAgentPolicy("benchmark"),
        policies.ProxyPolicy(),
        policies.ContentDecodePolicy(),
        policies.AsyncRedirectPolicy(),
        policies.AsyncRetryPolicy(),
        policies.CustomHookPolicy(),
        policies.NetworkTraceLoggingPolicy(),
        policies.DistributedTracingPolicy(),
        policies.SensitiveHeaderCleanupPolicy(),
        policies.HttpLoggingPolicy(),
    ]
    made = AsyncPipelineClient[HttpRequest, AsyncHttpResponse](url, policies=usual)
    async with made as client:
        send = client.send_request
        yield {"call": each(lambda key: _token(send(HttpRequest("GET", f"{url}{PATH}/{key}"))))}


WORKERS: Final = {
    "ours": Work(ours, ("base44-connectors", "aiohttp", "anyio")),
    "aiohttp by hand": Work(by_hand, ("aiohttp",)),
    "aiohttp by hand, tuned": Work(tuned, ("aiohttp",)),
    "httpx": Work(httpx, ("httpx", "httpcore")),
    "httpx2": Work(httpx2, ("httpx2",)),
    "openai": Work(openai, ("openai", "httpx")),
    "azure-core": Work(azure_core, ("azure-core", "aiohttp")),
}

TARGETS: Final[Mapping[str, Target]] = {
    "aiohttp by hand": at_most(1.0),
    "aiohttp by hand, tuned": at_most(1.25),
    "official SDK on Node.js": at_most(0.4),
    "httpx": at_most(0.4),
    "httpx2": at_most(0.4),
    "openai": at_most(0.4),
    "azure-core": at_most(0.4),
}


def _contender(name: str, loop: str, url: str, in_flight: int) -> Contender:
    return Contender(name, python("calls", name, loop, url), in_flight=in_flight)


def _costs(loop: str, url: str, in_flight: int) -> Case:
    official = ("node", str(OFFICIAL), url, APP, TOKEN)
    return Case(
        f"get_connection, {in_flight} in flight, {loop}",
        (
            *(_contender(name, loop, url, in_flight) for name in WORKERS),
            Contender("official SDK on Node.js", official, in_flight=in_flight),
        ),
        TARGETS,
    )


def _on_trio(url: str) -> Case:
    return Case(
        f"get_connection, {AT_ONCE} in flight, trio",
        tuple(_contender(name, "trio", url, AT_ONCE) for name in ("ours", "httpx2", "httpx")),
        {"httpx2": at_least(2.0)},
        THROUGHPUT,
    )


@contextmanager
def cases() -> Iterator[list[Case]]:
    with json_server(ANSWER) as url:
        loops = ("asyncio", "uvloop")
        yield [
            *(_costs(loop, url, at_once) for loop in loops for at_once in (1, AT_ONCE)),
            _on_trio(url),
        ]


if __name__ == "__main__":
    main("calls", "What a call over HTTP costs", cases, WORKERS, serves=True)

"""What a call costs without I/O: through `MockTransport`, which answers from memory.

    python -m benchmarks.mock

`get_connection` is all of the client: the request, coalescing, retries and the decoded answer. `the
transport alone` sends one request that is there already, so the difference is the client's.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from benchmarks._benchmark import main
from benchmarks._cases import Case, Contender, at_most, python
from benchmarks._worker import LOOPS, Run, Work, each

PATH: Final = "/api/apps/app/external-auth/tokens/{type}"
CONNECTION: Final = {
    "access_token": "xoxb-" + 50 * "0",
    "integration_type": "slack",
    "connection_config": None,
}


@asynccontextmanager
async def mocked() -> AsyncIterator[Mapping[str, Run]]:
    from connectors import Client
    from transports import Request
    from transports.mock import MockTransport, json_response

    transport = MockTransport()
    route = transport.route("GET", PATH, json_response(CONNECTION))
    request = Request("GET", f"http://mock.invalid{PATH.format(type='slack')}")

    def forgetting(run: Run) -> Run:
        async def without_a_log(calls: int, in_flight: int) -> None:
            await run(calls, in_flight)
            transport.calls.clear()
            route.calls.clear()

        return without_a_log

    async with Client(app_id="app", service_token="token", transport=transport) as base44:
        yield {
            "client": forgetting(each(base44.as_service_role.connectors.get_connection)),
            "transport": forgetting(each(lambda _: transport.send(request))),
        }


WORKERS: Final = {"mocked": Work(mocked, ("base44-connectors", "anyio"))}


def _case(loop: str, in_flight: int) -> Case:
    command = python("mock", "mocked", loop)
    return Case(
        f"a call through MockTransport, {in_flight} in flight, {loop}",
        (
            Contender("get_connection", command, "client", in_flight),
            Contender("the transport alone", command, "transport", in_flight),
        ),
        limit=at_most(60) if loop == "asyncio" else None,
    )


@contextmanager
def cases() -> Iterator[list[Case]]:
    yield [_case(loop, in_flight) for loop in LOOPS for in_flight in (1, 64)]


if __name__ == "__main__":
    main("mock", "What a call costs without I/O", cases, WORKERS)

"""What a call costs beside others: with 1, 100 and 10,000 keys in flight.

    python -m benchmarks.growth

Over HTTP the service is played by a mock whose handler holds every answer back until as many
requests as are to be in flight have come, so they really are. In process they wait for their turn
at a vault that has a connection for each. Each caller makes its calls one after the other, with a
key of its own; its task is made once and is a part of what is measured.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

import anyio

from benchmarks._benchmark import main
from benchmarks._cases import Case, Contender, at_most, python
from benchmarks._vaults import APP, TOKEN, filled_vault
from benchmarks._worker import Run, Work, each

if TYPE_CHECKING:
    from transports import Request, Response

MOST: Final = 10_000
CONNECTION: Final = {"access_token": TOKEN, "connection_config": None}


class Gate:
    """Lets callers through together."""

    def __init__(self, together: int) -> None:
        self._together = together
        self._waiting = 0
        self._open = anyio.Event()

    async def pass_through(self) -> None:
        """Wait until all are here."""
        opens = self._open
        self._waiting += 1
        if self._waiting == self._together:
            self._waiting, self._open = 0, anyio.Event()
            opens.set()
        await opens.wait()


@asynccontextmanager
async def held_back() -> AsyncIterator[Mapping[str, Run]]:
    from connectors import Client
    from transports.mock import MockTransport, json_response

    gate = Gate(1)
    answer = json_response(CONNECTION)

    async def service(_: "Request") -> "Response":
        await gate.pass_through()
        return answer

    transport = MockTransport(service)
    async with Client(app_id=APP, service_token="token", transport=transport) as base44:
        ask = each(base44.as_service_role.connectors.get_connection)

        async def run(calls: int, in_flight: int) -> None:
            nonlocal gate
            gate = Gate(in_flight)
            await ask(calls, in_flight)
            transport.calls.clear()

        yield {"call": run}


@asynccontextmanager
async def in_process() -> AsyncIterator[Mapping[str, Run]]:
    from connectors import Client

    async with filled_vault(MOST) as vault, Client.local(vault=vault, app_id=APP) as base44:
        yield {"call": each(base44.as_service_role.connectors.get_connection)}


WORKERS: Final = {
    "mocked": Work(held_back, ("base44-connectors", "anyio")),
    "in process": Work(in_process, ("base44-connectors", "anyio")),
}


def _case(worker: str, loop: str, most: int, calls: int) -> Case:
    command = python("growth", worker, loop)
    return Case(
        f"{worker}, {loop}: {most} keys in flight beside one",
        tuple(Contender(f"{number} in flight", command, in_flight=number) for number in (most, 1)),
        {"1 in flight": at_most(1.2)},
        calls=calls,
    )


@contextmanager
def cases() -> Iterator[list[Case]]:
    yield [
        case
        for loop in ("asyncio", "trio")
        for case in (
            _case("mocked", loop, 100, 2_000),
            _case("mocked", loop, MOST, 2 * MOST),
            _case("in process", loop, 100, 2_000),
            _case("in process", loop, MOST, MOST),
        )
    ]


if __name__ == "__main__":
    main("growth", "What a call costs beside others", cases, WORKERS)

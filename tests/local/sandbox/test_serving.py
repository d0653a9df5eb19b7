"""A sandbox on a port or in process: for this machine only, and a transport like any other."""

import anyio
import pytest

from connectors.local._sandbox import Fault, SandboxProvider, SandboxTransport, serve_sandbox
from tests.local.sandbox.players import ORIGIN, player
from tests.loops import REAL_ASYNCIO, on
from transports import (
    BodyTooLargeError,
    ReadTimeoutError,
    Request,
    Response,
    Transport,
    TransportClosedError,
)
from transports.aiohttp import AiohttpTransport

ANY = Request("GET", f"{ORIGIN}/gmail/api/any")


@on(REAL_ASYNCIO)
async def test_it_answers_on_a_port() -> None:
    provider = SandboxProvider()
    transport = AiohttpTransport()
    async with serve_sandbox(provider) as server:
        assert not server.exposed
        page = await transport.send(Request("GET", f"{server.url}/gmail/authorize"))
        call = await transport.send(Request("GET", f"{server.url}/gmail/api/any"))
        client = player("gmail", provider)
        client.integration = provider.integrations(server.url)["gmail"]
        client.approve()
        request = client.request(client.integration.token[0].call)
        tokens = await transport.send(request)
        await transport.aclose()
    assert (page.status, call.status, tokens.status) == (400, 401, 200)
    assert page.headers["content-security-policy"]


@on(REAL_ASYNCIO)
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
async def test_it_is_never_where_another_machine_reaches_it(host: str) -> None:
    with pytest.raises(ValueError, match="A sandbox listens on this machine only"):
        async with serve_sandbox(SandboxProvider(), host=host):
            pass


@pytest.mark.parametrize(
    "host", ["example.com", "192.0.2.1:80", "sandbox", "localhost.example.com"]
)
async def test_it_does_not_answer_to_another_name(host: str) -> None:
    response = await SandboxProvider().handle(Request("GET", f"http://{host}/gmail/authorize"))
    assert response.status == 421


async def test_a_fault_of_its_own_is_an_answer() -> None:
    def no_clock() -> float:
        raise OSError

    client = player("gmail", SandboxProvider(clock=no_clock))
    request = Request("GET", client.authorization_url())
    assert (await client.provider.handle(request)).status == 500


async def test_it_is_a_transport_that_answers() -> None:
    transport = SandboxTransport(SandboxProvider())
    assert isinstance(transport, Transport)
    response = await transport.send(ANY)
    assert (response.status, response.source) == (401, "local")
    assert response.elapsed >= 0
    assert "open" in repr(transport)
    await transport.aclose()
    assert "closed" in repr(transport)


async def test_it_is_used_after_it_was_closed() -> None:
    transport = SandboxTransport(SandboxProvider())
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(TransportClosedError) as closed:
        await transport.send(ANY)
    assert (closed.value.phase, closed.value.maybe_sent) == ("pool", False)


async def test_a_body_is_no_larger_than_was_asked() -> None:
    transport = SandboxTransport(SandboxProvider())
    with pytest.raises(BodyTooLargeError) as large:
        await transport.send(Request("GET", ANY.url, max_body=3))
    assert (large.value.phase, large.value.maybe_sent) == ("body", True)


def hanging() -> tuple[SandboxTransport, str]:
    provider = SandboxProvider()
    provider.inject(Fault(drop=True), times=3)
    return SandboxTransport(provider), f"{ORIGIN}/gmail/token/0"


async def test_the_deadline_ends_it() -> None:
    transport, url = hanging()
    deadline = anyio.current_time() + 0.01
    with pytest.raises(ReadTimeoutError):
        await transport.send(Request("POST", url, deadline=deadline))


async def test_closing_ends_what_is_under_way() -> None:
    transport, url = hanging()
    outcomes: list[Response | TransportClosedError] = []

    async def send() -> None:
        try:
            outcomes.append(await transport.send(Request("POST", url)))
        except TransportClosedError as error:
            outcomes.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        tasks.start_soon(send)
        await anyio.wait_all_tasks_blocked()
        await transport.aclose()
        assert len(outcomes) == 2
    for outcome in outcomes:
        assert isinstance(outcome, TransportClosedError)
        assert (outcome.phase, outcome.maybe_sent) == ("headers", True)


async def test_cancelling_one_leaves_the_others() -> None:
    transport, url = hanging()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await transport.send(Request("POST", url))
    assert (await transport.send(ANY)).status == 401

"""What goes wrong on purpose: as often as it was asked for, and only at calls for tokens."""

import json

import anyio
import pytest

from connectors.local._sandbox import Fault, SandboxProvider, SandboxTransport
from tests.local.sandbox.players import ORIGIN, player, told
from tests.loops import VIRTUAL, on
from transports import ReadTimeoutError, Request, Response

CONTROL = f"{ORIGIN}/-/faults"


async def test_the_next_calls_fail_and_change_nothing() -> None:
    client = player("airtable")
    await client.connect()
    client.provider.inject(Fault(status=503, retry_after=7), times=2)
    client.provider.inject(Fault(status=500))
    failures = [await client.refresh() for _ in range(3)]
    assert [failure.status for failure in failures] == [503, 503, 500]
    assert [failure.headers.get("retry-after") for failure in failures] == ["7", "7", None]
    assert told(failures[0]) == {"error": "fault_on_purpose"}
    assert (await client.refresh()).status == 200
    assert client.provider.stats.reuses == 0


async def test_other_calls_are_not_concerned() -> None:
    client = player("gmail")
    await client.connect()
    client.provider.inject(Fault(status=500))
    assert (await client.probe()).status == 200
    assert (await client.revoke()).status == 200
    client.approve()
    assert (await client.take()).status == 500


@on(VIRTUAL)
async def test_a_delay_before_the_effect() -> None:
    client = player("airtable")
    await client.connect()
    client.provider.inject(Fault(delay_before=5))
    with anyio.move_on_after(4):
        await client.refresh()
    assert client.provider.stats.refreshes == 0
    client.provider.inject(Fault(delay_before=5))
    began = anyio.current_time()
    assert (await client.refresh()).status == 200
    assert anyio.current_time() - began == pytest.approx(5)


@on(VIRTUAL)
async def test_a_delay_after_the_effect() -> None:
    client = player("airtable")
    await client.connect()
    client.provider.inject(Fault(delay_after=5))
    with anyio.move_on_after(4):
        await client.refresh()
    assert client.provider.stats.refreshes == 1
    # The answer was lost, and with it the only good refresh token.
    assert told(await client.refresh())["error"] == "invalid_grant"
    assert client.provider.stats.reuses == 1


@on(VIRTUAL)
async def test_an_answer_that_never_comes() -> None:
    client = player("airtable")
    await client.connect()
    client.provider.inject(Fault(drop=True))
    call = client.integration.refresh.call
    assert call is not None
    sent = client.request(call.call)
    request = Request("POST", sent.url, sent.headers, sent.body, deadline=anyio.current_time() + 20)
    with pytest.raises(ReadTimeoutError) as lost:
        await SandboxTransport(client.provider).send(request)
    assert lost.value.maybe_sent
    assert client.provider.stats.refreshes == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"status": 200},
        {"status": 600},
        {"status": "503"},
        {"retry_after": "1"},
        {"delay_before": -1},
        {"delay_after": float("nan")},
        {"delay_after": 86401},
        {"drop": 1},
    ],
)
def test_a_fault_that_is_none_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Fault(**fields)  # type: ignore[arg-type]


async def control(provider: SandboxProvider, body: bytes | None) -> Response:
    return await provider.handle(Request("POST", CONTROL, (), body))


async def test_faults_come_over_http_only_when_that_was_allowed() -> None:
    body = json.dumps({"status": 500}).encode()
    assert (await control(SandboxProvider(), body)).status == 404
    client = player("gmail", faults=True)
    assert (await control(client.provider, body)).status == 200
    response = await control(client.provider, json.dumps({"status": 502, "times": 2}).encode())
    assert told(response) == {"coming": 3}
    client.approve()
    statuses = [(await client.take()).status for _ in range(4)]
    assert statuses == [500, 502, 502, 200]


@pytest.mark.parametrize(
    "body", [None, b"[]", b"{", b'{"status": 1}', b'{"x": 1}', b'{"times": "x"}', b'{"times": []}']
)
async def test_a_fault_that_cant_be_read_is_refused(body: bytes | None) -> None:
    provider = SandboxProvider(faults=True)
    response = await control(provider, body)
    assert response.status == 400
    told(response)
    assert (await provider.handle(Request("GET", CONTROL))).status == 405


async def test_there_are_only_so_many_faults_to_come() -> None:
    response = await control(SandboxProvider(faults=True), b'{"times": 1000000000}')
    assert told(response) == {"coming": 1000}

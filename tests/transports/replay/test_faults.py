"""Errors and slowness are recorded, too, and come again."""

from pathlib import Path
from typing import get_args

import anyio
import pytest

from tests.loops import REAL, VIRTUAL, on
from tests.transports.replay.cassettes import get, interactions, record
from transports import (
    BodyTooLargeError,
    ForkedProcessError,
    Phase,
    Request,
    Response,
    TransportClosedError,
    TransportError,
    WrongEventLoopError,
)
from transports.mock import MockTransport
from transports.replay import ReplayTransport
from transports.replay._faults import FAULTS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.json"


def failing(kind: type[TransportError], phase: Phase, *, maybe_sent: bool) -> MockTransport:
    def fail(request: Request) -> Response:
        raise kind(
            f"It failed of {kind.__name__}",
            method=request.method,
            url=request.url,
            phase=phase,
            maybe_sent=maybe_sent,
        )

    return MockTransport(fail)


@on(REAL)
@pytest.mark.parametrize("kind", FAULTS.values())
async def test_a_connection_error_plays_as_that_error(
    path: Path, kind: type[TransportError]
) -> None:
    for phase, maybe_sent in zip(get_args(Phase), [False, True] * 4, strict=False):
        inner = failing(kind, phase, maybe_sent=maybe_sent)
        async with ReplayTransport(path, "all", inner) as transport:
            with pytest.raises(kind):
                await transport.send(get("/a?code=1"))
        async with ReplayTransport(path) as transport:
            with pytest.raises(kind, match=f"It failed of {kind.__name__}") as again:
                await transport.send(get("/a?code=1"))
        assert type(again.value) is kind
        assert (again.value.phase, again.value.maybe_sent) == (phase, maybe_sent)
        assert (again.value.method, again.value.url) == ("GET", "https://service.example/a")


def test_every_error_of_a_network_can_be_recorded() -> None:
    known = {*FAULTS.values(), TransportClosedError, WrongEventLoopError, ForkedProcessError}
    # Those that are only ever raised as one of the others.
    assert _leaves(TransportError) <= known


def _leaves(kind: type[TransportError]) -> set[type[TransportError]]:
    return {one for sub in kind.__subclasses__() for one in _leaves(sub)} or {kind}


@on(REAL)
@pytest.mark.parametrize("kind", [TransportClosedError, WrongEventLoopError, ForkedProcessError])
async def test_a_mistake_of_the_program_is_not_recorded(
    path: Path, kind: type[TransportError]
) -> None:
    inner = failing(kind, "pool", maybe_sent=False)
    async with ReplayTransport(path, "all", inner) as transport:
        with pytest.raises(kind):
            await transport.send(get())
        assert transport.recorded == 0
    assert not path.exists()


@on(REAL)
async def test_a_program_that_knows_no_fault_finds_an_answer_with_status_599(path: Path) -> None:
    inner = failing(FAULTS["ConnectError"], "connect", maybe_sent=False)
    async with ReplayTransport(path, "all", inner) as transport:
        with pytest.raises(TransportError):
            await transport.send(get())
    (found,) = interactions(path)
    assert found["response"]["status"] == {"code": 599, "message": "No answer: ConnectError"}
    assert found["fault"]["error"] == "ConnectError"


@on(REAL)
async def test_a_secret_in_an_error_is_not_recorded(path: Path) -> None:
    def fail(request: Request) -> Response:
        raise FAULTS["ProxyError"](
            "The proxy says: token planted-123456",
            method="GET",
            url=request.url,
            phase="connect",
            maybe_sent=False,
        )

    async with ReplayTransport(path, "all", MockTransport(fail)) as transport:
        with pytest.raises(TransportError):
            await transport.send(get(headers={"Authorization": "Bearer planted-123456"}))
    assert "planted" not in path.read_text()


@on(VIRTUAL)
async def test_with_latency_an_answer_takes_as_long_as_it_took(path: Path) -> None:
    await _recorded(path, 2.5)
    transport = ReplayTransport(path, latency=True)
    began = anyio.current_time()
    response = await transport.send(get())
    assert anyio.current_time() - began == pytest.approx(2.5, abs=0.01)
    assert response.elapsed == pytest.approx(2.5, abs=0.01)


@on(VIRTUAL)
async def test_without_latency_it_comes_at_once(path: Path) -> None:
    await _recorded(path, 2.5)
    began = anyio.current_time()
    await ReplayTransport(path).send(get())
    assert anyio.current_time() - began < 0.01


@on(VIRTUAL)
async def test_a_deadline_ends_an_answer_that_takes_too_long(path: Path) -> None:
    await _recorded(path, 60)
    transport = ReplayTransport(path, latency=True)
    began = anyio.current_time()
    with pytest.raises(TimeoutError, match="before the deadline"):
        await transport.send(get(deadline=began + 5))
    assert anyio.current_time() - began == pytest.approx(5, abs=0.01)


async def _recorded(path: Path, seconds: float) -> None:
    async def slow(_: Request) -> Response:
        await anyio.sleep(seconds)
        return Response(200)

    transport = ReplayTransport(path, "all", MockTransport(slow))
    await transport.send(get())
    transport.save()


@on(REAL)
async def test_a_recorded_body_is_bounded_as_one_from_the_network(path: Path) -> None:
    await record(path, [get()], lambda _: Response(200, body=b"0123456789"))
    transport = ReplayTransport(path, repeats=True)
    with pytest.raises(BodyTooLargeError):
        await transport.send(get(max_body=9))
    assert (await transport.send(get(max_body=10))).body == b"0123456789"

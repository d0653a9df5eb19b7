"""What we record plays in vcrpy, and what vcrpy records of the same calls plays in ours."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cassettes.calls import BINARY, BYTES, CALLS, Call, service
from tests.cassettes.vcrpy import Answer, Serializer, play, record
from transports import ConnectError, Request, Response
from transports.replay import ReplayTransport
from transports.testing import loopback

REFUSED = Request("GET", "http://127.0.0.1:9/refused")
FAULT = Call("fault", Response(599), "/refused")


async def sent(transport: ReplayTransport, calls: Sequence[Call], origin: str) -> list[Response]:
    return [await transport.send(call.request(origin)) for call in calls]


def every(calls: Sequence[Call]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("call", calls, ids=lambda call: call.name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cassettes")


@pytest.fixture(scope="module")
async def ours(folder: Path) -> tuple[Path, str]:
    """A cassette that we have recorded, and where the service was."""
    path = folder / "ours.json"
    async with loopback(service) as origin, ReplayTransport(path, "once") as transport:
        await sent(transport, (*CALLS, BYTES), origin)
        with suppress(ConnectError):
            await transport.send(REFUSED)
    return path, origin


@pytest.fixture(scope="module")
async def in_vcrpy(ours: tuple[Path, str]) -> dict[str, Answer]:
    """Our cassette as vcrpy plays it, when the service is gone."""
    path, origin = ours
    before = path.read_bytes()
    played = await play(path, (*CALLS, BYTES), origin)
    played |= await play(path, [FAULT], "http://127.0.0.1:9")
    assert path.read_bytes() == before
    return played


@every(CALLS)
async def test_vcrpy_plays_what_we_record(in_vcrpy: dict[str, Answer], call: Call) -> None:
    answer = in_vcrpy[call.name]
    assert (answer.status, answer.body) == (call.answer.status, call.body)
    assert answer.fields == call.fields


async def test_vcrpy_shows_an_empty_body_where_json_can_not_hold_it(
    in_vcrpy: dict[str, Answer],
) -> None:
    assert in_vcrpy[BYTES.name] == Answer(200, "OK", [("content-type", "image/png")], b"")


async def test_vcrpy_shows_a_status_where_an_error_was_recorded(
    in_vcrpy: dict[str, Answer],
) -> None:
    assert in_vcrpy[FAULT.name] == Answer(599, "No answer: ConnectError", [], b"")


async def test_we_play_all_of_it(ours: tuple[Path, str]) -> None:
    path, origin = ours
    async with ReplayTransport(path) as transport:
        answers = await sent(transport, (*CALLS, BYTES), origin)
        with pytest.raises(ConnectError):
            await transport.send(REFUSED)
    assert [answer.body for answer in answers] == [*(call.body for call in CALLS), BINARY]


@pytest.fixture(scope="module", params=["json", "yaml"])
async def from_vcrpy(request: pytest.FixtureRequest, folder: Path) -> dict[str, Response]:
    """The answers of a cassette of vcrpy's, as we play it when the service is gone."""
    serializer: Serializer = request.param
    # JSON holds no bytes, and vcrpy has no way around that.
    calls = CALLS if serializer == "json" else (*CALLS, BYTES)
    path = folder / f"vcrpy.{serializer}"
    async with loopback(service) as origin:
        await record(path, serializer, calls, origin)
    before = path.read_bytes()
    async with ReplayTransport(path) as transport:
        answers = await sent(transport, calls, origin)
    assert path.read_bytes() == before
    return {call.name: answer for call, answer in zip(calls, answers, strict=True)}


@every(CALLS)
async def test_we_play_what_vcrpy_records(from_vcrpy: dict[str, Response], call: Call) -> None:
    answer = from_vcrpy[call.name]
    assert (answer.status, answer.body) == (call.answer.status, call.body)
    assert sorted((name.lower(), value) for name, value in answer.headers.fields) == call.fields

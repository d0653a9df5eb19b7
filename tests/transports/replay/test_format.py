"""The file: what is written is read again, and what is no cassette is refused and left alone."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loops import REAL, on
from tests.transports.replay.cassettes import URL, get, interactions, numbered, play, record
from transports import Phase, Request, Response
from transports.mock import MockTransport
from transports.replay import CassetteError, CassetteFormatError, Mode, ReplayTransport
from transports.replay._faults import FAULTS
from transports.replay._format import dumped, normalised
from transports.replay._interaction import (
    Interaction,
    RecordedFault,
    RecordedRequest,
    RecordedResponse,
)
from transports.replay._reading import parsed

NAMES = st.text("abc-XYZ", min_size=1)
FIELDS = st.lists(st.tuples(NAMES, st.text())).map(tuple)
REQUESTS = st.builds(
    RecordedRequest, st.sampled_from(["GET", "POST"]), st.text(), FIELDS, st.none() | st.binary()
)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
ANSWERED = st.lists(st.tuples(NAMES, VALUES)).map(tuple)
RESPONSES = st.builds(
    RecordedResponse, st.integers(0, 999), st.text(min_size=1), ANSWERED, st.binary()
)
FAULT = st.builds(
    RecordedFault,
    st.sampled_from(sorted(FAULTS)),
    st.text(),
    st.sampled_from(get_args(Phase)),
    st.booleans(),
)
MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis gives it its zone.
    max_value=datetime(2999, 1, 1),  # noqa: DTZ001 - as above.
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))
INTERACTIONS = st.builds(Interaction, REQUESTS, RESPONSES | FAULT, MOMENTS, st.floats(0, 1e6)).map(
    normalised
)


@given(st.lists(INTERACTIONS), st.binary(min_size=16, max_size=16))
def test_what_is_written_is_read_again(written: list[Interaction], salt: bytes) -> None:
    read = parsed(Path("a.json"), dumped(written, salt).encode())
    assert read.interactions == tuple(written)
    assert read.salt == salt


@on(REAL)
async def test_the_file_has_the_form_that_vcrpy_knows(tmp_path: Path) -> None:
    sent = Request("POST", f"{URL}/a?b=1", {"Accept": "a/b", "X-Other": "?"}, b"hello")
    fields = [("ETag", '"1"'), ("Link", "</a>"), ("link", "</b>"), ("Date", "now")]
    await record(tmp_path / "a.json", [sent], lambda _: Response(201, fields, b"\xc3\xa4"))
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["version"] == 1
    (found,) = document["interactions"]
    assert found["request"] == {
        "method": "POST",
        "uri": f"{URL}/a?b=1",
        "body": "hello",
        "headers": {"accept": ["a/b"], "x-other": [found["request"]["headers"]["x-other"][0]]},
    }
    assert found["request"]["headers"]["x-other"][0].startswith("SCRUBBED-")
    assert found["response"] == {
        "status": {"code": 201, "message": "Created"},
        "headers": {"etag": ['"1"'], "link": ["</a>", "</b>"]},
        "body": {"string": "ä"},
    }
    assert datetime.fromisoformat(found["recorded_at"]).tzinfo is not None


@on(REAL)
@pytest.mark.parametrize("body", [b"\xff\x00\xfe", b"", "ü€".encode(), b'{"a":"\\ud800"}', b"\n\t"])
async def test_a_body_comes_back_in_its_bytes(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "a.json"
    sent = Request("PUT", f"{URL}/a", {}, body)
    await record(path, [sent], lambda _: Response(200, {}, body))
    assert (await ReplayTransport(path).send(sent)).body == body
    assert ("base64_string" in interactions(path)[0]["response"]["body"]) is (body[:1] == b"\xff")


@on(REAL)
async def test_the_file_is_read_well_as_a_diff(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    await record(path, [get("/a"), get("/b")], lambda _: Response(200, {}, b"one"))
    before = path.read_text().splitlines()
    await record(path, [get("/a"), get("/b")], lambda _: Response(404, {}, b"two"))
    after = path.read_text().splitlines()
    changed = [line.split(":")[0].strip() for line in after if line not in before]
    changing = {'"code"', '"message"', '"string"', '"recorded_at"', '"elapsed"', '"body"'}
    assert set(changed) <= changing
    assert len(before) == len(after)
    assert path.read_text().endswith("}\n")


GOOD: dict[str, Any] = {
    "version": 1,
    "interactions": [
        {
            "request": {"method": "GET", "uri": f"{URL}/a", "body": None, "headers": {}},
            "response": {
                "status": {"code": 200, "message": "OK"},
                "headers": {"a": ["b"]},
                "body": {"string": "planted-secret"},
            },
            "fault": None,
        }
    ],
}
FAULTY = {"error": "ConnectError", "message": "", "phase": "connect", "maybe_sent": False}

DAMAGES: dict[str, tuple[str, object]] = {
    "salt it needs bytes in hexadecimal": ("recorded_with,salt", "base44-connectors"),
    "as a whole": ("", []),
    "version it": ("version", "1"),
    "version it needs a version that is known": ("version", 2),
    "version it needs a whole number": ("version", True),
    "interactions it needs an array": ("interactions", {}),
    "interactions[0] it needs an object": ("interactions[0]", "x"),
    "interactions[0].request it": ("interactions[0].request", None),
    "method it needs a string": ("interactions[0].request.method", 1),
    "uri it needs a string": ("interactions[0].request.uri", None),
    "headers it needs an object": ("interactions[0].request.headers", ["a"]),
    "code it needs a whole number": ("interactions[0].response.status.code", -1),
    "response.headers.a[0] it": ("interactions[0].response.headers.a", [1]),
    "headers it needs fields that HTTP": (
        "interactions[0].response.headers",
        {"a b": ["planted\r\nvalue"]},
    ),
    "headers.a it needs a string": ("interactions[0].response.headers.a", 1),
    "base64_string it needs bytes in base64": (
        "interactions[0].response.body",
        {"string": "", "base64_string": "planted"},
    ),
    "recorded_at it needs a date": ("interactions[0].recorded_at", "planted"),
    "recorded_at it needs a date and": ("interactions[0].recorded_at", 5),
    "elapsed it needs a number of seconds": ("interactions[0].elapsed", -1),
    "elapsed it needs a number of": ("interactions[0].elapsed", 10**400),
    "recorded_at it needs a date and time between": (
        "interactions[0].recorded_at",
        "0001-01-01T00:00:00+14:00",
    ),
    "elapsed it needs a number": ("interactions[0].elapsed", "planted"),
    "fault.error it needs one of BodyTooLargeError": (
        "interactions[0].fault",
        FAULTY | {"error": "SystemExit"},
    ),
    "fault.phase it needs one of pool": ("interactions[0].fault", FAULTY | {"phase": "x"}),
    "maybe_sent it needs true or false": ("interactions[0].fault", FAULTY | {"maybe_sent": 1}),
}


def damaged(where: str, value: object) -> bytes:
    document: Any = json.loads(json.dumps(GOOD))
    if where == "recorded_with,salt":
        return json.dumps(document | {"recorded_with": value, "salt": "planted"}).encode()
    parts = where.replace("[0]", ".0").split(".") if where else []
    if not parts:
        return json.dumps(value).encode()
    inner = document
    for part in parts[:-1]:
        inner = inner[int(part) if part.isdigit() else part]
    inner[int(parts[-1]) if parts[-1].isdigit() else parts[-1]] = value
    return json.dumps(document).encode()


@on(REAL[:1])
@pytest.mark.parametrize("mode", ["none", "once", "new_episodes", "all"])
@pytest.mark.parametrize(("told", "damage"), DAMAGES.items(), ids=DAMAGES)
async def test_a_damaged_file_says_where_and_stays_as_it_is(
    tmp_path: Path, told: str, damage: tuple[str, object], mode: Mode
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(damaged(*damage))
    before = path.read_bytes()
    with pytest.raises(CassetteFormatError) as caught:
        ReplayTransport(path, mode)
    assert f"at {told}".replace("at as", "as") in str(caught.value) or told in str(caught.value)
    assert str(path) in str(caught.value)
    assert "planted" not in str(caught.value)
    assert path.read_bytes() == before


@on(REAL[:1])
@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "is empty"),
        (json.dumps(GOOD).encode()[:-9], "breaks off in line 1"),
        (b'{"version": 1,\n "inter', "breaks off in line 2"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
async def test_a_file_that_is_cut_off_says_so_and_stays_as_it_is(
    tmp_path: Path, raw: bytes, told: str
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(raw)
    with pytest.raises(CassetteFormatError, match=told):
        ReplayTransport(path, "all")
    assert path.read_bytes() == raw


@on(REAL)
@pytest.mark.parametrize("mode", ["new_episodes", "all"])
async def test_a_file_of_another_program_is_played_and_never_written(
    tmp_path: Path, mode: Mode
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(GOOD))
    async with ReplayTransport(path) as transport:
        assert await play(transport, get()) == ["planted-secret"]
    with pytest.raises(CassetteFormatError, match="written by another program and is only played"):
        ReplayTransport(path, mode)
    assert path.read_text() == json.dumps(GOOD)


@on(REAL)
async def test_a_file_that_another_program_has_put_there_meanwhile_is_not_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.json"
    transport = ReplayTransport(path, "all", MockTransport(numbered()))
    await transport.send(get())
    path.write_text(json.dumps(GOOD))
    with pytest.raises(CassetteFormatError, match="written by another program"):
        await transport.aclose()
    assert path.read_text() == json.dumps(GOOD)
    path.unlink()
    transport.save()
    assert len(interactions(path)) == 1


@on(REAL)
async def test_where_nothing_can_be_written_the_error_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    transport = ReplayTransport(tmp_path / "folder" / "a.json", "all", MockTransport(numbered()))
    await transport.send(get())
    (tmp_path / "folder").write_text("")
    with pytest.raises(CassetteError, match=r"a\.json can't be written: "):
        await transport.aclose()
    (tmp_path / "folder").unlink()
    await transport.aclose()
    assert len(interactions(tmp_path / "folder" / "a.json")) == 1


@on(REAL[:1])
async def test_what_can_not_be_read_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        ReplayTransport(tmp_path)


@on(REAL[:1])
async def test_a_pipe_is_no_cassette_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(CassetteFormatError, match="it is a pipe"):
        ReplayTransport(tmp_path / "a.json")


@on(REAL[:1])
async def test_a_number_of_more_digits_than_are_read_is_a_damage(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(f'{{"version": {"9" * 5000}}}')
    with pytest.raises(CassetteFormatError, match="has a number of too many digits"):
        ReplayTransport(tmp_path / "a.json")


@on(REAL)
async def test_half_of_a_character_that_somebody_has_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    await record(path, [get("/a")])
    path.write_text(path.read_text().replace("/a", "/\\ud800"))
    await record(path, [get("/b")], mode="new_episodes")
    assert [one["request"]["uri"] for one in interactions(path)] == [f"{URL}/\ud800", f"{URL}/b"]


@on(REAL)
async def test_a_status_that_has_no_name_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    await record(path, [get()], lambda _: Response(299))
    assert interactions(path)[0]["response"]["status"] == {"code": 299, "message": ""}
    assert (await ReplayTransport(path).send(get())).status == 299


@on(REAL[:1])
async def test_a_document_without_headers_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    document = json.loads(json.dumps(GOOD))
    document["interactions"][0]["request"]["headers"] = None
    document["interactions"][0]["response"] |= {"headers": None, "body": None}
    path.write_text(json.dumps(document))
    assert await play(ReplayTransport(path), get()) == [""]


@on(REAL)
async def test_a_link_stays_one_and_who_may_read_a_file_stays_as_it_is(tmp_path: Path) -> None:
    path, link = tmp_path / "folder" / f"{'a' * 240}.json", tmp_path / "link.json"
    await record(path, [get("/a")])
    path.chmod(0o640)
    link.symlink_to(path)
    await record(link, [get("/a"), get("/b")])
    assert link.is_symlink()
    assert len(interactions(path)) == 2
    assert path.stat().st_mode & 0o777 == 0o640


@on(REAL)
@pytest.mark.parametrize("body", ['{ "a" : [1, 2.50] }', "[1e400]", '"[1, 2]"', '{"a": "[1, 2]"}'])
async def test_json_without_a_secret_stays_as_it_was(tmp_path: Path, body: str) -> None:
    path = tmp_path / "a.json"
    await record(path, [get()], lambda _: Response(200, {}, body.encode()))
    assert await play(ReplayTransport(path), get()) == [body]

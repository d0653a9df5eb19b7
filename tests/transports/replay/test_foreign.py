"""What other programs write in ways of their own."""

import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.loops import REAL, on
from tests.transports.replay.cassettes import URL, get, play
from transports import ConnectError
from transports.replay import CassetteFormatError, ReplayTransport


def cassette(body: Any, **headers: str) -> dict[str, Any]:
    return {
        "version": 1,
        "interactions": [
            {
                "request": {"method": "GET", "uri": f"{URL}/a", "body": None, "headers": {}},
                "response": {
                    "status": {"code": 200, "message": "OK"},
                    "headers": {"content-length": "1", **headers},
                    "body": body,
                },
            }
        ],
    }


PACKED = {
    "gzip": gzip.compress(b"hello"),
    "x-gzip": gzip.compress(b"hello"),
    "deflate": zlib.compress(b"hello"),
    "GZIP": b"hello",  # Decoded already, as most programs do.
    "br": b"hello",
}


@on(REAL[:1])
@pytest.mark.parametrize(("coding", "packed"), PACKED.items(), ids=PACKED)
async def test_a_body_that_is_still_packed_is_unpacked(
    tmp_path: Path, coding: str, packed: bytes
) -> None:

    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(cassette({"string": packed}, **{"Content-Encoding": coding})))
    response = await ReplayTransport(path).send(get())
    assert response.body == b"hello"
    assert dict(response.headers) == {}


@on(REAL[:1])
async def test_a_fault_of_ours_that_another_program_has_written_again_is_played(
    tmp_path: Path,
) -> None:
    document = cassette({"string": ""})
    document["interactions"][0]["fault"] = {
        "error": "ConnectError",
        "message": "No",
        "phase": "connect",
        "maybe_sent": False,
    }
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(ConnectError):
        await ReplayTransport(tmp_path / "a.json").send(get())


@on(REAL[:1])
async def test_text_with_the_tags_of_python_2_is_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "version: 1\ninteractions:\n- request: {method: !!python/unicode GET, "
        f"uri: !!python/str '{URL}/a', headers: {{}}, body: null}}\n"
        "  response: {status: {code: 200, message: OK}, headers: {}, body: {string: a}}\n"
    )
    assert await play(ReplayTransport(path), get()) == ["a"]


@on(REAL[:1])
async def test_names_that_are_no_strings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "version: 1\ninteractions:\n- request: {method: GET, uri: a, headers: {1: [a]}}\n"
        "  response: {status: {code: 200}, headers: {}, body: {}}\n"
    )
    with pytest.raises(CassetteFormatError, match="names that are strings"):
        ReplayTransport(path)


def test_without_pyyaml_a_file_in_yaml_says_what_to_install(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("version: 1\ninteractions: []\n")
    program = (
        "import sys; sys.modules['yaml'] = None\n"
        "from transports.replay import ReplayTransport\n"
        f"ReplayTransport({str(path)!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1].endswith("pip install 'base44-connectors[yaml]'")
    assert "CassetteFormatError" in done.stderr

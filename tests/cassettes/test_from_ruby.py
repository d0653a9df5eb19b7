"""Cassettes in the form that Ruby's VCR 6 gives them play here, in YAML and in JSON."""

import json
from base64 import b64encode
from pathlib import Path
from textwrap import dedent

import pytest

from tests.cassettes.calls import FORM
from tests.cassettes.files import play
from transports import Request

YAML = """\
---
http_interactions:
- request:
    method: get
    uri: http://service.example/channels?page=1
    body:
      encoding: US-ASCII
      string: ''
    headers:
      Accept-Encoding:
      - gzip;q=1.0,deflate;q=0.6,identity;q=0.3
      Accept:
      - "*/*"
      User-Agent:
      - Ruby
  response:
    status:
      code: 200
      message: OK
    headers:
      Content-Type:
      - application/json
      Link:
      - <https://service.example/2>; rel="next"
      - <https://service.example/9>; rel="last"
      Content-Length:
      - '12'
    body:
      encoding: UTF-8
      string: '{"ok":"yes"}'
  recorded_at: Mon, 30 Nov 2026 20:00:00 GMT
- request:
    method: post
    uri: http://service.example/upload
    body:
      encoding: UTF-8
      string: title=Gr%C3%BC%C3%9Fe
    headers:
      Content-Type:
      - application/x-www-form-urlencoded
  response:
    status:
      code: 201
      message: Created
    headers:
      Content-Encoding:
      - gzip
    body:
      encoding: ASCII-8BIT
      string: !binary |-
        H4sIAAAAAAACA6vKLChITQEAV2jC4gYAAAA=
    http_version: '1.1'
  recorded_at: Mon, 30 Nov 2026 20:00:01 GMT
- request:
    method: get
    uri: http://service.example/old
    body:
      encoding: US-ASCII
      string: ''
    headers: {}
  response:
    status:
      code: 200
      message: 'OK '
    headers: {}
    body:
      encoding: ISO-8859-1
      string: Grüße
    http_version:
  recorded_at: Mon, 30 Nov 2026 20:00:02 GMT
recorded_with: VCR 6.3.1
"""
REQUESTS = (
    Request("GET", "http://service.example/channels?page=1"),
    Request(
        "POST", "http://service.example:80/upload", {"Content-Type": FORM}, b"title=Gr%C3%BC%C3%9Fe"
    ),
    Request("GET", "http://service.example/old"),
)


async def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "ruby.yml"
    path.write_text(YAML)
    first, second, third = await play(path, *REQUESTS)
    assert (first.status, first.body) == (200, b'{"ok":"yes"}')
    assert first.headers.get_all("link") == (
        '<https://service.example/2>; rel="next"',
        '<https://service.example/9>; rel="last"',
    )
    assert "content-length" not in first.headers
    assert (second.status, second.body) == (201, b"zipped")
    assert "content-encoding" not in second.headers
    assert third.body == "Grüße".encode("latin-1")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"encoding": "UTF-8", "string": "Grüße"}, "Grüße".encode()),
        ({"encoding": "ISO-8859-1", "string": "Grüße"}, "Grüße".encode("latin-1")),
        # What the encoding does not have, and an encoding that nobody knows.
        ({"encoding": "US-ASCII", "string": "Grüße"}, "Grüße".encode()),
        ({"encoding": "ASCII-8BIT", "string": "Grüße"}, "Grüße".encode()),
        ({"encoding": None, "string": "plain"}, b"plain"),
        ({"encoding": "US-ASCII", "string": None}, b""),
        ({}, b""),
        ({"encoding": "ASCII-8BIT", "base64_string": b64encode(b"\xff\x00").decode()}, b"\xff\x00"),
    ],
)
async def test_json(tmp_path: Path, body: object, expected: bytes) -> None:
    path = tmp_path / "ruby.json"
    interaction = {
        "request": {
            "method": "get",
            "uri": "http://service.example/a",
            "body": {"encoding": "US-ASCII", "string": ""},
            "headers": {"Accept": ["*/*"]},
        },
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"Content-Type": ["text/plain"]},
            "body": body,
            "http_version": None,
        },
        "recorded_at": "Mon, 30 Nov 2026 20:00:00 GMT",
    }
    path.write_text(json.dumps({"http_interactions": [interaction], "recorded_with": "VCR 6.3.1"}))
    (answer,) = await play(path, Request("GET", "http://service.example/a"))
    assert answer.body == expected


async def test_the_binary_text_of_older_rubies(tmp_path: Path) -> None:
    path = tmp_path / "older.yml"
    path.write_text(
        dedent("""\
        ---
        http_interactions:
        - request:
            method: get
            uri: http://service.example/a
            body:
              encoding: US-ASCII
              string: ! ''
            headers: {}
          response:
            status:
              code: 200
              message: ! 'OK'
            headers:
              X-Request-Id:
              - ! '"r1"'
            body:
              encoding: US-ASCII
              string: !binary |
                aGVsbG8=
            http_version: ! '1.1'
          recorded_at: Mon, 30 Nov 2026 20:00:00 GMT
        recorded_with: VCR 2.9.3
        """)
    )
    (answer,) = await play(path, Request("GET", "http://service.example/a"))
    assert (answer.headers["x-request-id"], answer.body) == ('"r1"', b"hello")

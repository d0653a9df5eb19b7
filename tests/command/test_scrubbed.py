"""Every placeholder of a cassette is counted at the place where it stands."""

import json

from connectors._command._scrubbed import scrubbed
from transports.replay._interaction import (
    Fields,
    Interaction,
    RecordedFault,
    RecordedRequest,
    RecordedResponse,
)

A, B = "SCRUBBED-0123456789abcdef", "SCRUBBED-fedcba9876543210"
FORM = (("content-type", "application/x-www-form-urlencoded"),)


def request(
    url: str = "http://service.example/", headers: Fields = (), body: bytes | None = None
) -> Interaction:
    return Interaction(RecordedRequest("POST", url, headers, body), RecordedResponse(200))


def answer(body: object, headers: Fields = ()) -> Interaction:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Interaction(
        RecordedRequest("GET", "http://service.example/"),
        RecordedResponse(200, headers=headers, body=raw),
    )


def test_places_are_counted_over_all_exchanges() -> None:
    asked = request(
        f"http://service.example/hooks/{A}?access_token={B}&page=2&note=a%20{A}",
        (("Authorization", f"Bearer {A}"), ("accept", "*/*")),
    )
    form = request(headers=FORM, body=f"client_secret={A}&a=b&{B}=1&{B}".encode())
    told = answer({"access_token": A, "items": [{"access_token": B}, f"see {A} and {B}"]})
    assert scrubbed([asked, form, told]) == {
        "body": 2,
        "body access_token": 2,
        "body client_secret": 1,
        "body items": 2,
        "header authorization": 1,
        "path": 1,
        "query access_token": 1,
        "query note": 1,
    }


def test_json_in_a_string_names_the_inner_field() -> None:
    inner = json.dumps({"refresh_token": A})
    assert scrubbed([answer({"payload": inner})]) == {"body refresh_token": 1}
    pair = request(f"http://service.example/?state=%7B%22token%22%3A%22{A}%22%7D")
    assert scrubbed([pair]) == {"query token": 1}


def test_what_is_no_json_is_a_body() -> None:
    assert scrubbed([answer(f"{{{A} {B}".encode())]) == {"body": 2}
    assert scrubbed([answer(b"\xff" + A.encode())]) == {"body": 1}
    assert scrubbed([answer({A: None, "n": [1, True, None]})]) == {"body": 1}


def test_an_error_and_an_answer_without_secrets() -> None:
    fault = RecordedFault("ConnectError", f"refused {A}", "connect", maybe_sent=False)
    failed = Interaction(RecordedRequest("GET", "http://service.example/"), fault)
    assert scrubbed([failed, answer({"ok": True})]) == {"error": 1}
    assert scrubbed([]) == {}

"""What is hidden, what is shown, and that nothing is written when a secret would be in it."""

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hunting import holds
from tests.loops import REAL, on
from tests.test_redaction import ENCODINGS, SHAPES
from tests.transports.replay.cassettes import URL, get, interactions, numbered, play, post, record
from transports import ConnectError, Request, Response, Secret
from transports.mock import MockTransport
from transports.replay import ReplayTransport, SecretInCassetteError, UnrecordedRequestError
from transports.replay._interaction import (
    Interaction,
    RecordedRequest,
    RecordedResponse,
    as_sent,
)
from transports.replay._known import KnownSecrets
from transports.replay._placeholders import PLACEHOLDER, Placeholders
from transports.replay._scrubbing import Scrubber

FORM = "application/x-www-form-urlencoded"
TOKEN = "t0k3n+/~value=4e1fb7d0a2"


def scrubber(*named: str) -> Scrubber:
    return Scrubber(Placeholders(bytes(16)), KnownSecrets(map(Secret, named)))


def body_of(body: str, kind: str = "application/json", *named: str) -> str:
    scrubbed = scrubber(*named).request(as_sent(post("/a", body, kind)))
    assert scrubbed.body is not None
    return scrubbed.body.decode()


def hidden(text: str) -> str:
    return PLACEHOLDER.sub("*", text)


JSON = {
    '{"access_token": "a"}': '{"access_token":"*"}',
    '{"a": [{"clientSecret": "a", "b": 1}]}': '{"a":[{"clientSecret":"*","b":1}]}',
    '{"password": 1234, "api_key": 1.5}': '{"password":"*","api_key":"*"}',
    '{"tokens": ["a", {"b": "c"}, null, true, ""]}': '{"tokens":["*",{"b":"*"},null,true,""]}',
    '{"a": "{\\"refresh_token\\": \\"b\\"}"}': '{"a":"{\\"refresh_token\\":\\"*\\"}"}',
    '{"total_tokens": 21, "max_tokens": 9, "token": 1}': (
        '{"total_tokens":21,"max_tokens":9,"token":"*"}'
    ),
    '{"grant_type": "a", "code": "8f3a9c1e2b", "state": 1}': (
        '{"grant_type":"a","code":"*","state":1}'
    ),
    '{"device_code": "a", "auth_code": "b"}': '{"device_code":"*","auth_code":"*"}',
    '[{"jwt": "a", "otp": "123456", "Signature": "s"}]': '[{"jwt":"*","otp":"*","Signature":"*"}]',
    '{"token": "a", "token": null}': '{"token":null}',
    '{"token_type": "Bearer", "code": "E1"}': '{"token_type": "Bearer", "code": "E1"}',
    '{"grant_type": "g", "code": "4/0AbCdEfGh", "code_verifier": "x"}': '{"grant_type":"g",'
    '"code":"*","code_verifier":"*"}',
    '{"grant_type": "g", "code": "US"}': '{"grant_type": "g", "code": "US"}',
    '{"a": "\\ud800", "token": "ä"}': '{"a":"\\ud800","token":"*"}',
    '"token"': '"token"',
    "1234567": "1234567",
    "{broken": "{broken",
}


@pytest.mark.parametrize(("body", "shown"), JSON.items(), ids=JSON)
def test_fields_of_json_are_hidden_by_their_names(body: str, shown: str) -> None:
    assert hidden(body_of(body)) == shown


FORMS = {
    "next=https%3A%2F%2Fa.example%2F%3Ftoken%3Dx%26b%3D1": (
        "next=https%3A%2F%2Fa.example%2F%3Ftoken%3D*%26b%3D1"
    ),
    "to=%2F%23a%3Db%26next%3D%252F%253Fpassword%253Dx": (
        "to=%2F%23a%3Db%26next%3D%252F%253Fpassword%253D*"
    ),
    "next=%2F%3Fpage%3D2&a=+b": "next=%2F%3Fpage%3D2&a=+b",
    "client_secret=a+b&grant_type=refresh_token": "client_secret=*&grant_type=refresh_token",
    "code=4%2F0AbCdEfGh&a=b": "code=*&a=b",
    "code=US&state=open&key=PROJ-1": "code=US&state=open&key=PROJ-1",
    "state=8f3a9c1e2b7d&code_verifier=x": "state=*&code_verifier=*",
    "a&b=&access_token=&=c": "a&b=&access_token=&=c",
    "payload=" + quote_plus('{"token":"a","b":2}'): "payload="
    + quote_plus('{"token":"*","b":2}').replace("%2A", "*"),
}


@pytest.mark.parametrize(("body", "shown"), FORMS.items(), ids=FORMS)
def test_fields_of_forms_and_queries_are_hidden_by_their_names(body: str, shown: str) -> None:
    assert hidden(body_of(body, FORM)) == shown
    scrubbed = scrubber().request(as_sent(get(f"/a?{body}")))
    assert hidden(scrubbed.url) == f"{URL}/a?{shown}"


TEXTS = {
    "error: access_token=8f3a9c1e is wrong": "error: access_token=* is wrong",
    "<access_token>8f3a9c1e2b</access_token>": "<access_token>*</access_token>",
    '"client_secret" : "8f3a9c1e2b"; x': '"client_secret" : "*"; x',
    'name="api_key"\r\n\r\n8f3a9c1e2b\r\n--x': 'name="api_key"\r\n\r\n*\r\n--x',
    'name="token"; filename="a"\r\nContent-Type: text/plain\r\n\r\n8f3a9c1e2b\r\n': (
        'name="token"; filename="a"\r\nContent-Type: text/plain\r\n\r\n*\r\n'
    ),
    'data: {"token": "8f3a9c1e2b"}\n': 'data: {"token":"*"}\n',
    'data: {"password": "no digit"}\r\n\r\n': 'data: {"password":"*"}\r\n\r\n',
    '{"a":{"password":"b, c"}}\n{"password":"d;e"}': '{"a":{"password":"*"}}\n{"password":"*"}',
    "[1]\n[broken]\n": "[1]\n[broken]\n",
    "see https://user:pa55word@host.example/a": "see https://*@host.example/a",
    "see redis://:pa55word@host.example/a": "see redis://*@host.example/a",
    "back to /#code=8f3a9c1e2b": "back to /#code=*",
    "back to https://a.example/?code=8f3a9c1e2b&x=1": "back to https://a.example/?code=*&x=1",
    "the token: invalid, and the secret = unknown": "the token: invalid, and the secret = unknown",
    "GET /?state=open&code=US": "GET /?state=open&code=US",
}


@pytest.mark.parametrize(("body", "shown"), TEXTS.items(), ids=TEXTS)
def test_text_is_searched_for_what_names_itself(body: str, shown: str) -> None:
    assert hidden(body_of(body, "text/plain")) == shown


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shapes_of_well_known_tokens_are_hidden_anywhere(shape: str) -> None:
    for kind in ("text/plain", "application/json"):
        text = body_of(json.dumps({"a": shape}) if "json" in kind else shape, kind)
        assert PLACEHOLDER.search(text)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Accept", "a/b", "a/b"),
        ("X-RateLimit-Remaining", "5", "5"),
        ("Location", "/a?access_token=x&b=1", "/a?access_token=*&b=1"),
        ("Location", "/a?b=1#access_token=x&c=1", "/a?b=1#access_token=*&c=1"),
        ("Link", '</a?token=x&b=1>; rel="next", </c>', '</a?token=*&b=1>; rel="next", </c>'),
        ("X-Anything", "short", "*"),
        ("Authorization", "Bearer  abc", "Bearer *"),
        ("Authorization", "abc", "*"),
        ("Cookie", "a=b; c=d", "*"),
        ("X-Request-Id", "1", "1"),
        ("X-Next-Page", "2", "2"),
    ],
)
def test_header_fields_are_shown_by_an_allow_list(name: str, value: str, shown: str) -> None:
    request = RecordedRequest("GET", URL, ((name, value),))
    assert hidden(scrubber().request(request).headers[0][1]) == shown


def test_fields_that_no_longer_hold_are_left_out() -> None:
    names = ("Content-Encoding", "content-length", "Transfer-Encoding", "Connection", "Date")
    fields = tuple((name, "a") for name in (*names, "Set-Cookie", "Server"))
    answer = RecordedResponse(200, headers=fields)
    interaction = Interaction(RecordedRequest("GET", URL), answer)
    outcome = scrubber().interaction(interaction).outcome
    assert isinstance(outcome, RecordedResponse)
    assert outcome.headers == (("Server", "a"),)


HOMES: dict[str, tuple[tuple[str, str], ...]] = {
    "a bearer": (("authorization", f"Bearer {TOKEN}"),),
    "a basic password": (("authorization", "Basic " + b64encode(f"id:{TOKEN}".encode()).decode()),),
    "an encoded basic password": (
        ("authorization", "Basic " + b64encode(f"id:{quote(TOKEN)}".encode()).decode()),
    ),
    "a key": (("x-api-key", TOKEN),),
    "what only looks like a token": (("x-anything", TOKEN),),
    "a cookie": (("cookie", f'a=b; c="{TOKEN}"'),),
    "a cookie that is set": (("set-cookie", f"c={TOKEN}; Path=/"),),
}


@pytest.mark.parametrize("fields", HOMES.values(), ids=HOMES)
@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_what_was_sent_as_a_credential_is_hidden_wherever_it_comes_back(
    fields: tuple[tuple[str, str], ...], encode: Callable[[str], str]
) -> None:
    told = f"before<{encode(TOKEN)}> after"
    request = RecordedRequest("GET", URL, fields)
    answer = RecordedResponse(400, body=told.encode())
    outcome = scrubber().interaction(Interaction(request, answer)).outcome
    assert isinstance(outcome, RecordedResponse)
    kept = outcome.body.decode()
    assert not holds(kept, TOKEN)
    assert kept.startswith("before<")
    assert kept.endswith("> after")


@pytest.mark.parametrize(
    ("name", "value", "body"),
    [
        ("Authorization", "Bearer test-application-token-0001", "application/json access-token"),
        ("X-Api-Key", "k3y-of-2024-09-30T10:00:00Z", "at 2024-09-30T10:00:00Z"),
        ("Strict-Transport-Security", "max-age=31536000", "max-age=3600, 31536000"),
        ("Stripe-Version", "2024-09-30.acacia", "2024-09-30.acacia"),
        ("X-Forwarded-Host", "my-app-1.example.com", "https://my-app-1.example.com"),
    ],
)
def test_words_and_times_are_no_secret_because_one_holds_them(
    name: str, value: str, body: str
) -> None:
    request = RecordedRequest("GET", URL, ((name, value),))
    answer = RecordedResponse(200, body=body.encode())
    outcome = scrubber().interaction(Interaction(request, answer)).outcome
    assert isinstance(outcome, RecordedResponse)
    assert outcome.body.decode() == body


def test_a_basic_credential_that_is_none_is_hidden_all_the_same() -> None:
    request = RecordedRequest("GET", URL, (("authorization", "Basic ***"),))
    assert hidden(scrubber().request(request).headers[0][1]) == "Basic *"


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
)
def test_whatever_is_recorded_no_named_secret_is_in_it(token: str, value: object) -> None:
    if PLACEHOLDER.search(token) or token in "SCRUBBED-0123456789abcdef":
        return
    text = json.dumps({"a": [value, token, {token: value}], "b": json.dumps([token])})
    kept = body_of(text, "application/json", token)
    assert not any(token in one for one in _texts(json.loads(kept)))


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    inner = [] if not isinstance(value, str) or value[:1] != "[" else _loaded(value)
    return [str(value), *(text for item in inner for text in _texts(item))]


def _loaded(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [found] if not isinstance(found, str) else []


def test_what_is_very_deep_is_text() -> None:
    value: object = {"password": "abc", "a": TOKEN}
    for _ in range(200):
        value = [value]
    kept = body_of(json.dumps(value), "application/json", TOKEN)
    assert TOKEN not in kept
    json.loads(kept)


def test_bytes_are_searched_too() -> None:
    raw = b"\xff\xfe" + TOKEN.encode() + b"\x00"
    request = Request("PUT", URL, {}, raw)
    body = scrubber(TOKEN).request(as_sent(request)).body
    assert body is not None
    assert body.startswith(b"\xff\xfeSCRUBBED-")
    assert body.endswith(b"\x00")


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["without a mark", "with a mark"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_json_is_read_in_every_encoding_that_it_may_have(encoding: str, mark: str) -> None:
    raw = f'{mark}{{"password":"no digit"}}'.encode(encoding)
    body = scrubber().request(as_sent(Request("POST", URL, {}, raw))).body
    assert body is not None
    assert hidden(body.decode(encoding)) == mark + '{"password":"*"}'


@pytest.mark.parametrize("begins", [b"\xff\xfe", b"\xef\xbb\xbf\xff", b"{\x00", b"\x00["])
@pytest.mark.parametrize("ends", [b"", b"\x00"])
def test_what_only_begins_like_text_is_taken_letter_by_letter(begins: bytes, ends: bytes) -> None:
    request = Request("PUT", URL, {}, begins + TOKEN.encode() + ends)
    body = scrubber(TOKEN).request(as_sent(request)).body
    assert body is not None
    assert hidden(body.decode("latin-1")).encode("latin-1") == begins + b"*" + ends


def test_json_that_is_not_in_utf_8_may_hold_any_letter_as_an_escape() -> None:
    raw = b'{"password":"no digit","a":"\xe9 \\u4e2d \\ud83d\\ude00"}'
    body = scrubber().request(as_sent(Request("POST", URL, {}, raw))).body
    assert body is not None
    assert hidden(json.loads(body)["password"]) == "*"
    assert json.loads(body)["a"] == "é 中 \U0001f600"


def test_letters_beyond_ascii_are_found_in_every_encoding() -> None:
    secret = "pässwörd und mehr"
    for text in (secret, quote(secret), quote_plus(secret), json.dumps(secret)):
        assert hidden(body_of(f"<{text}>".replace('"', ""), "text/plain", secret)) == "<*>"


def test_a_number_that_is_a_secret_is_hidden() -> None:
    assert hidden(body_of('{"a": [8172635409, 1]}', "application/json", "8172635409")) == (
        '{"a":["*",1]}'
    )


def test_equal_secrets_stay_equal_and_others_stay_apart() -> None:
    one, two = Placeholders(b"a" * 16), Placeholders(b"b" * 16)
    secret, other = Secret("a-secret-of-many-letters"), Secret("a-secret-of-many-lettert")
    assert one.of(secret) == one.of(secret)
    assert len({one.of(secret), one.of(other), two.of(secret)}) == 3
    # With the salt of the file anybody could try all short ones.
    again = Placeholders(b"a" * 16)
    assert again.of(secret) == one.of(secret)
    assert again.of(Secret("hunter2")) != one.of(Secret("hunter2"))
    assert one.of(Secret("hunter2")) == one.of(Secret("hunter2"))


@on(REAL)
async def test_a_recording_that_is_scrubbed_again_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    sent = post("/a?token=x1", '{"password": "p"}')
    await record(path, [sent, get(headers={"authorization": f"Bearer {TOKEN}"})])
    before = interactions(path)
    await record(path, [get("/b")], mode="new_episodes")
    assert interactions(path)[:2] == before


@on(REAL)
async def test_a_file_keeps_its_salt_and_so_its_placeholders(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    sent = get(headers={"authorization": f"Bearer {TOKEN}"})
    await record(path, [sent])
    first = interactions(path)[0]["request"]["headers"]
    for mode in ("new_episodes", "all"):
        await record(path, [sent, sent], mode=mode)
        assert all(one["request"]["headers"] == first for one in interactions(path))


@on(REAL)
async def test_a_value_that_the_program_names_is_hidden_and_matched(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    await record(path, [get("/hooks/my-hook/x")], secrets=["my-hook"])
    assert "my-hook" not in path.read_text()
    assert await play(ReplayTransport(path, secrets=["of-a-test"]), get("/hooks/of-a-test/x"))
    with pytest.raises(UnrecordedRequestError):
        await ReplayTransport(path).send(get("/hooks"))


@on(REAL)
@pytest.mark.parametrize(
    ("secret", "place"),
    [
        ("recorded_at", "what is neither a request nor an answer"),
        ("DELETE", "the method of interaction 2"),
        ("x-planted-name", "a header field of the request of interaction 1"),
        ("x-answer-name", "a header field of the answer of interaction 1"),
    ],
)
async def test_when_a_secret_would_be_written_nothing_is_and_the_place_is_named(
    tmp_path: Path, secret: str, place: str
) -> None:
    path = tmp_path / "a.json"
    await record(path, [get("/before")])
    before = path.read_bytes()

    inner = MockTransport(lambda _: Response(200, {"X-Answer-Name": "a"}))
    transport = ReplayTransport(path, "all", inner, secrets=[secret])
    await transport.send(get(headers={"X-Planted-Name": "a"}))
    await transport.send(Request("DELETE", URL))
    with pytest.raises(SecretInCassetteError) as caught:
        await transport.aclose()
    assert f"a secret would stand in {place}." in str(caught.value)
    assert str(path) in str(caught.value)
    assert secret not in str(caught.value).replace(str(path), "")
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


@on(REAL[:1])
@pytest.mark.parametrize(
    ("secrets", "kind"),
    [
        ("one string", TypeError),
        (Secret("one"), TypeError),
        ([1], TypeError),
        (["abc"], ValueError),
    ],
)
async def test_secrets_that_can_not_be_looked_for_are_refused(
    tmp_path: Path, secrets: Any, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        ReplayTransport(tmp_path / "a.json", secrets=secrets)


@on(REAL[:1])
async def test_what_is_recorded_is_scrubbed_before_it_is_held(tmp_path: Path) -> None:
    transport = ReplayTransport(tmp_path / "a.json", "all", MockTransport(numbered()))
    await transport.send(get(f"/a?token={quote(TOKEN)}"))
    (held,) = transport._recording._slots
    assert TOKEN not in repr(held)
    assert held is not None
    assert hidden(held.request.url) == f"{URL}/a?token=*"
    transport.save()


@on(REAL)
async def test_a_secret_that_would_stand_in_an_error_is_named_by_its_place(tmp_path: Path) -> None:
    def fail(request: Request) -> Response:
        raise ConnectError("No", method="GET", url=request.url, phase="tls", maybe_sent=False)

    # The name of the error's class, which stands beside its message and can't be taken out.
    inner = MockTransport(fail)
    transport = ReplayTransport(tmp_path / "a.json", "all", inner, secrets=["ConnectError"])
    with pytest.raises(ConnectError):
        await transport.send(get())
    with pytest.raises(SecretInCassetteError, match="neither a request nor an answer"):
        await transport.aclose()
    assert not (tmp_path / "a.json").exists()

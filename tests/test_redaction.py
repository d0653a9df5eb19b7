"""Whatever a server writes, no secret and nothing that looks like one is in what is kept."""

import json
import re
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors._errors import Json
from connectors._redaction import REDACTED, Redactor
from tests.hunting import holds, in_base64, readings
from transports import Secret

TOKEN = "svc_+aZ/9~tok.en-01234?56>789=="
REDACTOR = Redactor([Secret(TOKEN)])


def percent(text: str, form: str = "%{:02X}") -> str:
    return "".join(form.format(byte) for byte in text.encode())


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


def lower_hex(text: str) -> str:
    return re.sub("%..", lambda found: found[0].lower(), quote(text, safe=""))


def credentials(token: str, user: str) -> str:
    return b64encode(f"{user}:{token}".encode()).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "twice": lambda token: f"{token}{token}",
    "percent": lambda token: quote(token, safe=""),
    "percent as encodeURIComponent": lambda token: quote(token, safe="!~*'()"),
    "percent in lower case": lower_hex,
    "percent, every letter": percent,
    "percent, every letter in lower case": lambda token: percent(token, "%{:02x}"),
    "percent twice": lambda token: quote(quote(token, safe=""), safe=""),
    "percent three times": lambda token: quote(quote(percent(token), safe=""), safe=""),
    "JSON": lambda token: json.dumps(token)[1:-1],
    "JSON with slashes": lambda token: token.replace("/", "\\/"),
    "JSON, every letter": escaped,
    "JSON, every letter in upper case": lambda token: escaped(token).upper().replace("U", "u"),
    "JSON in JSON": lambda token: json.dumps(json.dumps({"t": f'"{token}'})),
    "percent in JSON in JSON": lambda token: json.dumps(json.dumps(quote(f'/"{token}', safe=""))),
    "base64": lambda token: b64encode(token.encode()).decode(),
    "base64, second alignment": lambda token: b64encode(b"x" + token.encode() + b"y").decode(),
    "base64, third alignment": lambda token: b64encode(b"xx" + token.encode() + b"yy").decode(),
    "base64url": lambda token: urlsafe_b64encode(token.encode()).decode(),
    "base64url, second alignment": lambda token: urlsafe_b64encode(b"?" + token.encode()).decode(),
    "base64url, third alignment": lambda token: urlsafe_b64encode(b"??" + token.encode()).decode(),
    "basic": lambda token: f"Basic {credentials(token, 'user')}",
    "basic, second alignment": lambda token: f"Basic {credentials(token, 'a.user')}",
    "basic, third alignment": lambda token: f"Basic {credentials(token, 'an.user')}",
    "base64 in a URL": lambda token: quote(credentials(token, "user"), safe=""),
    "base64 in JSON": lambda token: credentials(token, "user").replace("/", "\\/"),
}
encodings = pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS.keys())


@encodings
def test_a_token_is_found_in_every_encoding(encode: Callable[[str], str]) -> None:
    told = f"before<{encode(TOKEN)}> after"
    # The search of this test finds it, so what it does not find is not there.
    assert holds(told, TOKEN)
    kept = REDACTOR.text(told)
    assert not holds(kept, TOKEN)
    assert REDACTED in kept
    assert kept.startswith("before<")
    assert kept.endswith("> after")


@encodings
def test_a_token_is_found_in_keys_and_values_at_any_depth(encode: Callable[[str], str]) -> None:
    coded = encode(TOKEN)
    value: Json = {coded: [1, {"a": [coded, None, {f"<{coded}>": {"b": f"<{coded}>"}}]}]}
    kept = json.dumps(REDACTOR.json(value), ensure_ascii=False)
    assert not holds(kept, TOKEN)
    assert kept.count(REDACTED) >= 4


def test_all_of_it_goes_and_nothing_else() -> None:
    assert REDACTOR.text(f"a {TOKEN} b {quote(TOKEN)} c") == f"a {REDACTED} b {REDACTED} c"
    plain = "Nothing \\u00e4 of %41 this \\/ is a secret, token or Bearer."
    assert REDACTOR.text(plain) == plain


def test_two_secrets_that_overlap_go_together() -> None:
    redactor = Redactor([Secret("abcdefgh12"), Secret("gh12345678"), Secret("")])
    assert redactor.text("<abcdefgh12345678>") == f"<{REDACTED}>"
    assert redactor.text("<gh12345678abcdefgh12>") == f"<{REDACTED}>"


def test_a_secret_within_another_leaves_nothing_of_it() -> None:
    redactor = Redactor([Secret("middle-1"), Secret("long-middle-1-long")])
    assert redactor.text("long-middle-1-long middle-1") == f"{REDACTED} {REDACTED}"


def test_a_number_that_is_a_secret_is_found() -> None:
    redactor = Redactor([Secret("1234567890"), Secret("2.5001")])
    value: Json = [1234567890, -912345678901, 2.5001, 12345, 2.5, True, None]
    assert redactor.json(value) == [REDACTED, REDACTED, REDACTED, 12345, 2.5, True, None]


VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="[]")
TOKENS = st.text(VISIBLE, min_size=8, max_size=60).filter(lambda token: token not in REDACTED)
# What ends in half an escape changes the meaning of the escape that follows.
NEIGHBOURS = st.text(st.characters(exclude_characters="%\\", exclude_categories=["Cs"]))
ENCODERS = st.sampled_from([encode for name, encode in ENCODINGS.items() if "64" not in name])


@given(TOKENS, st.text(), st.text())
@example("%41%41%41", "%", "41")
@example("\\u0041\\\\", "\\", "\\")
def test_whatever_text_holds_a_secret_what_is_kept_does_not(
    token: str, before: str, after: str
) -> None:
    assert token not in Redactor([Secret(token)]).text(before + token + after)


@given(TOKENS.filter(lambda token: not set(token) & set("%\\")), NEIGHBOURS, NEIGHBOURS, ENCODERS)
def test_whatever_text_holds_a_secret_in_an_encoding_what_is_kept_does_not(
    token: str, before: str, after: str, encode: Callable[[str], str]
) -> None:
    kept = Redactor([Secret(token)]).text(before + encode(token) + after)
    assert not any(token in reading for reading in readings(kept))


@given(TOKENS, st.binary(), st.binary(), st.sampled_from([b64encode, urlsafe_b64encode]))
def test_whatever_base64_holds_a_secret_what_is_kept_does_not(
    token: str, before: bytes, after: bytes, encode: Callable[[bytes], bytes]
) -> None:
    coded = encode(before + token.encode() + after).decode()
    middle = token[2:-2]
    assert any(middle in plain for plain in in_base64(coded))
    kept = Redactor([Secret(token)]).text(coded)
    assert REDACTED in kept
    assert not any(middle in plain for plain in in_base64(kept))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def texts(value: Json) -> Iterator[str]:
    match value:
        case list():
            for item in value:
                yield from texts(item)
        case dict():
            yield from value
            yield from texts(list(value.values()))
        case _:
            yield str(value)


@given(TOKENS, JSON)
def test_whatever_json_holds_a_secret_what_is_kept_does_not(token: str, value: Json) -> None:
    planted: Json = [value, {"a": [f"x{token}y", value], token: value}, {"password": value}]
    kept = Redactor([Secret(token)]).json(planted)
    assert not any(token in text for text in texts(kept))
    json.dumps(kept, ensure_ascii=False, allow_nan=False).encode()


SHAPES = [
    "Bearer 9d8fa0b7c6",
    "authorization: bearer 0123-abc.def~ghi+jkl/mno==",
    "Authorization%3A%20Bearer%20abcdefghijklmnopqrstuvwxyz",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjM0In0.",
    "id_token%3DeyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "xoxb-2041-7a32f8e6c4d1",
    "xoxe.xoxp-1-Mi0yLTIwNDEtN2EzMmY4ZTZj",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "github_pat_11ABCDEFG0abcdefghijkl_MNOPQRSTUVWXYZ",
    "ya29.a0AfH6SMBx-0123456789_abc",
    "b44k_0123456789abcdef",
    "b44s_0123456789abcdef",
    "b44u_v1.YW5uLWFuZC1ib2I.c2lnbmF0dXJl",
    "AIzaSyA0123456789-0123456789_abcdefghijk",
    "AKIA0123456789ABCDEF",
    "glpat-0123456789_abcdefghi",
    "xapp-1-A0123456789-abcdef",
    "sk_live_0123456789abcdefABCDEF",
    "rk_test_0123456789abcdefABCDEF",
    "whsec_0123456789abcdef/+ABCDEF==",
    "shpat_0123456789abcdef0123456789abcdef",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75, and it is cut off",
]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shape_of_a_well_known_token_is_enough(shape: str) -> None:
    token = re.split(r" |%20|%3D", shape, maxsplit=1)[-1] if "BEGIN" not in shape else shape
    kept = Redactor([]).text(f"The value {shape}")
    assert token not in kept
    assert kept.endswith(REDACTED)


@pytest.mark.parametrize(
    ("before", "token"),
    [
        ("https://hooks.slack.com/services/", "T012AB3C4/B056DE7F8/abcdefghijklmnopqrstuvwx"),
        ("https://discord.com/api/webhooks/", "123456789012345678/abc-DEF_0123456789abcdef"),
        ("https://api.telegram.org/bot", "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"),
    ],
)
def test_the_address_of_a_webhook_or_a_bot_is_one(before: str, token: str) -> None:
    assert Redactor([]).text(f"{before}{token}") == f"{before}{REDACTED}"


@pytest.mark.parametrize(
    "text",
    [
        "Bearer token required",
        "Invalid bearer authentication",
        "The highs_and_lows_of_a_long_identifier",
        "eyJust a word, xox- and ya29. too",
        "-----BEGIN CERTIFICATE-----",
        "An id like 5f2b9c1e-7c3a-4e57-9b43-2f6f0d0e9a11 stays",
    ],
)
def test_prose_is_no_token(text: str) -> None:
    assert Redactor([]).text(text) == text


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "access_token",
        "accessToken",
        "refresh-token",
        "id_token",
        "X-Session-Token",
        "tokens",
        "client_secret",
        "clientSecret",
        "password",
        "Authorization",
        "on-behalf-of",
        "api_key",
        "apiKey",
        "x-api-key",
        "Set-Cookie",
        "cookies",
        "private key",
        "code_verifier",
        "client_assertion",
        "credentials",
    ],
)
@pytest.mark.parametrize("value", ["abc", 1234, 1.5, ["abc"], {"value": "abc"}])
def test_a_field_that_says_it_is_a_secret_is_one(name: str, value: Json) -> None:
    assert Redactor([]).json({"a": [{name: value}]}) == {"a": [{name: REDACTED}]}


@pytest.mark.parametrize("value", [None, True, False])
def test_that_there_is_a_secret_is_none(value: Json) -> None:
    assert Redactor([]).json({"password": value}) == {"password": value}


@pytest.mark.parametrize(
    "name", ["token_type", "code", "detail", "message", "secretary", "tokenize"]
)
def test_another_field_is_kept(name: str) -> None:
    assert Redactor([]).json({name: "bearer"}) == {name: "bearer"}


def test_what_is_very_deep_is_left_out() -> None:
    value: Json = "bottom"
    for _ in range(500):
        value = [value]
    kept = Redactor([]).json(value)
    depth = 0
    while isinstance(kept, list):
        kept, depth = kept[0], depth + 1
    assert (kept, depth) == (REDACTED, 32)
    shallow: Json = {"a": [{"b": "c"}]}
    assert Redactor([]).json(shallow) == shallow


def test_half_of_a_character_is_replaced() -> None:
    kept = Redactor([]).json({"\ud800": "a\udfffbü"})
    assert kept == {"\ufffd": "a\ufffdbü"}


MEBIBYTE = 1 << 20
ADVERSARIAL = [
    "a",
    TOKEN[0],
    TOKEN,
    TOKEN[:-1],
    "%41",
    "%25",
    "%",
    "\\",
    "\\u0041",
    "\\\\/",
    "eyJ",
    "eyJ-",
    "eyJhbGciOiJub25lIn0.",
    "eyJhbGciOiJub25lIn0-",
    "ghp_",
    "gh",
    "github_pat_",
    "xoxb-",
    "xoxe.",
    "ya29.",
    "b44k_",
    "bearer ",
    "bearer%20",
    "Bearer a1",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "-----END ",
    "ü",
    "\ud800",
]


@pytest.mark.parametrize("unit", ADVERSARIAL)
def test_no_text_of_a_mebibyte_takes_long(unit: str) -> None:
    text = unit * (MEBIBYTE // len(unit))
    began = time.perf_counter()
    REDACTOR.text(text)
    REDACTOR.text("-----BEGIN PRIVATE KEY-----" + text)
    # Linear is a second at most, on a slow machine; quadratic is an hour.
    assert time.perf_counter() - began < 20


def test_a_secret_of_one_letter_repeated_takes_no_longer() -> None:
    began = time.perf_counter()
    assert Redactor([Secret("a" * 1000)]).text("a" * MEBIBYTE + "b").endswith("b")
    assert time.perf_counter() - began < 20


def test_a_redactor_that_is_not_used_has_done_nothing() -> None:
    redactor = Redactor([Secret(TOKEN)])
    assert vars(redactor) == {"_secrets": (Secret(TOKEN),)}


def test_a_redactor_shows_nothing_of_its_secrets() -> None:
    redactor = Redactor([Secret(TOKEN)])
    redactor.text("anything")
    shown = f"{redactor!r} {vars(redactor)}"
    assert TOKEN not in shown
    assert b64encode(TOKEN.encode()).decode().rstrip("=")[:-1] not in shown


@pytest.mark.parametrize(
    "encoded",
    [
        "svc-T0k+/=&amp;&lt;x&gt;&quot;Zq7",
        "".join(f"&#{ord(letter)};" for letter in 'svc-T0k+/=&<x>"Zq7'),
        "".join(f"&#x{ord(letter):x};" for letter in 'svc-T0k+/=&<x>"Zq7'),
        "".join(f"\\x{ord(letter):02x}" for letter in 'svc-T0k+/=&<x>"Zq7'),
        b'svc-T0k+/=&<x>"Zq7'.hex(),
        b'svc-T0k+/=&<x>"Zq7'.hex().upper(),
    ],
    ids=["entities", "decimal", "hexadecimal", "escapes", "hex", "HEX"],
)
def test_a_token_that_an_error_page_encoded_is_found(encoded: str) -> None:
    redactor = Redactor([Secret('svc-T0k+/=&<x>"Zq7')])
    assert redactor.text(f"bad token {encoded}, sorry") == "bad token [redacted], sorry"


def test_an_entity_that_is_no_letter_does_no_harm() -> None:
    redactor = Redactor([Secret("planted-token-1")])
    assert redactor.text("&#1; &#x10ffff; planted-token-1") == "&#1; &#x10ffff; [redacted]"

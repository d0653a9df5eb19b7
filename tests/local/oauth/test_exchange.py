"""A code becomes tokens, or an error that says what the provider had against it."""

from contextlib import suppress

import attrs
import pytest

from connectors.catalog import Call
from connectors.local._oauth import CodeExchange, OAuthError, TokenError
from tests.local.oauth.flows import (
    ACCESS,
    CLIENT,
    CODE,
    NOW,
    PLANTED,
    REDIRECT,
    REFRESH,
    VERIFIER,
    answer,
    config_of,
    exchange,
    named,
    tokens_of,
)
from tests.tracebacks import rendered
from transports import Response, Secret


def refused(name: str, response: Response) -> TokenError:
    with pytest.raises(TokenError) as caught:
        exchange(named(name)).receive(response, sent_at=NOW)
    assert isinstance(caught.value, OAuthError)
    shown = rendered(caught.value) + str(caught.value) + repr(caught.value)
    assert [secret for secret in PLANTED if secret in shown] == []
    return caught.value


def test_an_exchange_tells_what_it_is_and_none_of_its_values() -> None:
    flow = exchange(named("instagram"))
    assert repr(flow) == "<CodeExchange of instagram, 2 to go>"
    flow.receive(answer({"access_token": "x"}), sent_at=NOW)
    assert repr(flow) == "<CodeExchange of instagram, 1 to go>"


def test_a_refused_code_says_why() -> None:
    told = {"error": "invalid_grant", "error_description": "The code has expired."}
    error = refused("gitlab", answer(told, 400))
    assert (error.code, error.description, error.status, error.client_rejected) == (
        "invalid_grant",
        "The code has expired.",
        400,
        False,
    )
    assert str(error) == (
        "gitlab: the provider gave no tokens (status 400) (invalid_grant: The code has expired.)"
    )


@pytest.mark.parametrize(
    ("data", "description"),
    [
        ({"error": {"message": "No."}}, "No."),
        ({"message": "No."}, "No."),
        ({"errors": [{"detail": "No."}]}, "No."),
        ({"error_description": "", "message": "No."}, "No."),
        ({"error_description": 7, "message": "No."}, "No."),
        ({"message": ["No."]}, None),
        (
            {"message": f"{CODE}, {VERIFIER} and {REDIRECT}"},
            f"[redacted], [redacted] and {REDIRECT}",
        ),
        ({"message": "a\nb\x1b[0m"}, "a\\nb\\x1b[0m"),
        ({}, None),
        (None, None),
    ],
    ids=str,
)
def test_the_provider_s_words_are_made_fit_to_be_shown(
    data: object, description: str | None
) -> None:
    assert refused("gitlab", answer(data, 400)).description == description


def test_a_wrong_client_is_told_from_a_wrong_code() -> None:
    assert refused("gitlab", answer({"error": "invalid_client"}, 401)).client_rejected
    assert refused("gitlab", answer({}, 401)).client_rejected
    assert refused("slack", answer({"ok": False, "error": "bad_client_secret"})).client_rejected
    assert not refused("gitlab", answer({"error": "invalid_grant"}, 401)).client_rejected


def test_a_code_that_repeats_what_was_sent_is_not_shown() -> None:
    for secret in (CODE, VERIFIER, "planted-client-secret"):
        error = refused("gitlab", answer({"error": secret, "message": secret}, 400))
        assert (error.code, error.description) == (None, "[redacted]")


@pytest.mark.parametrize("status", [200, 302, 500])
def test_an_answer_without_tokens_is_refused_whatever_it_is(status: int) -> None:
    error = refused("gitlab", Response(status, {}, b"<html>"))
    assert str(error) == f"gitlab: the provider gave no tokens (status {status})"


def test_a_later_step_keeps_what_only_an_earlier_one_tells() -> None:
    instagram = named("instagram")
    first = instagram.token[0]
    with_more = attrs.evolve(
        first, answer=attrs.evolve(first.answer, refresh_token="refresh_token")
    )
    flow = exchange(attrs.evolve(instagram, token=(with_more, *instagram.token[1:])))
    told = {"access_token": "short", "refresh_token": REFRESH, "user_id": 178, "scope": "a,b"}
    assert flow.receive(answer(told), sent_at=NOW) is None
    tokens = flow.receive(answer({"access_token": ACCESS, "expires_in": 60}), sent_at=NOW + 1)
    assert tokens is not None
    assert (tokens.access_token, tokens.refresh_token) == (Secret(ACCESS), Secret(REFRESH))
    assert (tokens.obtained_at, tokens.expires_at) == (NOW + 1, NOW + 61)
    assert (tokens.scopes, tokens.captured) == (("a", "b"), {"user_id": "178"})
    with pytest.raises(TypeError):
        tokens.captured["user_id"] = "7"  # type: ignore[index]


def test_a_later_step_s_own_words_hold() -> None:
    flow = exchange(named("instagram"))
    flow.receive(answer({"access_token": "x", "user_id": "1", "scope": "a"}), sent_at=NOW)
    tokens = flow.receive(
        answer({"access_token": ACCESS, "user_id": "2", "scope": "b"}), sent_at=NOW
    )
    assert tokens is not None
    assert (tokens.scopes, tokens.captured) == (("b",), {"user_id": "2"})


def test_a_step_that_fails_is_the_end() -> None:
    flow = exchange(named("instagram"))
    flow.receive(answer({"access_token": "planted-access-token"}), sent_at=NOW)
    told = {"error": {"type": "OAuthException", "message": "Bad token planted-access-token"}}
    with pytest.raises(TokenError) as caught:
        flow.receive(answer(told, 400), sent_at=NOW)
    assert caught.value.code == "OAuthException"
    assert caught.value.description == "Bad token [redacted]"


@pytest.mark.parametrize(
    ("data", "status"), [({"access_token": "x"}, 200), ({"error": "invalid_grant"}, 400)]
)
def test_a_code_that_is_used_up_is_good_for_no_request_and_no_answer(
    data: dict[str, str], status: int
) -> None:
    flow = exchange(named("github"))
    flow.request()
    with suppress(TokenError):
        flow.receive(answer(data, status), sent_at=NOW)
    assert repr(flow) == "<CodeExchange of github, 0 to go>"
    with pytest.raises(RuntimeError, match="github: the code is used up"):
        flow.request()
    with pytest.raises(RuntimeError, match="github: the code is used up"):
        flow.receive(answer(data, status), sent_at=NOW)


def test_values_that_cannot_be_sent_are_refused_and_not_shown() -> None:
    for values in ({"code": "a\n"}, {"verifier": ""}, {"redirect_uri": "\u00e4"}):
        given = {"code": CODE, "verifier": VERIFIER, "redirect_uri": REDIRECT} | values
        with pytest.raises(ValueError, match="is empty or has a character") as caught:
            CodeExchange(
                named("gitlab"),
                CLIENT,
                code=Secret(given["code"]),
                verifier=Secret(given["verifier"]),
                redirect_uri=given["redirect_uri"],
                config={},
            )
        shown = rendered(caught.value)
        assert [secret for secret in PLANTED if secret in shown] == []


def test_an_address_whose_value_is_not_known_is_refused() -> None:
    step = named("box").token[0]
    elsewhere = attrs.evolve(step, call=Call(url="https://{site}.com/"))
    flow = exchange(attrs.evolve(named("box"), token=(elsewhere,)))
    with pytest.raises(ValueError, match="needs a value for site"):
        flow.request()


def test_a_value_is_never_searched_for_placeholders() -> None:
    flow = CodeExchange(
        named("gitlab"),
        CLIENT,
        code=Secret("{client_secret}"),
        verifier=Secret(VERIFIER),
        redirect_uri=REDIRECT,
        config=config_of(named("gitlab")),
    )
    body = flow.request().body
    assert body is not None
    assert b"code=%7Bclient_secret%7D&" in body


def test_a_number_of_a_call_is_a_number_in_json_and_digits_in_a_form() -> None:
    square, box = named("square"), named("box")
    for integration, expected in ((square, b'"n":7'), (box, b"n=7")):
        step = integration.token[0]
        call = attrs.evolve(step.call, parameters={"n": 7, "site": "{site}"})
        flow = exchange(attrs.evolve(integration, token=(attrs.evolve(step, call=call),)))
        body = flow.request().body
        assert body is not None
        assert expected in body
        assert b"site" not in body


def test_basic_credentials_are_encoded_before_they_are_joined() -> None:
    # RFC 6749, section 2.3.1: `a:b` must not become an id `a` with a secret that begins with `b`.
    client = attrs.evolve(CLIENT, client_id="a:b %", client_secret=Secret("p+/=\u007e:"))
    header = exchange(named("airtable"), client=client).request().headers["authorization"]
    assert header == "Basic YSUzQWIlMjAlMjU6cCUyQiUyRiUzRH4lM0E="


def test_a_header_whose_value_is_not_there_is_left_out() -> None:
    step = named("box").token[0]
    call = attrs.evolve(step.call, headers={"X-Site": "{site}", "Accept": "text/json"})
    flow = exchange(attrs.evolve(named("box"), token=(attrs.evolve(step, call=call),)))
    headers = flow.request().headers
    assert (headers["accept"], "x-site" in headers) == ("text/json", False)


def test_tokens_of_a_code_are_read_like_all_others() -> None:
    tokens = tokens_of(named("gitlab"), {"access_token": ACCESS, "expires_in": 60})
    assert (tokens.obtained_at, tokens.expires_at, tokens.refresh_token) == (NOW, NOW + 60, None)

"""Ending a grant at the provider: what is asked, and what the answer means."""

import attrs
import pytest

from connectors.catalog import Call
from connectors.local._oauth import RevocationOutcome, revocation_request, revocation_result
from tests.local.oauth.flows import ACCESS, CLIENT, PLANTED, REFRESH, answer, named, parts
from tests.tracebacks import rendered
from transports import ReadTimeoutError, Request, Response, Secret


def revocation(name: str, *, access: str | None, refresh: str | None) -> Request | None:
    return revocation_request(
        named(name),
        CLIENT,
        access_token=None if access is None else Secret(access),
        refresh_token=None if refresh is None else Secret(refresh),
        config={},
    )


def test_the_refresh_token_is_ended_if_there_is_one_and_else_the_access_token() -> None:
    for refresh, token in ((REFRESH, REFRESH), (None, ACCESS)):
        request = revocation("gitlab", access=ACCESS, refresh=refresh)
        assert request is not None
        body = parts(request)["body"]
        assert isinstance(body, dict)
        assert body["token"] == token


@pytest.mark.parametrize("name", ["gitlab", "slack", "square", "github", "supabase", "tiktok"])
def test_without_a_token_there_is_nothing_to_end(name: str) -> None:
    assert revocation(name, access=None, refresh=None) is None


def test_a_provider_that_ends_refresh_tokens_only_is_not_asked_without_one() -> None:
    assert revocation("supabase", access=ACCESS, refresh=None) is None
    assert revocation("slack", access=None, refresh=REFRESH) is None


def test_a_token_that_cannot_be_sent_is_refused_and_not_shown() -> None:
    with pytest.raises(ValueError, match="gitlab: the access_token is empty or has") as caught:
        revocation("gitlab", access=ACCESS + "\n", refresh=REFRESH)
    shown = rendered(caught.value)
    assert [secret for secret in PLANTED if secret in shown] == []


def test_an_address_whose_value_is_not_known_is_refused() -> None:
    elsewhere = Call(url="https://{site}.com/", parameters={"token": "{token}"})
    integration = attrs.evolve(named("box"), revocation=elsewhere)
    with pytest.raises(ValueError, match="needs a value for site"):
        revocation_request(
            integration, CLIENT, access_token=Secret(ACCESS), refresh_token=None, config={}
        )


@pytest.mark.parametrize(
    ("name", "response", "outcome"),
    [
        ("gitlab", Response(200), "revoked"),
        ("github", Response(204), "revoked"),
        ("gitlab", answer({}), "revoked"),
        ("slack", answer({"ok": True, "revoked": True}), "revoked"),
        ("slack", answer({"ok": False, "error": "token_revoked"}), "revoked"),
        ("slack", answer({"ok": False, "error": "internal_error"}), "later"),
        ("slack", answer({"ok": False, "error": "not_authed"}), "refused"),
        ("gitlab", answer({"error": "invalid_grant"}, 400), "revoked"),
        ("gitlab", answer({"error": "unsupported_token_type"}, 400), "refused"),
        ("gitlab", answer({"error": "invalid_client"}, 401), "refused"),
        ("github", answer({"message": "Not Found"}, 404), "refused"),
        ("gitlab", Response(302), "later"),
        ("gitlab", Response(408), "later"),
        ("gitlab", Response(429), "later"),
        ("gitlab", Response(500), "later"),
        ("gitlab", Response(503), "later"),
        ("clickup", Response(200), "later"),
    ],
)
def test_what_an_answer_means(name: str, response: Response, outcome: RevocationOutcome) -> None:
    assert revocation_result(named(name), response) == outcome


def test_no_answer_is_no_end() -> None:
    for sent in (True, False):
        error = ReadTimeoutError(
            "no", method="POST", url="https://gitlab.com/", phase="headers", maybe_sent=sent
        )
        assert revocation_result(named("gitlab"), error) == "later"

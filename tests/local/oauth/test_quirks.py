"""What each odd provider answers, by a small fake of that answer: nothing but data knows of it."""

import pytest

from connectors.local._oauth import RefreshFailure, TokenError, Tokens, refresh_result
from tests.local.oauth.flows import ACCESS, NOW, REFRESH, answer, exchange, named, tokens_of
from transports import Secret

DAY = 24 * 3600.0


def renewed(name: str, data: object) -> Tokens:
    result = refresh_result(named(name), answer(data), sent_at=NOW)
    assert isinstance(result, Tokens)
    return result


def refresh_failure(name: str, data: object, status: int = 200) -> tuple[str, str | None]:
    result = refresh_result(named(name), answer(data, status), sent_at=NOW)
    assert isinstance(result, RefreshFailure)
    return result.kind, result.code


def exchange_failure(name: str, data: object) -> TokenError:
    with pytest.raises(TokenError) as caught:
        exchange(named(name)).receive(answer(data), sent_at=NOW)
    return caught.value


def pair(tokens: Tokens) -> tuple[str, str | None]:
    refresh = tokens.refresh_token
    return tokens.access_token.reveal(), None if refresh is None else refresh.reveal()


SLACK_FIRST = {
    "ok": True,
    "app_id": "A1",
    "team": {"id": "T1", "name": "Acme"},
    "enterprise": None,
    "authed_user": {
        "id": "U1",
        "scope": "chat:write,channels:read",
        "token_type": "user",
        "access_token": "xoxe.xoxp-1",
        "refresh_token": "xoxe-1",
        "expires_in": 43200,
    },
}
SLACK_NEXT = {
    "ok": True,
    "access_token": "xoxe.xoxp-2",
    "refresh_token": "xoxe-2",
    "token_type": "user",
    "expires_in": 43200,
    "scope": "chat:write,channels:read",
    "team": {"id": "T1"},
}


def test_slack_nests_the_first_token_and_no_later_one() -> None:
    first, later = tokens_of(named("slack"), SLACK_FIRST), renewed("slack", SLACK_NEXT)
    assert pair(first) == ("xoxe.xoxp-1", "xoxe-1")
    assert pair(later) == ("xoxe.xoxp-2", "xoxe-2")
    assert first.expires_at == later.expires_at == NOW + 43200
    assert first.scopes == later.scopes == ("chat:write", "channels:read")
    assert first.captured == {"team_id": "T1", "user_id": "U1"}
    assert later.captured == {"team_id": "T1"}


def test_slack_s_bot_has_its_token_beside_the_user_s() -> None:
    data = SLACK_FIRST | {"access_token": "xoxb-1", "bot_user_id": "B1", "scope": "chat:write"}
    tokens = tokens_of(named("slackbot"), data)
    assert pair(tokens) == ("xoxb-1", None)
    # Without rotation there is no end.
    assert (tokens.expires_at, tokens.scopes) == (None, ("chat:write",))
    assert tokens.captured == {"team_id": "T1", "bot_user_id": "B1"}


def test_slack_without_a_user_s_token_has_none() -> None:
    data = SLACK_FIRST | {"access_token": "xoxb-1", "authed_user": {"id": "U1"}}
    assert exchange_failure("slack", data).status == 200


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_refresh_token", "refused"),
        ("token_revoked", "refused"),
        ("account_inactive", "refused"),
        ("bad_client_secret", "client_rejected"),
        ("invalid_client_id", "client_rejected"),
        ("internal_error", "ambiguous"),
        ("fatal_error", "ambiguous"),
        ("ratelimited", "ambiguous"),
        ("invalid_arguments", "unknown"),
    ],
)
@pytest.mark.parametrize("name", ["slack", "slackbot"])
def test_slack_fails_inside_a_200(name: str, code: str, kind: str) -> None:
    assert refresh_failure(name, {"ok": False, "error": code}) == (kind, code)
    assert exchange_failure(name, {"ok": False, "error": code}).code == code


def test_slack_s_ok_counts_more_than_a_token_beside_it() -> None:
    assert refresh_failure("slack", SLACK_NEXT | {"ok": False}) == ("unknown", None)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("bad_refresh_token", "refused"),
        ("incorrect_client_credentials", "client_rejected"),
        ("unsupported_grant_type", "unknown"),
    ],
)
def test_github_fails_inside_a_200(code: str, kind: str) -> None:
    told = {"error": code, "error_description": "It is not good.", "error_uri": "https://x"}
    assert refresh_failure("github", told) == (kind, code)
    error = exchange_failure("github", told)
    assert (error.code, error.description) == (code, "It is not good.")
    assert error.client_rejected == (kind == "client_rejected")


def test_github_s_apps_have_an_end_and_its_others_have_none() -> None:
    app = {"access_token": "ghu_1", "expires_in": 28800, "refresh_token": "ghr_1"}
    tokens = tokens_of(named("github"), {**app, "refresh_token_expires_in": 15897600})
    assert (tokens.expires_at, tokens.refresh_expires_at) == (NOW + 28800, NOW + 15897600)
    other = tokens_of(named("github"), {"access_token": "gho_1", "scope": "gist,repo"})
    assert (other.expires_at, other.refresh_expires_at) == (None, None)
    assert other.scopes == ("gist", "repo")


def test_tiktok_fails_inside_a_200() -> None:
    told = {"error": "invalid_grant", "error_description": "Expired.", "log_id": "2026"}
    assert refresh_failure("tiktok", told) == ("refused", "invalid_grant")
    assert exchange_failure("tiktok", told).description == "Expired."
    assert refresh_failure("tiktok", {"error": {"odd": True}}) == ("unknown", None)


def test_tiktok_s_success() -> None:
    data = {
        "open_id": "723f24d7",
        "scope": "user.info.basic,video.list",
        "access_token": "act.1",
        "expires_in": 86400,
        "refresh_token": "rft.1",
        "refresh_expires_in": 31536000,
        "token_type": "Bearer",
        "error": "",
    }
    tokens = renewed("tiktok", data)
    assert pair(tokens) == ("act.1", "rft.1")
    assert tokens.scopes == ("user.info.basic", "video.list")
    assert tokens.refresh_expires_at == NOW + 31536000
    assert tokens.captured == {"open_id": "723f24d7"}


def test_square_tells_a_moment() -> None:
    data = {
        "access_token": "EAAAE1",
        "token_type": "bearer",
        "expires_at": "2027-01-20T08:00:00Z",
        "merchant_id": "M1",
        "refresh_token": "EQAAE1",
        "short_lived": False,
    }
    tokens = tokens_of(named("square"), data)
    assert tokens.expires_at == NOW + 5 * DAY
    assert tokens.captured == {"merchant_id": "M1"}


def test_square_lists_its_errors() -> None:
    told = {"errors": [{"category": "AUTHENTICATION_ERROR", "code": "UNAUTHORIZED"}]}
    assert refresh_failure("square", told, 400) == ("unknown", "UNAUTHORIZED")


def test_salesforce_tells_no_end_and_where_its_api_is() -> None:
    data = {
        "access_token": "00D!AQ",
        "refresh_token": "5Aep",
        "instance_url": "https://acme.my.salesforce.com",
        "id": "https://login.salesforce.com/id/00D/005",
        "issued_at": "1800000000000",
        "signature": "x=",
    }
    tokens = tokens_of(named("salesforce"), data)
    assert tokens.expires_at == NOW + 7200
    assert tokens.captured == {"instance_url": "https://acme.my.salesforce.com"}
    assert refresh_failure("salesforce", {"error": "invalid_client_id"}, 400) == (
        "client_rejected",
        "invalid_client_id",
    )


def test_wrike_tells_its_host_each_time() -> None:
    data = {"access_token": "a", "refresh_token": "r", "host": "app-eu.wrike.com"}
    assert tokens_of(named("wrike"), data).captured == {"host": "app-eu.wrike.com"}
    assert renewed("wrike", data).captured == {"host": "app-eu.wrike.com"}


SHORT = {"access_token": "short", "user_id": 17841400000000000, "permissions": "a,b"}


@pytest.mark.parametrize("first", [{"data": [SHORT]}, SHORT], ids=["wrapped", "flat"])
def test_instagram_sometimes_wraps_its_first_answer(first: object) -> None:
    flow = exchange(named("instagram"))
    assert flow.receive(answer(first), sent_at=NOW) is None
    assert "access_token=short" in flow.request().url
    long = {"access_token": ACCESS, "token_type": "bearer", "expires_in": 5183944}
    tokens = flow.receive(answer(long), sent_at=NOW)
    assert tokens is not None
    assert tokens.access_token == Secret(ACCESS)
    assert tokens.expires_at == NOW + 5183944
    assert tokens.captured == {"user_id": "17841400000000000"}


def test_instagram_s_renewal_has_a_new_end_and_no_refresh_token() -> None:
    tokens = renewed("instagram", {"access_token": ACCESS, "expires_in": 5184000})
    assert (tokens.refresh_token, tokens.refresh_expires_at) == (None, None)
    assert tokens.expires_at == NOW + 5184000


def test_instagram_s_end_of_a_token_is_a_number() -> None:
    told = {"error": {"message": "Session has expired", "type": "OAuthException", "code": 190}}
    assert refresh_failure("instagram", told, 400) == ("refused", "190")
    odd = {"error": {"message": "Try again", "type": "OAuthException", "code": 2}}
    assert refresh_failure("instagram", odd, 400) == ("unknown", "2")


def test_wix_s_token_comes_without_a_code_and_lives_four_hours() -> None:
    tokens = tokens_of(named("wix"), {"access_token": ACCESS, "expires_in": 14400})
    assert (tokens.expires_at, tokens.refresh_token) == (NOW + 14400, None)


def test_notion_tells_no_end_and_which_workspace_it_is() -> None:
    data = {
        "access_token": "ntn_1",
        "refresh_token": "nrt_1",
        "bot_id": "b1",
        "workspace_id": "w1",
        "workspace_name": "Acme",
        "owner": {"type": "user", "user": {"id": "u1"}},
    }
    tokens = tokens_of(named("notion"), data)
    assert pair(tokens) == ("ntn_1", "nrt_1")
    assert (tokens.expires_at, tokens.scopes) == (None, None)
    assert tokens.captured == {"workspace_id": "w1", "bot_id": "b1"}


def test_google_s_answer_to_a_refresh_has_no_refresh_token() -> None:
    data = {"access_token": "ya29.1", "expires_in": 3599, "scope": "a b", "token_type": "Bearer"}
    tokens = renewed("gmail", data)
    assert pair(tokens) == ("ya29.1", None)
    # It has been used, so its half a year without use begins again.
    assert tokens.refresh_expires_at == NOW + 180 * DAY


def test_microsoft_asks_for_the_person() -> None:
    told = {"error": "interaction_required", "error_codes": [50076], "correlation_id": "x"}
    assert refresh_failure("outlook", told, 400) == ("refused", "interaction_required")


def test_quickbooks_tells_how_long_the_refresh_token_lives() -> None:
    data = {
        "access_token": "eyJ",
        "refresh_token": REFRESH,
        "expires_in": 3600,
        "x_refresh_token_expires_in": 8726400,
    }
    assert renewed("quickbooks", data).refresh_expires_at == NOW + 8726400

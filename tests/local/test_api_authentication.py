"""Who the local backend listens to, and how it finds out."""

import base64
import hmac
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from connectors.local import Authority, Principal, Vault, vault_authority
from connectors.local._answers import Refusal
from tests.local.backends import TOKENS, UNAUTHORIZED, Local, bearer, local_backend, told
from tests.local.vaults import printed_with_locals
from tests.loops import REAL, on
from transports import FieldValue, Headers, Request, Secret

ROUTES = [
    ("GET", "external-auth/tokens/slack"),
    ("GET", "external-auth/tokens/connectors/c-1"),
    ("GET", "app-user-auth/connectors/c-1/token"),
    ("DELETE", "app-user-auth/connectors/c-1"),
    ("POST", "app-user-auth/connectors/c-1/initiate"),
    ("POST", "connectors/slack/call"),
    ("GET", "external-auth/available-integrations"),
    ("GET", "external-auth/list"),
    ("GET", "external-auth/status?integration_type=slack"),
    ("PUT", "external-auth/integrations/slack"),
    ("DELETE", "external-auth/integrations/slack/remove"),
    ("GET", "payments/stripe/status"),
    ("POST", "payments/stripe/install"),
    ("DELETE", "payments/stripe"),
]


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_backend(tmp_path) as local:
        yield local


@on(REAL)
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_no_route_answers_a_stranger(local: Local, method: str, path: str) -> None:
    stranger = Authority.ephemeral()
    for headers in (
        {},
        {"Authorization": bearer(stranger.service_token)},
        {"Authorization": bearer(stranger.issue_user_token("ann"))},
        {"api_key": stranger.api_key},
        {"Authorization": bearer(local.authority.api_key)},
        {"api_key": local.authority.service_token},
        {"on-behalf-of": local.bearer_of("ann")},
    ):
        response = await local.ask(method, path, headers)
        assert (response.status, told(response)) == (401, UNAUTHORIZED)
        assert response.headers["www-authenticate"] == "Bearer"


@on(REAL)
@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "bearer {}", "Basic {}", "{}", "Bearer  {}", "Bearer {} x", "{} {}"],
)
async def test_a_credential_is_bearer_and_one_word(local: Local, value: str) -> None:
    token = local.authority.service_token.reveal()
    headers = {"Authorization": value.replace("{}", token)}
    response = await local.ask("GET", "external-auth/tokens/slack", headers)
    assert (response.status, told(response)) == (401, UNAUTHORIZED)


@on(REAL)
async def test_every_credential_has_to_be_right(local: Local) -> None:
    stranger = Authority.ephemeral()
    for name, wrong in {
        "on-behalf-of": bearer(stranger.issue_user_token("ann")),
        "On-Behalf-Of": bearer(local.authority.service_token),
        "api_key": stranger.api_key,
    }.items():
        headers = {**local.service(), name: wrong}
        response = await local.ask("GET", "external-auth/tokens/slack", headers)
        assert (response.status, told(response)) == (401, UNAUTHORIZED)


@on(REAL)
@pytest.mark.parametrize("name", ["authorization", "on-behalf-of", "api_key"])
async def test_a_credential_that_comes_twice_is_refused(local: Local, name: str) -> None:
    right: dict[str, FieldValue] = {
        "authorization": bearer(local.authority.service_token),
        "on-behalf-of": local.bearer_of("ann"),
        "api_key": local.authority.api_key,
    }
    fields = (*right.items(), (name.upper(), right[name]))
    url = "http://127.0.0.1/api/apps/app-1/external-auth/tokens/slack"
    response = await local.backend.handle(Request("GET", url, fields))
    assert response.status == 400
    assert told(response) == {"detail": f"The request has the header '{name}' more than once"}


@on(REAL)
async def test_the_user_who_asks_is_the_one_who_is_named_by_the_token(local: Local) -> None:
    # Another user's token beside it changes nothing: Ann is still the one who asks.
    headers = {**local.user("ann"), "on-behalf-of": local.bearer_of("ben")}
    assert (await local.ask("DELETE", "app-user-auth/connectors/c-1", headers)).status == 200
    path = "app-user-auth/connectors/c-1/token"
    assert (await local.ask("GET", path, local.service("ann"))).status == 404
    body = told(await local.ask("GET", path, local.service("ben")))
    assert isinstance(body, dict)
    assert body["access_token"] == TOKENS["ben"]


def identified(authority: Authority, **fields: FieldValue) -> Principal:
    return authority.identify(Headers(fields))


def test_roles_add_up() -> None:
    authority = Authority.ephemeral()
    service, user = bearer(authority.service_token), bearer(authority.issue_user_token("ann"))
    assert identified(authority, authorization=service) == Principal(frozenset({"service"}))
    assert identified(authority, authorization=user) == Principal(frozenset({"user"}), "ann")
    assert identified(authority, authorization=service, api_key=authority.api_key) == Principal(
        frozenset({"service", "workspace"})
    )


@pytest.mark.parametrize("name", ["ann", "Ann", "a.b@c.example", "Ünï 日本", "x" * 5000, "-", "."])
def test_a_user_token_names_its_user(name: str) -> None:
    authority = Authority.ephemeral()
    token = authority.issue_user_token(name)
    assert token.reveal().isascii()
    assert token == authority.issue_user_token(name)
    assert identified(authority, authorization=bearer(token)).user == name


@pytest.mark.parametrize(
    ("name", "error"), [("", ValueError), ("a\nb", ValueError), (7, TypeError), (None, TypeError)]
)
def test_a_user_has_a_name(name: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^user must be"):
        Authority.ephemeral().issue_user_token(name)


def forgeries(token: str) -> list[str]:
    """What somebody makes of Ann's token who wants to be Ben, or wants another token for Ann."""
    kind, name, signature = token.split(".")
    ben = base64.urlsafe_b64encode(b"ben").decode()
    broken = base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode()
    return [
        f"{kind}.{ben}.{signature}",
        f"{kind}.{broken}.{signature}",
        f"{kind}.{name}.",
        f"{kind}.{name}",
        f"{kind}.{name}.{signature}=",
        f"{kind}.{name}==.{signature}",
        f"{kind}.{name}.{signature}.{signature}",
        f"{kind}.%{name}.{signature}",
        f"{kind}.\xe9{name}.{signature}",
        f"b44u_v2.{name}.{signature}",
        f".{name}.{signature}",
        f"{kind}.{name}.{signature[:-1]}",
        f"{kind}.{name}.{signature.swapcase()}",
        f"{kind}..{signature}",
        f"{kind}.A.{signature}",
        "..",
        "",
        name,
    ]


@pytest.mark.parametrize("number", range(18))
def test_a_user_token_has_one_form(number: int) -> None:
    authority = Authority.ephemeral()
    forged = forgeries(authority.issue_user_token("ann").reveal())[number]
    with pytest.raises(Refusal, match="Unauthorized"):
        identified(authority, authorization=f"Bearer {forged}")


def test_no_two_authorities_accept_each_other() -> None:
    one, other = Authority.ephemeral(), Authority.ephemeral()
    assert one.service_token != other.service_token
    assert one.api_key != other.api_key
    assert one.issue_user_token("ann") != other.issue_user_token("ann")


def test_credentials_can_be_told_apart_and_not_be_guessed() -> None:
    authority = Authority.ephemeral()
    assert authority.service_token.reveal().startswith("b44s_")
    assert authority.api_key.reveal().startswith("b44k_")
    assert authority.issue_user_token("ann").reveal().startswith("b44u_v1.")
    # 32 random bytes in base64.
    assert len(authority.service_token.reveal()) == len(authority.api_key.reveal()) == 5 + 43


def test_credentials_are_in_no_repr() -> None:
    authority = Authority.ephemeral()
    shown = repr(authority) + repr(authority.issue_user_token("ann"))
    assert "b44" not in shown


@on(REAL)
async def test_the_credentials_of_a_vault_are_made_once(tmp_path: Path) -> None:
    async with Vault(tmp_path / "vault.db") as vault:
        first = await vault_authority(vault)
    async with Vault(tmp_path / "vault.db") as vault:
        again = await vault_authority(vault)
    async with Vault(tmp_path / "other.db") as vault:
        other = await vault_authority(vault)
    assert first.service_token == again.service_token != other.service_token
    assert first.api_key == again.api_key != other.api_key
    token = first.issue_user_token("ann")
    assert token == again.issue_user_token("ann") != other.issue_user_token("ann")
    secrets = {first.service_token, first.api_key, first._signing_key}
    assert len(secrets) == 3
    assert Secret("") not in secrets


@contextmanager
def c_functions() -> Iterator[list[object]]:
    """The functions written in C that run meanwhile."""
    called: list[object] = []

    def profile(_: object, event: str, function: object) -> None:
        if event == "c_call":
            called.append(function)

    sys.setprofile(profile)
    try:
        yield called
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("accepted", ["a right one", "a wrong one"])
@pytest.mark.parametrize("kind", ["service", "user", "on-behalf-of", "api_key"])
def test_every_credential_is_compared_in_constant_time(kind: str, accepted: str) -> None:
    authority = Authority.ephemeral()
    issuer = authority if accepted == "a right one" else Authority.ephemeral()
    fields = {
        "service": {"authorization": bearer(issuer.service_token)},
        "user": {"authorization": bearer(issuer.issue_user_token("ann"))},
        "on-behalf-of": {"on-behalf-of": bearer(issuer.issue_user_token("ann"))},
        "api_key": {"api_key": issuer.api_key},
    }[kind]
    headers = Headers(fields)
    with c_functions() as called, suppress(Refusal):
        authority.identify(headers)
    assert hmac.compare_digest in called


@pytest.mark.parametrize("name", ["authorization", "on-behalf-of", "api_key"])
def test_a_refusal_shows_no_credential_even_with_the_locals_of_every_frame(name: str) -> None:
    authority, stranger = Authority.ephemeral(), Authority.ephemeral()
    right = bearer(authority.service_token)
    errors: list[Refusal] = []
    for wrong in (
        stranger.api_key,
        bearer(stranger.service_token),
        bearer(stranger.issue_user_token("ann")),
        bearer(Secret(authority.issue_user_token("ann").reveal() + "A")),
    ):
        for fields in ([(name, wrong)], [("authorization", right), (name, wrong), (name, wrong)]):
            with pytest.raises(Refusal) as refused:
                authority.identify(Headers(fields))
            errors.append(refused.value)
    printed = "".join(map(printed_with_locals, errors))
    assert "Secret('[secret]')" in printed
    assert "b44" not in printed

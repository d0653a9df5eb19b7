"""The provider that the other tests rely on is as strict as they need, and fails as it is told.

A plain client speaks to it here, so that what these tests find is the provider's doing.
"""

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

import aiohttp
import anyio
import attrs
import pytest

from tests.conformance.oidc import METHODS, Fault, Method, OidcProvider, oidc_provider

CALLBACK: Final = "http://127.0.0.1:8044/oauth/callback"
VERIFIER: Final = "v" * 43
CHALLENGE: Final = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)

Answer = dict[str, Any]


@attrs.frozen
class Plain:
    """A client of the provider that does what RFC 6749 says and nothing else."""

    provider: OidcProvider
    method: Method = "client_secret_basic"

    async def callback(self, *, deny: bool = False, **changed: str) -> Answer:
        query = {
            "client_id": self.method,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "read write",
            "state": "s-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changed,
        }
        url = f"{self.provider.issuer}/auth?{urlencode(query)}"
        arrived = await self.provider.consent(url, deny=deny)
        return {name: value for name, (value,) in parse_qs(urlsplit(arrived).query).items()}

    async def post(self, path: str, **form: str) -> tuple[int, Answer]:
        headers = {}
        if self.method == "client_secret_basic":
            words = f"{self.method}:{quote_plus(self.provider.secret)}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(words).decode()}"
        else:
            secret = self.provider.client_secret(self.method)
            form |= {"client_id": self.method} | ({"client_secret": secret} if secret else {})
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.post(f"{self.provider.issuer}{path}", data=form) as answer,
        ):
            body = await answer.text()
            return answer.status, await answer.json() if body else {}

    async def exchange(self, code: str, verifier: str = VERIFIER) -> tuple[int, Answer]:
        return await self.post(
            "/token",
            grant_type="authorization_code",
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=verifier,
        )

    async def refresh(self, refresh_token: str) -> tuple[int, Answer]:
        return await self.post("/token", grant_type="refresh_token", refresh_token=refresh_token)

    async def connect(self) -> Answer:
        status, tokens = await self.exchange((await self.callback())["code"])
        assert status == 200, tokens
        return tokens


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[OidcProvider]:
    async with oidc_provider(access_tokens=2, redirect_uris=[CALLBACK]) as running:
        yield running


@pytest.mark.parametrize("method", METHODS)
async def test_each_kind_of_client_gets_tokens_and_new_ones(
    method: Method, provider: OidcProvider
) -> None:
    client = Plain(provider, method)
    callback = await client.callback()
    assert (callback["state"], callback["iss"]) == ("s-1", provider.issuer)
    status, tokens = await client.exchange(callback["code"])
    assert (status, tokens["expires_in"]) == (200, 2)
    assert await provider.me(tokens["access_token"]) == 200
    status, renewed = await client.refresh(tokens["refresh_token"])
    assert status == 200
    assert await provider.me(renewed["access_token"]) == 200
    assert renewed["refresh_token"] != tokens["refresh_token"]
    (grant,) = [grant for grant in (await provider.log()).grants if grant.client == method]
    digests = [
        hashlib.sha256(told["refresh_token"].encode()).hexdigest() for told in (tokens, renewed)
    ]
    assert (grant.chain, grant.alive) == (tuple(digests), True)


async def test_a_token_ends_when_it_was_said_to(provider: OidcProvider) -> None:
    tokens = await Plain(provider).connect()
    since = anyio.current_time()
    while await provider.me(tokens["access_token"]) == 200:  # noqa: ASYNC110 - it tells nobody.
        await anyio.sleep(0.05)
    assert 1.9 <= anyio.current_time() - since < 4


async def test_a_token_that_comes_again_ends_the_whole_grant(provider: OidcProvider) -> None:
    client = Plain(provider)
    before = await provider.log()
    first = await client.connect()
    _, second = await client.refresh(first["refresh_token"])
    for used in (first, second):
        status, refusal = await client.refresh(used["refresh_token"])
        assert (status, refusal["error"]) == (400, "invalid_grant")
    assert await provider.me(second["access_token"]) == 401
    after = await provider.log()
    assert after.reuses == before.reuses + 1
    assert not after.grants[-1].alive


async def test_of_two_calls_at_once_with_one_token_one_is_a_reuse(provider: OidcProvider) -> None:
    client = Plain(provider)
    tokens = await client.connect()
    before = await provider.log()
    async with anyio.create_task_group() as both:
        for _ in range(2):
            both.start_soon(client.refresh, tokens["refresh_token"])
    after = await provider.log()
    assert after.reuses == before.reuses + 1
    assert not after.grants[-1].alive


async def test_a_grant_that_was_taken_back_is_told_from_a_reuse(provider: OidcProvider) -> None:
    client = Plain(provider)
    tokens = await client.connect()
    before = await provider.log()
    assert before.grants[-1].alive
    await provider.revoke(before.grants[-1].id)
    assert (await client.refresh(tokens["refresh_token"]))[0] == 400
    after = await provider.log()
    assert (after.grants[-1].alive, after.reuses) == (False, before.reuses)


async def test_a_code_is_good_for_one_client_with_its_verifier_and_once(
    provider: OidcProvider,
) -> None:
    client = Plain(provider)
    code = (await client.callback())["code"]
    status, refusal = await client.exchange(code, "w" * 43)
    assert (status, refusal["error"]) == (400, "invalid_grant")
    code = (await client.callback())["code"]
    assert (await client.exchange(code))[0] == 200
    status, refusal = await client.exchange(code)
    assert (status, refusal["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("method", METHODS)
async def test_without_pkce_there_is_no_code(method: Method, provider: OidcProvider) -> None:
    callback = await Plain(provider, method).callback(code_challenge="", code_challenge_method="")
    assert callback["error"] == "invalid_request"
    assert "code" not in callback


async def test_a_consent_can_be_denied(provider: OidcProvider) -> None:
    callback = await Plain(provider).callback(deny=True)
    assert (callback["error"], callback["state"]) == ("access_denied", "s-1")
    assert "code" not in callback


async def test_a_wrong_secret_is_the_clients_fault(provider: OidcProvider) -> None:
    wrong = Plain(attrs.evolve(provider, secret="wrong"), "client_secret_post")
    status, refusal = await wrong.refresh("no token")
    assert (status, refusal["error"]) == (401, "invalid_client")


async def test_tokens_can_be_revoked_and_asked_about(provider: OidcProvider) -> None:
    client = Plain(provider)
    tokens = await client.connect()
    told = (await client.post("/token/introspection", token=tokens["refresh_token"]))[1]
    assert told["active"]
    assert (await client.post("/token/revocation", token=tokens["refresh_token"]))[0] == 200
    told = (await client.post("/token/introspection", token=tokens["refresh_token"]))[1]
    assert not told["active"]


async def test_a_fault_in_front_of_the_provider_leaves_the_token_good(
    provider: OidcProvider,
) -> None:
    client = Plain(provider)
    tokens = await client.connect()
    await provider.fail(Fault(commit=False, status=503))
    assert (await client.refresh(tokens["refresh_token"]))[0] == 503
    assert (await client.refresh(tokens["refresh_token"]))[0] == 200


@pytest.mark.parametrize("fault", [Fault(drop=True), Fault(status=502)], ids=["cut", "502"])
async def test_a_fault_behind_the_provider_loses_the_token(
    fault: Fault, provider: OidcProvider
) -> None:
    client = Plain(provider)
    tokens = await client.connect()
    await provider.fail(fault)
    try:
        answered = (await client.refresh(tokens["refresh_token"]))[0]
    except aiohttp.ServerDisconnectedError:
        answered = None
    assert answered == fault.status
    assert (await provider.log()).calls[-1].status == 200
    assert (await client.refresh(tokens["refresh_token"]))[0] == 400


async def test_faults_come_one_to_a_call_and_again_if_they_repeat(provider: OidcProvider) -> None:
    client = Plain(provider)
    busy = Fault(commit=False, status=503, headers={"Retry-After": "7"})
    await provider.fail(busy, Fault(), repeat=True)
    statuses = [(await client.refresh("no token"))[0] for _ in range(4)]
    await provider.fail()
    assert statuses == [503, 400, 503, 400]
    assert (await client.refresh("no token"))[0] == 400


@pytest.mark.parametrize(
    "fault",
    [Fault(delay_before=3600, commit=False), Fault(delay_after=3600)],
    ids=["before", "after"],
)
async def test_a_call_that_waits_is_seen_and_holds_up_no_other(
    fault: Fault, provider: OidcProvider
) -> None:
    client = Plain(provider)
    tokens = await client.connect()
    await provider.fail(fault)
    async with anyio.create_task_group() as waiting:
        waiting.start_soon(client.refresh, tokens["refresh_token"])
        call = await provider.in_flight(committed=fault.commit)
        assert (call.status == 200) == fault.commit
        assert (await client.refresh("no token"))[0] == 400
        waiting.cancel_scope.cancel()

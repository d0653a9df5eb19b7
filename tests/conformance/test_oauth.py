"""OAuth as this project speaks it, with a provider that is certified and strict.

Whatever goes wrong on the way to a connection: the person who tried is told what, nothing is
stored, and the provider has not been asked for anything that a wrong callback could be good for.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs
import pytest

from connectors.local import Owner, StoredConnection, Vault
from connectors.local._connecting import (
    Begun,
    Connected,
    ConnectingError,
    ConsentOverError,
    Consents,
)
from connectors.local._oauth_records import OAuthApp
from connectors.local._refresh import ReconnectRequiredError, TokenKeeper
from tests.conformance.oidc import METHODS, Fault, Method, OidcProvider, Seen, oidc_provider
from tests.conformance.oidc_catalog import CALLBACK, catalog, oauth_client
from transports import Secret
from transports.aiohttp import AiohttpTransport

APP: Final = "my-app"
LIFETIME: Final = 3600


@attrs.frozen
class Person:
    """Somebody with an account at the provider, who connects it."""

    provider: OidcProvider
    method: Method
    vault: Vault
    transport: AiohttpTransport
    owner: Owner

    @property
    def type(self) -> str:
        return f"oidc_{self.method}"

    def consents(self, later: float = 0.0) -> Consents:
        return Consents(
            self.vault,
            self.transport,
            catalog=catalog(self.provider.issuer),
            redirect_uri=CALLBACK,
            clock=lambda: time.time() + later,
        )

    async def begin(self) -> Begun:
        return await self.consents().begin(self.owner, self.type, scopes=["read"])

    async def consent(self, *, deny: bool = False) -> Mapping[str, str]:
        """Begin, say yes or no, and come back with this query."""
        begun = await self.begin()
        return query_of(await self.provider.consent(begun.url.reveal(), deny=deny))

    async def come_back(self, query: Mapping[str, str], later: float = 0.0) -> Connected:
        return await self.consents(later).complete(Secret(urlencode(query)))

    async def token(self, later: float = 0.0) -> StoredConnection:
        """The connection as an app gets it, so many seconds from now."""
        keeper = TokenKeeper(
            self.vault,
            self.transport,
            catalog=catalog(self.provider.issuer),
            clock=lambda: time.time() + later,
        )
        async with aclosing(keeper):
            found = await keeper.connection(self.owner)
        assert found is not None
        return found

    async def works(self, connection: StoredConnection) -> bool:
        assert connection.access_token is not None
        return await self.provider.me(connection.access_token.reveal()) == 200

    async def calls(self) -> tuple[Seen, ...]:
        """What the provider's token endpoint was asked for this client."""
        log = await self.provider.log()
        return tuple(call for call in log.calls if call.client == self.method)

    async def nothing_is_stored(self) -> bool:
        return await self.vault.list(APP) == ()


def query_of(address: str) -> Mapping[str, str]:
    assert address.startswith(CALLBACK)
    return dict(parse_qsl(urlsplit(address).query))


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[OidcProvider]:
    async with oidc_provider(access_tokens=LIFETIME, redirect_uris=[CALLBACK]) as running:
        yield running


@asynccontextmanager
async def person_of(
    provider: OidcProvider, method: Method, folder: Path, secret: str | None = None
) -> AsyncIterator[Person]:
    async with (
        Vault(folder / "vault.db") as vault,
        aclosing(AiohttpTransport()) as transport,
    ):
        person = Person(provider, method, vault, transport, Owner.app(APP, f"oidc_{method}"))
        client = oauth_client(method, secret or provider.secret)
        await vault.apps.configure(OAuthApp(person.type, client))
        yield person


@pytest.fixture(params=METHODS)
async def person(
    request: pytest.FixtureRequest, provider: OidcProvider, tmp_path: Path
) -> AsyncIterator[Person]:
    async with person_of(provider, request.param, tmp_path) as person:
        yield person


async def test_a_consent_makes_a_connection_that_is_renewed(person: Person) -> None:
    connected = await person.come_back(await person.consent())
    first = connected.connection
    assert connected.lasts
    assert (first.state, first.generation, first.scopes) == ("active", 1, ("read",))
    assert await person.works(first)
    assert await person.token() == first
    second = await person.token(later=LIFETIME)
    third = await person.token(later=2 * LIFETIME)
    for renewed in (second, third):
        assert renewed.id == first.id
        assert await person.works(renewed)
    assert len({each.refresh_token for each in (first, second, third)}) == 3
    assert len({each.access_token for each in (first, second, third)}) == 3
    log = await person.provider.log()
    newest = [grant for grant in log.grants if grant.client == person.method][-1]
    assert newest.alive
    assert len(newest.chain) == 3


async def test_who_connects_again_keeps_the_connection(person: Person) -> None:
    first = (await person.come_back(await person.consent())).connection
    second = (await person.come_back(await person.consent())).connection
    assert (second.id, second.generation) == (first.id, 2)
    assert second.access_token != first.access_token
    assert await person.works(second)


async def test_a_wrong_state_is_refused_and_the_right_one_still_good(person: Person) -> None:
    query, before = await person.consent(), await person.calls()
    for wrong in ("", "x" * len(query["state"]), query["state"][:-1], query["state"] + "x"):
        with pytest.raises(ConnectingError, match=r"not begun here|has no state"):
            await person.come_back({**query, "state": wrong})
    with pytest.raises(ConnectingError, match="has no state"):
        await person.come_back({"code": query["code"]})
    assert await person.nothing_is_stored()
    assert await person.calls() == before
    assert await person.works((await person.come_back(query)).connection)


async def test_a_callback_is_good_once(person: Person) -> None:
    query = await person.consent()
    first = (await person.come_back(query)).connection
    calls = await person.calls()
    with pytest.raises(ConsentOverError, match="connected before") as refused:
        await person.come_back(query)
    assert refused.value.connected
    assert await person.vault.get(person.owner) == first
    # A code that comes twice would have ended the grant at the provider.
    assert await person.calls() == calls
    assert await person.works(first)
    assert await person.works(await person.token(later=LIFETIME))


async def test_a_code_of_another_consent_is_no_good(person: Person) -> None:
    mine, stolen = await person.consent(), await person.consent()
    with pytest.raises(ConnectingError, match="invalid_grant"):
        await person.come_back({**mine, "code": stolen["code"]})
    assert (await person.calls())[-1].detail == "code_verifier does not match code_challenge"
    assert await person.nothing_is_stored()


async def test_who_says_no_is_not_connected(person: Person) -> None:
    begun = await person.begin()
    query = query_of(await person.provider.consent(begun.url.reveal(), deny=True))
    before = await person.calls()
    with pytest.raises(ConnectingError, match="access_denied"):
        await person.come_back(query)
    status = await person.vault.consent_rows.status(begun.state_hash, time.time())
    assert status is not None
    assert status.outcome == "denied"
    assert await person.nothing_is_stored()
    assert await person.calls() == before


async def test_who_says_no_to_a_new_consent_keeps_what_there_was(person: Person) -> None:
    connected = (await person.come_back(await person.consent())).connection
    with pytest.raises(ConnectingError):
        await person.come_back(await person.consent(deny=True))
    assert await person.vault.get(person.owner) == connected
    assert await person.works(connected)


async def test_who_comes_back_after_ten_minutes_has_to_begin_again(person: Person) -> None:
    query, before = await person.consent(), await person.calls()
    with pytest.raises(ConnectingError, match="ten minutes"):
        await person.come_back(query, later=601)
    assert await person.nothing_is_stored()
    assert await person.calls() == before


async def test_an_answer_of_another_issuer_is_refused(person: Person) -> None:
    query, before = await person.consent(), await person.calls()
    assert query["iss"] == person.provider.issuer
    with pytest.raises(ConnectingError):
        await person.come_back({**query, "iss": "http://127.0.0.1:9"})
    assert await person.nothing_is_stored()
    assert await person.calls() == before


@pytest.mark.parametrize(
    "fault",
    [Fault(commit=False, status=503), Fault(status=502), Fault(drop=True)],
    ids=["busy", "gateway", "cut"],
)
async def test_a_code_whose_answer_does_not_come_makes_no_connection(
    fault: Fault, person: Person
) -> None:
    query = await person.consent()
    await person.provider.fail(fault)
    with pytest.raises(ConnectingError, match=r"status 50[23]|has not answered"):
        await person.come_back(query)
    assert await person.nothing_is_stored()


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_wrong_secret_is_said_to_be_one(
    method: Method, provider: OidcProvider, tmp_path: Path
) -> None:
    async with person_of(provider, method, tmp_path, secret="wrong") as person:
        with pytest.raises(ConnectingError, match="invalid_client"):
            await person.come_back(await person.consent())
        assert await person.nothing_is_stored()


async def test_a_grant_that_was_taken_back_needs_its_owner(person: Person) -> None:
    await person.come_back(await person.consent())
    grants = (await person.provider.log()).grants
    await person.provider.revoke(grants[-1].id)
    with pytest.raises(ReconnectRequiredError) as ended:
        await person.token(later=LIFETIME)
    assert ended.value.reason == "invalid_grant"
    renewed = (await person.come_back(await person.consent())).connection
    assert await person.works(renewed)
    assert await person.token() == renewed


async def test_no_error_shows_what_a_callback_brought(person: Person) -> None:
    mine, stolen = await person.consent(), await person.consent()
    for query in ({**mine, "code": stolen["code"]}, mine, {**mine, "state": "unknown"}):
        with pytest.raises(ConnectingError) as refused:
            await person.come_back(query)
        for secret in (query["code"], mine["state"]):
            assert secret not in f"{refused.value!r} {refused.value}"

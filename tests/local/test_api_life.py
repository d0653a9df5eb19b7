"""What a backend does behind its callers' backs ends with it, and so does its way to providers."""

from collections.abc import Mapping
from pathlib import Path

import anyio
import attrs
import pytest

from connectors import Client
from connectors.catalog import Integration, integrations
from connectors.local import Authority, Grant, LocalBackend, Vault
from connectors.local._providers import Providers
from tests.local.backends import APP, Local, told
from tests.local.dropbox import ACCESS, CALL_PATH, OWNER, REFRESH, World, world
from tests.loops import REAL, on
from tests.transports.raw_server import answering, serving
from transports import (
    Request,
    Response,
    Transport,
    TransportClosedError,
)
from transports.mock import json_response

NEW = "planted-access-token-1"
REQUEST = Request("GET", "https://api.dropboxapi.com/2/x?planted-query")


def at(url: str) -> Mapping[str, Integration]:
    """The catalogue, with the API of dropbox somewhere else."""
    dropbox = integrations()["dropbox"]
    return {"dropbox": attrs.evolve(dropbox, api=attrs.evolve(dropbox.api, base_url=url))}


async def echoed(request: Request) -> Response:
    return json_response({"came": request.headers["authorization"] == f"Bearer {ACCESS}"})


@on(REAL)
async def test_without_a_transport_it_makes_one_and_closes_it(tmp_path: Path) -> None:
    async with serving(answering(echoed)) as server, Vault(tmp_path / "vault.db") as vault:
        await vault.put(OWNER, Grant("dropbox", ACCESS))
        authority = Authority.ephemeral()
        async with LocalBackend(vault, authority, catalog=at(server.url)) as backend:
            local = Local(vault, authority, backend)
            for _ in range(2):
                body = b'{"path": "/2/x"}'
                response = await local.ask("POST", CALL_PATH, local.service(), body)
                answer = told(response)
                assert isinstance(answer, dict)
                assert answer["data"] == {"came": True}
            assert server.connections == 1
        response = await local.ask("POST", CALL_PATH, local.service(), b'{"path": "/2/x"}')
        answer = told(response)
        assert isinstance(answer, dict)
        assert (response.status, answer["phase"]) == (200, "not_sent")
        assert answer["detail"].startswith("The backend is closed")


@on(REAL)
async def test_a_transport_that_was_given_stays_open(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.connect()
    await here.transport.send(Request("GET", "https://api.dropboxapi.com/", {"authorization": "x"}))
    assert len(here.transport.calls) == 1


@on(REAL)
async def test_closing_may_be_repeated_and_a_good_token_is_there_all_the_same(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        await here.connect()
        await here.local.backend.aclose()
        await here.local.backend.aclose()
        assert (await here.token()).status == 200
        here.clock.now += 20_000
        response = await here.token()
        assert response.status == 503
        assert b"The backend is closed" in response.body
    assert here.dropbox.token_calls == []


async def refreshing(here: World, begun: anyio.Event, go_on: anyio.Event) -> None:
    """Have a provider that takes its time."""

    async def slowly(request: Request) -> Response:
        begun.set()
        await go_on.wait()
        return here.dropbox(request)

    here.transport.route("POST", "https://api.dropboxapi.com/oauth2/token", slowly)
    await here.connect(expires_at=here.clock.now)


@on(REAL)
async def test_a_refresh_that_was_sent_is_waited_for_and_kept(tmp_path: Path) -> None:
    begun, go_on, closed = anyio.Event(), anyio.Event(), anyio.Event()
    async with world(tmp_path) as here:
        await refreshing(here, begun, go_on)

        async def close() -> None:
            await here.local.backend.aclose()
            closed.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.token)
            await begun.wait()
            tasks.start_soon(close)
            await anyio.wait_all_tasks_blocked()
            assert not closed.is_set()
            go_on.set()
        kept = await here.vault.get(OWNER)
        assert kept is not None
        assert kept.access_token is not None
        assert kept.access_token.reveal() == NEW


@on(REAL)
async def test_a_cancelled_closing_waits_for_it_too(tmp_path: Path) -> None:
    begun, go_on = anyio.Event(), anyio.Event()
    async with world(tmp_path) as here:
        await refreshing(here, begun, go_on)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.token)
            await begun.wait()
            tasks.cancel_scope.cancel()
            # It must not hang: somebody else lets the provider answer.
            with anyio.CancelScope(shield=True):
                async with anyio.create_task_group() as others:
                    others.start_soon(here.local.backend.aclose)
                    await anyio.wait_all_tasks_blocked()
                    go_on.set()
        kept = await here.vault.get(OWNER)
        assert kept is not None
        assert kept.generation == 2


@on(REAL)
async def test_a_client_that_is_closed_waits_for_it_and_then_closes_the_vault(
    tmp_path: Path,
) -> None:
    begun, go_on = anyio.Event(), anyio.Event()
    path = tmp_path / "vault.db"
    async with world(tmp_path) as here:
        await refreshing(here, begun, go_on)
        # By the wall clock of the client it has ended long ago.
        client = Client.local(vault=path, app_id=APP, provider_transport=here.transport)
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                with pytest.raises(Exception, match="closed"):
                    await client.as_service_role.connectors.get_connection("dropbox")

            tasks.start_soon(ask)
            await begun.wait()
            tasks.start_soon(client.aclose)
            await anyio.wait_all_tasks_blocked()
            go_on.set()
        kept = await here.vault.get(OWNER)
        assert kept is not None
        assert kept.refresh_token is not None
        assert (kept.generation, kept.refresh_token.reveal()) == (2, REFRESH)


@on(REAL)
async def test_sweeping_does_what_no_request_does_until_it_is_cancelled(tmp_path: Path) -> None:
    told_of_it = anyio.Event()

    def revoke(request: Request) -> Response:
        told_of_it.set()
        return here.dropbox(request)

    async with world(tmp_path) as here:
        here.transport.route("POST", "https://api.dropboxapi.com/2/auth/token/revoke", revoke)
        await here.connect()
        await here.vault.disconnect(OWNER)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.local.backend.sweep)
            await told_of_it.wait()
            tasks.cancel_scope.cancel()
    assert here.dropbox.revoked == [f"Bearer {ACCESS}"]


@pytest.mark.parametrize("transport", [1, "aiohttp", object()])
def test_what_is_no_transport_to_the_providers_is_refused(
    tmp_path: Path, transport: Transport
) -> None:
    with pytest.raises(TypeError, match=r"^provider_transport must have send\(\) and aclose\(\)"):
        Client.local(vault=tmp_path / "vault.db", provider_transport=transport)


@on(REAL)
async def test_the_way_to_the_providers_is_closed_before_it_was_used(
    anyio_backend: object,
) -> None:
    providers = Providers(None)
    await providers.aclose()
    await providers.aclose()
    with pytest.raises(TransportClosedError) as closed:
        await providers.send(REQUEST)
    assert (closed.value.maybe_sent, "planted" in str(closed.value)) == (False, False)


@on(REAL)
async def test_what_a_backend_shows_of_itself_is_its_vault(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        assert repr(here.local.backend) == f"<LocalBackend over {here.vault!r}>"

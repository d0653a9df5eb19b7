"""The in-process transport keeps the contract of every transport."""

import fcntl
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from connectors.local import Authority, InProcessTransport, Vault
from tests.local.backends import APP, TOKENS, connect_accounts, told
from tests.local.vaults import ROOT, database
from tests.loops import REAL, on
from transports import (
    BodyTooLargeError,
    ReadTimeoutError,
    Request,
    Response,
    Secret,
    Transport,
    TransportClosedError,
)

URL = f"http://local.invalid/api/apps/{APP}"
SLACK = f"{URL}/external-auth/tokens/slack"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@pytest.fixture
def authority() -> Authority:
    return Authority.ephemeral()


def read(authority: Authority, **limits: float) -> Request:
    token = Secret(f"Bearer {authority.service_token.reveal()}")
    return Request("GET", SLACK, {"Authorization": token}, **limits)  # type: ignore[arg-type]


def write(authority: Authority, **limits: float) -> Request:
    """A request that has to wait while another process writes."""
    url = f"{URL}/external-auth/integrations/slack/remove"
    return Request("DELETE", url, {"api_key": authority.api_key}, **limits)  # type: ignore[arg-type]


async def somebody_has_begun(path: Path) -> None:
    """Wait until the lock of a connection is held, by which whoever removes it keeps others out."""
    while True:
        for file in path.with_name(f"{path.name}.locks").glob("*"):
            with file.open() as opened:
                try:
                    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
        await anyio.sleep(0.01)


@on(REAL)
async def test_it_is_a_transport_that_answers(path: Path, authority: Authority) -> None:
    async with Vault(path) as vault:
        await connect_accounts(vault)
        transport = InProcessTransport(vault, authority)
        assert isinstance(transport, Transport)
        response = await transport.send(read(authority))
        refused = await transport.send(Request("GET", SLACK))
        await transport.aclose()
    body = told(response)
    assert isinstance(body, dict)
    assert body["access_token"] == TOKENS["slack"]
    assert (response.status, refused.status) == (200, 401)
    assert response.source == refused.source == "local"
    assert 0 <= response.elapsed < 60


@on(REAL)
async def test_it_is_used_after_it_was_closed(path: Path, authority: Authority) -> None:
    transport = InProcessTransport(path, authority)
    await transport.send(read(authority))
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(TransportClosedError) as closed:
        await transport.send(read(authority))
    assert (closed.value.phase, closed.value.maybe_sent) == ("pool", False)


@on(REAL)
async def test_closing_ends_what_is_under_way(path: Path, authority: Authority) -> None:
    outcomes: list[object] = []
    async with Vault(path, busy_timeout=0.3) as vault:
        await connect_accounts(vault)
        transport = InProcessTransport(vault, authority)

        async def send() -> None:
            try:
                outcomes.append((await transport.send(write(authority))).status)
            except TransportClosedError as error:
                outcomes.append(error)

        with database(path) as other:
            other.execute("BEGIN IMMEDIATE")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(send)
                tasks.start_soon(send)
                await somebody_has_begun(path)
                await transport.aclose()
    # One waited for the other and never began; what the other had begun was finished and is told,
    # unless it had not begun either.
    assert len(outcomes) == 2
    closed = [error for error in outcomes if isinstance(error, TransportClosedError)]
    assert closed
    assert all(error.maybe_sent for error in closed)
    assert [outcome for outcome in outcomes if outcome not in closed] in ([], [503])


@on(REAL)
async def test_the_deadline_ends_what_has_not_begun(path: Path, authority: Authority) -> None:
    async with Vault(path, busy_timeout=0.4) as vault:
        await connect_accounts(vault)
        transport = InProcessTransport(vault, authority)
        with database(path) as other:
            other.execute("BEGIN IMMEDIATE")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(transport.send, write(authority))
                await somebody_has_begun(path)
                began = anyio.current_time()
                with pytest.raises(ReadTimeoutError) as late:
                    await transport.send(write(authority, deadline=began + 0.05))
                assert anyio.current_time() - began < 0.3
    assert late.value.maybe_sent
    assert late.value.url.endswith("/remove")


@on(REAL)
async def test_a_cancelled_read_ends_at_once(path: Path, authority: Authority) -> None:
    async with Vault(path) as vault:
        await connect_accounts(vault)
        transport = InProcessTransport(vault, authority)
        began = anyio.current_time()
        with anyio.move_on_after(0) as scope:
            await transport.send(read(authority))
        assert scope.cancelled_caught
        assert anyio.current_time() - began < 0.05
        assert (await transport.send(read(authority))).status == 200


@on(REAL)
async def test_the_limit_of_a_body_holds(path: Path, authority: Authority) -> None:
    async with Vault(path) as vault:
        await connect_accounts(vault)
        transport = InProcessTransport(vault, authority)
        length = len((await transport.send(read(authority))).body)
        assert (await transport.send(read(authority, max_body=length))).status == 200
        with pytest.raises(BodyTooLargeError) as large:
            await transport.send(read(authority, max_body=length - 1))
    assert (large.value.phase, large.value.maybe_sent) == ("body", True)
    assert TOKENS["slack"] not in repr(large.value)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_one_event_loop_after_the_other_may_use_it(
    path: Path, authority: Authority, backend: str
) -> None:
    transport = InProcessTransport(path, authority)

    async def send() -> Response:
        return await transport.send(read(authority))

    for _ in range(2):
        assert anyio.run(send, backend=backend).status == 404
    anyio.run(transport.aclose, backend=backend)


FORKING = """
import os, sys
import anyio
from connectors.local import local_credentials
from transports import ForkedProcessError, Request

transport = local_credentials(vault=sys.argv[1]).transport
request = Request("GET", "http://local.invalid/")
assert anyio.run(transport.send, request).status == 404
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
    assert anyio.run(transport.send, request).status == 404
    anyio.run(transport.aclose)
else:
    try:
        anyio.run(transport.send, request)
    except ForkedProcessError as error:
        assert not error.maybe_sent
        assert "make a new client" in str(error)
    else:
        raise AssertionError("a child may not use it")
"""


def test_a_forked_child_is_told_to_make_its_own(path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKING, path], cwd=ROOT, check=True, timeout=60)

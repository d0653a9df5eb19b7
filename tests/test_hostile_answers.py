"""Whatever the service says over a real socket, a call gives a connection or one of our errors."""

import gzip
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import (
    Client,
    Connection,
    ConnectorsError,
    MalformedResponseError,
    NoAnswerError,
    RedirectError,
    ServerError,
    TimedOutError,
    UnauthorizedError,
    UnreachableError,
)
from tests.loops import REAL, on
from tests.service import ACCESS_TOKEN, CONNECTED, PLANTED, SERVICE_TOKEN
from tests.transports.raw_server import (
    Peer,
    Script,
    Server,
    endless,
    holding,
    repeating,
    resetting,
    saying,
    serving,
    silent,
)
from tests.transports.test_aiohttp_any_bytes import SAID
from transports.aiohttp import AiohttpTransport

pytestmark = on(REAL)


def answer(body: bytes, *fields: str, status: str = "200 OK", length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {length}", "", ""]
    return "\r\n".join(lines).encode() + body


def connected(token: str) -> bytes:
    return json.dumps({**CONNECTED, "access_token": token}).encode()


GOOD = answer(connected(ACCESS_TOKEN), "Content-Type: application/json")
HALF = answer(connected(ACCESS_TOKEN), length=999)
LATIN = "Content-Type: application/json; charset=iso-8859-1"
GZIP = "Content-Encoding: gzip"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def client_of(url: str, *, seconds: float = 20) -> AsyncIterator[Client]:
    transport = AiohttpTransport(limit=1, limit_per_host=1)
    client = Client(
        app_id="my-app",
        service_token=SERVICE_TOKEN,
        server_url=url,
        transport=transport,
        timeout=seconds,
        retry=False,
    )
    try:
        yield client
    finally:
        await client.aclose()
        await transport.aclose()


async def ask(client: Client) -> Connection:
    return await client.as_service_role.connectors.get_connection("slack")


def at_first(script: Script) -> Script:
    """Answer the first request so, and those after it well."""

    async def choose(peer: Peer) -> None:
        await (repeating(GOOD) if peer.server.messages else script)(peer)

    return choose


READABLE = {
    "a byte order mark": answer(b"\xef\xbb\xbf" + connected("t-1")),
    "another charset in its name only": answer(connected("t-1"), LATIN),
    "no content type": answer(connected("t-1")),
    "text/html": answer(connected("t-1"), "Content-Type: text/html"),
    "the same key twice": answer(b'{"access_token": "t-0", "access_token": "t-1"}'),
    "gzip": answer(gzip.compress(connected("t-1")), GZIP),
    "after hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(connected("t-1")),
    "201": answer(connected("t-1"), status="201 Created"),
}


@pytest.mark.parametrize("data", READABLE.values(), ids=READABLE)
async def test_an_odd_answer_that_can_be_read_is_a_connection(data: bytes) -> None:
    async with serving(saying(data)) as server, client_of(server.url) as client:
        connection = await ask(client)
    assert connection.access_token == "t-1"


@attrs.frozen
class Case:
    script: Script
    error: type[ConnectorsError]
    words: str = ""


def malformed(words: str, body: bytes, *fields: str, status: str = "200 OK") -> Case:
    return Case(saying(answer(body, *fields, status=status)), MalformedResponseError, words)


BOMB = gzip.compress(bytes(50 * 1024 * 1024), 1)

CASES = {
    "HTML": malformed("it is not JSON", b"<!doctype html><title>Sign in</title>"),
    "nothing": malformed("it is empty", b""),
    "204": malformed("", connected("t-1"), status="204 No Content"),
    "JSON that is too deep": malformed("nested too deeply", b"[" * 100_000 + b"]" * 100_000),
    "objects that are too deep": malformed("nested too deeply", b'{"a":' * 100_000),
    "NaN": malformed("NaN", b'{"access_token": "t-1", "x": NaN}'),
    "a number that is too large": malformed("too large", b'{"access_token": "t-1", "x": 1e999}'),
    "another charset": malformed("it is not UTF-8", b'{"access_token": "caf\xe9"}', LATIN),
    "UTF-16": malformed("it is not UTF-8", connected("t-1").decode().encode("utf-16")),
    "a number for a string": malformed("not a string @ $.access_token", b'{"access_token": 5}'),
    "a list": malformed("not an object @ $", b"[]"),
    "half of gzip": malformed("cannot be decoded", gzip.compress(connected("t-1"))[:-9], GZIP),
    "no gzip": malformed("cannot be decoded", connected("t-1"), GZIP),
    "more than it may be": malformed("larger than max_body", BOMB, GZIP),
    "no HTTP": Case(saying(b"SSH-2.0-OpenSSH_9.9\r\n"), MalformedResponseError, "not HTTP"),
    "a wrong chunk": Case(saying(CHUNKED + b"ZZ\r\n"), MalformedResponseError, "not HTTP"),
    "a wrong chunk, and then silence": Case(
        holding(CHUNKED + b"ZZ\r\n"), MalformedResponseError, "not HTTP"
    ),
    "hints and no more": Case(saying(b"HTTP/1.1 103 Early Hints\r\n\r\n"), UnreachableError),
    "half of it": Case(saying(HALF), UnreachableError),
    "a reset": Case(resetting(b""), UnreachableError),
    "a reset in the middle": Case(resetting(GOOD[:-9]), UnreachableError),
    "a refusal in HTML": Case(
        saying(answer(b"<html>", status="401 Unauthorized")), UnauthorizedError
    ),
    "a fault in HTML": Case(saying(answer(b"<html>", status="502 Bad Gateway")), ServerError),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_another_answer_is_the_right_error_and_the_next_call_works(case: Case) -> None:
    async with serving(at_first(case.script)) as server, client_of(server.url) as client:
        error = await failure(client, case.error)
        assert case.words in error.message
        assert getattr(error, "maybe_sent", True)
        assert (await ask(client)).access_token == ACCESS_TOKEN
    assert len(server.messages) == 2


async def failure(client: Client, kind: type[ConnectorsError]) -> ConnectorsError:
    with pytest.raises(ConnectorsError) as caught:
        await ask(client)
    assert type(caught.value) is kind
    shown = f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert not [secret for secret in PLANTED if secret in shown]
    return caught.value


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(silent, id="silence"),
        pytest.param(holding(HALF), id="silence in the middle"),
        pytest.param(endless(HALF, b" ", every=0.1), id="a blank now and then"),
        pytest.param(Peer.gone, id="not even read"),
    ],
)
async def test_a_service_that_never_comes_to_an_end_has_the_time_of_the_call(
    script: Script,
) -> None:
    async with serving(script) as server, client_of(server.url, seconds=0.5) as client:
        began = anyio.current_time()
        error = await failure(client, TimedOutError)
        assert anyio.current_time() - began < 5
    assert isinstance(error, NoAnswerError)


async def test_nobody_there_is_an_error_that_says_that_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with client_of(f"http://127.0.0.1:{port}") as client:
        error = await failure(client, UnreachableError)
    assert isinstance(error, NoAnswerError)
    assert not error.maybe_sent


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "where",
    [
        pytest.param(lambda other: f"Location: {other.url}/", id="a URL"),
        pytest.param(lambda other: f"Location: //127.0.0.1:{other.port}/", id="a host"),
        pytest.param(lambda other: f"Refresh: 0; url={other.url}/", id="a refresh"),
    ],
)
async def test_no_credential_and_no_request_follows_a_redirect(
    status: int, where: Callable[[Server], str]
) -> None:
    async with serving(repeating(GOOD)) as other:
        moved = answer(b"", where(other), status=f"{status} Moved")
        async with serving(at_first(saying(moved))) as server, client_of(server.url) as client:
            error = await failure(client, RedirectError)
            assert error.status == status
            assert (await ask(client)).access_token == ACCESS_TOKEN
    assert other.connections == 0
    assert len(server.messages) == 2


BODIES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([connected("t-1"), b'{"access_token": 1}', b'{"access_token": "t"}', b"[]"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode()),
)
STATUSES = st.sampled_from(["200 OK", "201 Created", "302 Found", "401 No", "404 No", "503 Busy"])
FIELDS = st.lists(st.sampled_from([GZIP, LATIN, "Retry-After: 1", "Connection: close"]), max_size=2)
ANSWERS = st.builds(lambda b, f, s: answer(b, *f, status=s), BODIES, FIELDS, STATUSES)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(said=SAID | ANSWERS.map(lambda one: [one]))
async def test_whatever_the_service_says_it_is_a_connection_or_one_of_our_errors(
    said: list[bytes],
) -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        for piece in said:
            await peer.say(piece)

    async with serving(script) as server, client_of(server.url) as client:
        try:
            outcome: object = await ask(client)
        except ConnectorsError as error:
            outcome = error
    assert isinstance(outcome, Connection | ConnectorsError)
    # It said all that it had to say and closed: nobody has to wait for more.
    assert not isinstance(outcome, TimedOutError)

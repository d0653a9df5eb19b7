"""Planted tokens are nowhere: not in a repr, an error, a pickle, a traceback, a log or a file."""

import copy
import json
import logging
import pickle
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from structlog.tracebacks import ExceptionDictTransformer

import connectors
import transports
from connectors import (
    Client,
    ConnectorsError,
    ForbiddenError,
    MalformedResponseError,
    MeteredConnectorError,
    NotConnectedError,
    OutOfCreditsError,
    RateLimitedError,
    ReconnectRequiredError,
    RedirectError,
    ServerError,
    ServiceError,
    TimedOutError,
    UnauthorizedError,
    UnreachableError,
)
from connectors.local import Vault
from tests.environment import environment
from tests.loops import REAL, VIRTUAL, on
from tests.service import (
    ACCESS_TOKEN,
    API_KEY,
    CONNECTED,
    PLANTED,
    SERVICE_TOKEN,
    USER_TOKEN,
    answers,
    client,
    in_turn,
)
from transports import (
    ConnectError,
    Headers,
    ReadTimeoutError,
    Request,
    Response,
    Secret,
    TransportError,
)
from transports.mock import MockTransport, json_response

# Each token in the encodings in which it could come out again.
FORMS = [
    form
    for token in PLANTED
    for form in (token, quote(token, safe=""), b64encode(token.encode()).decode().rstrip("="))
]


def assert_clean(*shown: object) -> None:
    for thing in shown:
        text = thing if isinstance(thing, str) else repr(thing)
        assert [form for form in FORMS if form in text] == []


def rendered(error: BaseException) -> str:
    """The traceback as structlog prints it for a log, with the locals of every frame."""
    transform = ExceptionDictTransformer(show_locals=True, locals_max_string=100_000)
    return json.dumps(transform((type(error), error, error.__traceback__)))


@pytest.fixture
def events() -> Iterator[list[str]]:
    """Everything that is logged, at every level, by structlog and by the standard library."""
    written: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage())

    keep, root = Keep(), logging.getLogger()
    level = root.level
    root.addHandler(keep)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(keep)
    root.setLevel(level)


ECHO = " ".join(PLANTED)
"""What a careless server writes into its error text."""

ECHOED = {
    "detail": f"Bad token {ECHO}",
    "message": f"Bad token: Bearer {SERVICE_TOKEN}",
    "error": {"code": f"code-{API_KEY}"},
    "access_token": ACCESS_TOKEN,
    "nested": [{SERVICE_TOKEN: {"token": ACCESS_TOKEN, "url": quote(f"/?t={USER_TOKEN}")}}],
    "basic": b64encode(f"user:{SERVICE_TOKEN}".encode()).decode(),
}


def refusal(status: int, code: str | None = None) -> Response:
    headers = {"X-Base44-Connector-Error": code} if code else {}
    named = {"code": code} if code else {}
    return json_response({**ECHOED, "error": named}, status, {**headers, "X-Echo": ECHO})


ERRORS: dict[str, tuple[Response | TransportError, type[ConnectorsError]]] = {
    "301": (
        Response(301, {"location": f"https://x/{SERVICE_TOKEN}?t={ACCESS_TOKEN}"}),
        RedirectError,
    ),
    "400": (refusal(400), ServiceError),
    "401": (refusal(401), UnauthorizedError),
    "402": (refusal(402), OutOfCreditsError),
    "403": (refusal(403), ForbiddenError),
    "403 metered": (refusal(403, "metered_connector_requires_proxy"), MeteredConnectorError),
    "404": (refusal(404, "NOT_FOUND"), NotConnectedError),
    "409": (refusal(409, "RECONNECT_REQUIRED"), ReconnectRequiredError),
    "429": (refusal(429), RateLimitedError),
    "500": (refusal(500), ServerError),
    "no JSON": (Response(200, body=ACCESS_TOKEN.encode()), MalformedResponseError),
    "wrong type": (
        json_response({"access_token": ACCESS_TOKEN, "connection_config": {"a": 1}}),
        MalformedResponseError,
    ),
    "token with a line break": (
        json_response({"access_token": f"{ACCESS_TOKEN}\n"}),
        MalformedResponseError,
    ),
    "unreachable": (
        ConnectError("No", method="GET", url="u", phase="connect", maybe_sent=False),
        UnreachableError,
    ),
    "timed out": (
        ReadTimeoutError("Late", method="GET", url="u", phase="headers", maybe_sent=True),
        TimedOutError,
    ),
}


async def provoked(answer: Response | TransportError) -> ConnectorsError:
    transport = MockTransport(in_turn(*[answer] * 3))
    try:
        await client(transport).as_service_role.connectors.get_current_app_user_connection("c")
    except ConnectorsError as error:
        return error
    raise AssertionError


@on(VIRTUAL)
@pytest.mark.parametrize("cause", ERRORS)
async def test_no_error_holds_a_token_even_when_the_server_echoes_it(
    cause: str, events: list[str]
) -> None:
    answer, kind = ERRORS[cause]
    error = await provoked(answer)
    assert type(error) is kind
    assert_clean(error, str(error), json.dumps(error.to_dict()), error.data, vars(error))
    assert_clean(rendered(error), *events)
    pickled = pickle.dumps(error)
    assert [token for token in PLANTED if token.encode() in pickled] == []
    for again in (pickle.loads(pickled), copy.copy(error), copy.deepcopy(error)):
        assert (type(again), str(again), again.to_dict()) == (kind, str(error), error.to_dict())
        assert_clean(again)
    assert any("connectors.error" in event for event in events)


GATEWAY = "gateway-3d0e81"
EXTRA: dict[str, str | Secret] = {
    "X-Gateway": Secret(GATEWAY),
    "X-Pin": Secret("q7z9"),
    "X-Auth-Token": "header-token-77ac",
    "X-Api-Key": "header-key-1c99",
    "Session-Id": "header-session-a1",
    "X-Password": " header-password-4 ",
    "Proxy-Authorization": "Basic aGVhZGVyOmJhc2lj",
    "X-Forwarded-Auth": Secret("Scheme header-scheme-5b"),
    "X-Trace": "trace-1",
    "X-Short-Key": "abc",
}
STATE = "opaque-state-0d1f"
SENT = (
    GATEWAY,
    "q7z9",
    "header-token-77ac",
    "header-key-1c99",
    "header-session-a1",
    "header-password-4",
    "aGVhZGVyOmJhc2lj",
    "header-scheme-5b",
    STATE,
)


async def provoked_by(view: Client) -> ConnectorsError:
    with pytest.raises(ServiceError) as caught:
        await view.as_service_role.connectors.get_connection("slack")
    return caught.value


@on(VIRTUAL)
@pytest.mark.parametrize("make", ["Client", "from_request", "from_env"])
async def test_what_a_program_and_a_request_add_is_in_no_error_when_the_server_echoes_it(
    make: str, events: list[str]
) -> None:
    echo = {"detail": f"a {' '.join(SENT)} b, trace-1 abc", "data": [*SENT, quote(GATEWAY)]}
    transport = MockTransport(lambda _: json_response(echo, 400, {"X-Echo": " ".join(SENT)}))
    incoming = {"Base44-App-Id": "my-app", "Base44-State": STATE}
    service = {"Base44-Service-Authorization": f"Bearer {SERVICE_TOKEN}"}
    if make == "Client":
        view = client(transport, headers=EXTRA).for_request(incoming)
    elif make == "from_request":
        view = Client.from_request({**incoming, **service}, transport=transport, headers=EXTRA)
    else:
        with environment(BASE44_APP_ID="my-app", BASE44_SERVICE_TOKEN=SERVICE_TOKEN):
            ours = Client.from_env(transport=transport, headers=EXTRA)
        view = ours.for_request(incoming)
    error = await provoked_by(view)
    shown = [repr(error), str(error), json.dumps(error.to_dict()), rendered(error), *events]
    assert [value for value in SENT if any(value in text for text in shown)] == []
    assert error.message == f"a {' '.join(['[redacted]'] * len(SENT))} b, trace-1 abc"


@on(VIRTUAL)
async def test_who_sends_a_code_as_state_does_not_change_what_it_means() -> None:
    missing = answers({"detail": "No", "code": "NOT_FOUND"}, 404)
    error = await provoked_by(client(missing).for_request({"Base44-State": "NOT_FOUND"}))
    assert (type(error), error.code) == (NotConnectedError, "[redacted]")


@on(VIRTUAL)
async def test_no_event_holds_a_token() -> None:
    with structlog.testing.capture_logs() as written:
        transport = MockTransport(in_turn(refusal(503), json_response(CONNECTED), refusal(401)))
        connectors = client(transport).as_service_role.connectors
        await connectors.get_connection("slack")
        with pytest.raises(UnauthorizedError):
            await connectors.get_current_app_user_connection("c")
    assert {event["event"] for event in written} >= {
        "connectors.request",
        "connectors.retry",
        "connectors.error",
    }
    assert_clean(*written)


class Twice:
    """A request whose credentials come twice; its repr says nothing."""

    @property
    def headers(self) -> "Twice":
        return self

    def items(self) -> list[tuple[str, str]]:
        return [("Authorization", f"Bearer {USER_TOKEN}"), ("authorization", "Bearer x")]


class Careful(dict[str, str]):
    """Headers whose own repr says nothing, so that what is found is ours."""

    def __repr__(self) -> str:
        return "<headers>"


TWICE = Twice()
INCOMING = Careful({"Base44-App-Id": "a", "Authorization": f"Basic {USER_TOKEN}"})


BAD_INPUT: dict[str, Callable[[], object]] = {
    "service_token": lambda: client(answers({}), service_token=f"{SERVICE_TOKEN}\n"),
    "user_token": lambda: client(answers({}), user_token=f"{USER_TOKEN}\n"),
    "api_key": lambda: client(answers({}), api_key=f"{API_KEY} "),
    "a token as bytes": lambda: client(answers({}), service_token=SERVICE_TOKEN.encode()),
    "server_url": lambda: client(answers({}), server_url=f"https://u:{SERVICE_TOKEN}@x"),
    "app_id": lambda: client(answers({}), app_id=""),
    "timeout": lambda: client(answers({}), timeout=-1),
    "transport": lambda: Client(app_id="a", service_token=SERVICE_TOKEN, transport=1),  # type: ignore[arg-type]
    "headers": lambda: client(answers({}), headers=Careful({"X-Token": f"{SERVICE_TOKEN}\n"})),
    "headers beyond ASCII": lambda: client(
        answers({}), headers=Careful({"X-Token": f"{SERVICE_TOKEN}é"})
    ),
    "headers that are none": lambda: client(answers({}), headers=[("X-Token", SERVICE_TOKEN)]),
    "headers and timeout": lambda: client(
        answers({}), timeout=-1, headers=Careful({"X-Token": SERVICE_TOKEN})
    ),
    "headers of from_request": lambda: Client.from_request(
        {},
        headers=[("X-Token", SERVICE_TOKEN)],  # type: ignore[arg-type]
    ),
    "state": lambda: client(answers({})).for_request(Careful({"Base44-State": f"{API_KEY}é"})),
    "state with a line break": lambda: Client.from_request(
        Careful({"Base44-App-Id": "a", "Base44-State": f"{API_KEY}\n"})
    ),
    "from_request": lambda: Client.from_request(INCOMING),
    "no app": lambda: Client.from_request({"Authorization": f"Bearer {USER_TOKEN}"}),
    "for_request": lambda: client(answers({})).for_request(INCOMING),
    "twice": lambda: client(answers({})).for_request(TWICE),
    "other app": lambda: client(answers({})).for_request(
        {"Base44-App-Id": "x", "Authorization": f"Bearer {USER_TOKEN}"}
    ),
}


@pytest.mark.parametrize("mistake", BAD_INPUT)
def test_no_refusal_of_bad_input_shows_a_token_in_any_frame_of_ours(mistake: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        BAD_INPUT[mistake]()
    transform = ExceptionDictTransformer(show_locals=True, locals_max_string=100_000)
    stack = transform((caught.type, caught.value, caught.tb))
    ours = [
        frame
        for trace in stack
        for frame in trace["frames"]
        if f"{Path(connectors.__file__).parent}" in frame["filename"]
        or f"{Path(transports.__file__).parent}" in frame["filename"]
    ]
    # What the caller's own frames hold, an argument as it was written, is the caller's.
    held = {"server_url": ["server_url", "url"]}
    for frame in ours:
        shown = {
            name: value
            for name, value in frame["locals"].items()
            if name not in held.get(mistake, [])
        }
        assert_clean(json.dumps(shown))
    assert ours
    assert_clean(str(caught.value))


@on(VIRTUAL)
async def test_the_repr_of_every_public_object() -> None:
    ours = client(answers(CONNECTED))
    connection = await ours.as_service_role.connectors.get_connection("slack")
    configured = connectors.Connection(ACCESS_TOKEN, {"developer_token": ACCESS_TOKEN})
    call = connectors.ApiResponse(
        success=True, phase="responded", data=ACCESS_TOKEN, headers={"x": ACCESS_TOKEN}
    )
    request = Request(
        "POST",
        f"https://x.example/?code={ACCESS_TOKEN}",
        {"Authorization": f"Bearer {SERVICE_TOKEN}", "api_key": API_KEY},
        USER_TOKEN.encode(),
    )
    response = Response(200, {"set-cookie": ACCESS_TOKEN}, ACCESS_TOKEN.encode())
    assert_clean(
        ours,
        ours.for_request({"Authorization": f"Bearer {USER_TOKEN}"}),
        ours.as_service_role,
        ours.as_service_role.connectors,
        ours.connectors,
        ours.management,
        vars(ours),
        ours._view,
        ours._view.engine,
        vars(ours._view.engine),
        ours._view.identity,
        ours._view.requests,
        connection,
        str(connection),
        f"{connection}",
        configured,
        call,
        connectors.Authorization(redirect_url=f"https://x.example/?state={ACCESS_TOKEN}"),
        request,
        request.headers,
        str(request.headers),
        response,
        Headers({"X-Anything": ACCESS_TOKEN}),
        Secret(ACCESS_TOKEN),
        str(Secret(ACCESS_TOKEN)),
        f"{Secret(ACCESS_TOKEN)}",
        MockTransport(),
        connectors.RetryPolicy(),
    )


def test_a_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret(SERVICE_TOKEN))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Headers({"Authorization": SERVICE_TOKEN}))


def command(*arguments: str, vault: Path, typed: str = "") -> str:
    """What the command prints, on both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "connectors", *arguments, "--vault", str(vault)],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


@on(REAL[:1])
async def test_neither_the_command_nor_the_vaults_files_show_a_token(tmp_path: Path) -> None:
    vault = tmp_path / "vault" / "vault.db"
    shown = [
        command("connect", "slack", vault=vault, typed=f"{ACCESS_TOKEN}\n"),
        command("connect", "slack", vault=vault, typed=f"{ACCESS_TOKEN}\n{ACCESS_TOKEN}\n"),
        command("connect", "nothing", vault=vault, typed=ACCESS_TOKEN),
        command("connect", "googleads", "--config", f"developer_token={API_KEY}", vault=vault),
        command("get", "slack", vault=vault),
        command("get", "slack", "--json", vault=vault),
        command("get", "github", vault=vault),
        command("list", vault=vault),
        command("list", "--json", vault=vault),
    ]
    assert_clean(*shown)
    assert ACCESS_TOKEN in command("get", "slack", "--reveal", vault=vault)
    files = [path for path in vault.parent.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert [form for form in FORMS if form.encode() in path.read_bytes()] == []
    async with Vault(vault) as opened, Client.local(vault=opened) as base44:
        connection = await base44.as_service_role.connectors.get_connection("slack")
        assert connection.access_token == ACCESS_TOKEN
        assert_clean(opened, connection, base44)

"""Events reach whoever asked for them, and nobody else hears a thing."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from typing import TypeAlias

import pytest
import structlog

from connectors import NotConnectedError
from connectors._events import emit
from tests.loops import VIRTUAL, on
from tests.service import PLANTED, client, in_turn
from transports import Response
from transports.mock import json_response

Event: TypeAlias = MutableMapping[str, object]


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


class Kept:
    """A processor that keeps what comes to it and lets nothing through."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, _logger: object, method: str, event: Event) -> str:
        self.events.append({**event, "level": method})
        raise structlog.DropEvent


def test_an_application_with_structlog_gets_facts_as_keys(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept()
    structlog.configure(processors=[kept])
    with caplog.at_level(logging.DEBUG):
        emit("debug", "connectors.request", attempt=1, status=None, url="https://x")
        emit("info", "connectors.retry", delay=0.5)
        emit("warning", "connectors.retry_budget_exhausted", origin="https://x")
    assert kept.events == [
        {
            "event": "connectors.request",
            "level": "debug",
            "attempt": 1,
            "status": None,
            "url": "https://x",
        },
        {"event": "connectors.retry", "level": "info", "delay": 0.5},
        {
            "event": "connectors.retry_budget_exhausted",
            "level": "warning",
            "origin": "https://x",
        },
    ]
    # Once, and not a second time by the standard library.
    assert caplog.records == []
    assert capsys.readouterr() == ("", "")


def test_the_application_s_own_level_and_context_hold() -> None:
    kept = Kept()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, kept],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    with structlog.contextvars.bound_contextvars(job="j-1"):
        emit("debug", "connectors.request")
        emit("info", "connectors.retry")
    assert kept.events == [{"event": "connectors.retry", "level": "info", "job": "j-1"}]


def test_structlog_on_the_standard_library_knows_whose_event_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    with caplog.at_level(logging.INFO, "connectors"):
        emit("info", "connectors.retry", attempt=2)
    [record] = caplog.records
    assert (record.name, record.levelname) == ("connectors", "INFO")
    assert json.loads(record.getMessage()) == {"event": "connectors.retry", "attempt": 2}


@pytest.mark.parametrize(
    "wrapper",
    [
        structlog.BoundLogger,
        structlog.stdlib.BoundLogger,
        structlog.stdlib.AsyncBoundLogger,
        structlog.make_filtering_bound_logger(logging.DEBUG),
    ],
    ids=["generic", "stdlib", "async", "filtering"],
)
def test_every_wrapper_of_structlog_writes_at_once(wrapper: type) -> None:
    kept = Kept()
    structlog.configure(processors=[kept], wrapper_class=wrapper)
    emit("info", "connectors.retry", attempt=1)
    assert [event["event"] for event in kept.events] == ["connectors.retry"]


def test_a_logger_that_answers_to_every_name_writes_too() -> None:
    written = structlog.testing.CapturingLoggerFactory()
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=written,
        wrapper_class=structlog.BoundLogger,
    )
    emit("info", "connectors.retry", attempt=1)
    [call] = written.logger.calls
    assert (call.method_name, json.loads(call.args[0])["attempt"]) == ("info", 1)


@pytest.mark.parametrize("level", ["debug", "info"])
def test_nobody_hears_of_what_is_below_a_warning(
    level: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    emit(level, "connectors.request", attempt=1)  # type: ignore[arg-type]
    assert caplog.records == []
    assert capsys.readouterr() == ("", "")


def test_without_structlog_configured_the_standard_library_gets_a_line_of_facts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "connectors"):
        emit("debug", "connectors.request", attempt=1, url="https://x/a b", failure=None)
        emit("info", "connectors.retry", delay=0.25, is_last=True)
        emit("warning", "connectors.retry_budget_exhausted", origin="https://x")
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        ("connectors", "DEBUG", 'event=connectors.request attempt=1 url="https://x/a b"'),
        ("connectors", "INFO", "event=connectors.retry delay=0.25 is_last"),
        ("connectors", "WARNING", "event=connectors.retry_budget_exhausted origin=https://x"),
    ]


def test_a_percent_sign_in_a_fact_is_no_format(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "connectors"):
        emit("debug", "connectors.request", url="https://x/a%2Fb%s%d")
    assert caplog.messages == ["event=connectors.request url=https://x/a%2Fb%s%d"]


HOSTILE = "a\nlevel=critical\x1b[2J\u2028\u202eb\ud800"
HARMLESS = "a\\nlevel=critical\\x1b[2J\\u2028\\u202eb\\ud800"


def test_a_fact_in_a_server_s_words_does_nothing_to_a_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "connectors"):
        emit("info", "connectors.error", code=HOSTILE)
    [line] = caplog.messages
    assert line.isprintable()
    kept = Kept()
    structlog.configure(processors=[kept])
    emit("info", "connectors.error", code=HOSTILE)
    assert kept.events[0]["code"] == HARMLESS


@on(VIRTUAL)
async def test_a_call_tells_its_story_without_a_secret() -> None:
    kept = Kept()
    structlog.configure(processors=[kept])
    missing = {"detail": f"No {' '.join(PLANTED)}", "code": "NOT_FOUND"}
    transport = in_turn(Response(503), json_response(missing, 404))
    with pytest.raises(NotConnectedError) as caught:
        await client(transport).as_service_role.connectors.get_connection("slack")
    assert [(event["event"], event["level"], event["status"]) for event in kept.events] == [
        ("connectors.request", "debug", 503),
        ("connectors.retry", "info", 503),
        ("connectors.request", "debug", 404),
        ("connectors.error", "info", 404),
    ]
    assert {event["request_id"] for event in kept.events} == {caught.value.request_id}
    assert [token for token in PLANTED if token in repr(kept.events)] == []


def ran(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True, timeout=120
    )


PROGRAM = """
import anyio, sys
import connectors
from transports import Response
from transports.mock import MockTransport

async def main():
    transport = MockTransport(lambda request: Response(404, body=b'{"code": "NOT_FOUND"}'))
    async with connectors.Client(
        app_id="a", service_token="s-1234567890", transport=transport
    ) as client:
        try:
            await client.as_service_role.connectors.get_connection("slack")
        except connectors.NotConnectedError:
            pass

anyio.run(main)
assert not [name for name in sys.modules if name.split(".")[0] == "structlog"]
"""


def test_a_program_that_never_heard_of_structlog_neither_loads_it_nor_hears_of_us() -> None:
    done = ran(PROGRAM)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_program_that_imports_structlog_and_leaves_it_alone_hears_nothing() -> None:
    done = ran("import structlog\n" + PROGRAM.rpartition("assert")[0])
    assert (done.stdout, done.stderr) == ("", "")


def test_a_warning_is_a_line_on_the_terminal_of_a_program_without_logging() -> None:
    done = ran(
        "from connectors._events import emit\n"
        "emit('warning', 'connectors.retry_budget_exhausted', origin='https://x')"
    )
    line = "event=connectors.retry_budget_exhausted origin=https://x\n"
    assert (done.stdout, done.stderr) == ("", line)

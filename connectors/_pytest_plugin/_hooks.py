"""What pytest calls: options, the guard around each test, the fixtures, and the summary.

A problem that the program has swallowed is raised again when the phase ends in which it came up:
so the test fails, and not the one after it. A test that fails by itself keeps its own error as the
cause, because that is most often a consequence.

Every session of whoever has the SDK installed loads this, with whatever pytest is there: what
pytest 7 does not have stands in quotes.
"""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from connectors._pytest_plugin._guard import Guard
    from connectors.testing import MockConnectors
    from transports.replay import ReplayTransport

_MODES: Final = ("none", "once", "new_episodes", "all")
_SWITCH: Final = ("auto", "off", "on")
_KIT: Final = frozenset({"connectors_cassette", "mock_connectors"})

_GUARD: "Final[pytest.StashKey[Guard]]" = pytest.StashKey()
_STRAYS: Final = pytest.StashKey[list[str]]()
_HINT: Final = pytest.StashKey[Callable[[BaseException], None]]()
_CHECKS: Final = pytest.StashKey[list[Callable[[], AssertionError | None]]]()
_PASSED: Final = pytest.StashKey[bool]()
_CASSETTE: Final = pytest.StashKey[dict[str, object]]()

_TOLD: Final = "connectors_cassette"
"""The attribute of a report that has it: one goes from a worker of pytest-xdist to the summary."""

_OUTCOMES: Final = (pytest.fail.Exception, pytest.skip.Exception, pytest.xfail.Exception)
"""How a test ends itself; no `Exception`, all of them."""

_MARKERS: Final = (
    "connectors_allow_network: let the test reach other machines",
    "connectors_cassette(**settings): settings of the ReplayTransport, such as ordered=True",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("connectors", "base44-connectors")
    group.addoption(
        "--connectors-record",
        choices=_MODES,
        help="what the fixture connectors_cassette records: nothing (none, the default), what has "
        "no file yet (once), what its file does not have (new_episodes), or everything (all); "
        "without this option the environment variable BASE44_RECORD_MODE decides",
    )
    parser.addini(
        "connectors_guard",
        "fail a test that connects to another machine: on, off, or auto, which is on when a test "
        "of the session uses a fixture of the testing kit of base44-connectors",
        default="auto",
    )
    parser.addini(
        "connectors_allow_hosts",
        "names, addresses and networks that the guard lets a test reach besides this machine",
        type="linelist",
    )


def pytest_configure(config: pytest.Config) -> None:
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    _one_of(_SWITCH, "connectors_guard", config.getini("connectors_guard"))
    _one_of(_MODES, "BASE44_RECORD_MODE", _record_mode(config))


@pytest.hookimpl(tryfirst=True)  # Before some are deselected: that a test is left out is no reason.
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    switch = config.getini("connectors_guard")
    if switch == "on" or (switch == "auto" and any(map(_uses_the_kit, items))):
        _start_guard(config)


def _uses_the_kit(item: pytest.Item) -> bool:
    return not _KIT.isdisjoint(getattr(item, "fixturenames", ()))


def _start_guard(config: pytest.Config) -> None:
    from connectors._pytest_plugin._guard import Guard  # noqa: PLC0415 - not everybody has one.
    from connectors._pytest_plugin._hosts import Hosts  # noqa: PLC0415 - the same.

    try:
        hosts = Hosts(config.getini("connectors_allow_hosts"))
    except ValueError as error:
        raise pytest.UsageError(f"connectors_allow_hosts: {error}") from None
    guard = config.stash[_GUARD] = Guard(hosts, str(config.rootpath))
    until_the_end = ExitStack()
    until_the_end.enter_context(guard.on())
    config.add_cleanup(until_the_end.close)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    __tracebackhide__ = True
    checks = item.stash[_CHECKS] = []
    item.stash[_PASSED] = False
    guard = item.config.stash.get(_GUARD, None)
    if guard is not None:
        is_open = item.get_closest_marker("connectors_allow_network") is not None
        guard.begin(item.nodeid, is_open=is_open)
        checks.append(guard.take)
    return (yield from _checked(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    __tracebackhide__ = True
    result = yield from _checked(item)
    # Not where it was interrupted: its fixtures are finished all the same.
    item.stash[_PASSED] = True
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    __tracebackhide__ = True
    try:
        return (yield from _checked(item))
    finally:
        guard = item.config.stash.get(_GUARD, None)
        if guard is not None:
            guard.end()


def _checked(item: pytest.Item) -> Generator[None, object, object]:
    """Run one phase of a test, and raise what was swallowed in it."""
    __tracebackhide__ = True
    try:
        result = yield
    except (Exception, *_OUTCOMES) as error:
        item.stash.get(_HINT, _no_hint)(error)
        problem = _problem(item)
        if problem is None or isinstance(error, type(problem)):
            raise
        raise problem from error
    problem = _problem(item)
    if problem is not None:
        raise problem
    return result


def _problem(item: pytest.Item) -> AssertionError | None:
    # Each is asked, so that none tells the next phase of this one.
    problems = [check() for check in item.stash.get(_CHECKS, [])]
    return next(filter(None, problems), None)


@pytest.fixture
def mock_connectors(request: pytest.FixtureRequest) -> "MockConnectors":
    """Connections from the test's own words: `mock_connectors["slack"] = "xoxb-test"`.

    Give `mock_connectors.client` to the program. A request that the test did not provide for fails
    the test, also when the program has swallowed the error.
    """
    from connectors.testing import MockConnectors  # noqa: PLC0415 - not everybody uses it.

    mock = MockConnectors()
    request.node.stash.setdefault(_CHECKS, []).append(
        partial(_error_of, mock.assert_nothing_unexpected)
    )
    return mock


@pytest.fixture
def connectors_cassette(request: pytest.FixtureRequest) -> Iterator["ReplayTransport"]:
    """Answers recorded in `cassettes/<test file>/<test>.json`: a transport for a client.

    Nothing is recorded without `--connectors-record` or `BASE44_RECORD_MODE`, and only what a test
    that passes has recorded is kept. A request without an
    answer fails the test, also when the program has swallowed the error; and where nothing is
    recorded, a test that passes has to use all that the cassette holds. Arguments of the mark
    `connectors_cassette` go to the `ReplayTransport`.
    """
    from connectors._pytest_plugin import _cassettes  # noqa: PLC0415 - the same.
    from connectors._recordings import report  # noqa: PLC0415 - the same.

    __tracebackhide__ = True
    item, guard = request.node, request.config.stash.get(_GUARD, None)
    marker = item.get_closest_marker("connectors_cassette")
    settings = _cassettes.settings_in(marker) if marker else {}
    transport = _cassettes.cassette(item, _record_mode(request.config), settings)
    item.stash[_HINT] = partial(_cassettes.add_hint, transport)
    if guard is not None and transport.records:
        guard.open = True
    yield transport
    passed = item.stash[_PASSED]
    item.stash[_CASSETTE] = _cassettes.told_of(transport, kept=passed)
    if not passed:
        # What it has recorded is the half of a test, or what went wrong: nothing to play from.
        transport.discard()
        return
    transport.save()
    if transport.recorded:
        report(transport.path)
    transport.assert_all_recorded()
    if not transport.records and not settings.get("allow_unused"):
        transport.assert_all_played()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "teardown" and _CASSETTE in item.stash:
        setattr(report, _TOLD, item.stash[_CASSETTE])
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    strays = config.stash.setdefault(_STRAYS, [])
    guard = config.stash.get(_GUARD, None)
    if guard is not None:
        strays += guard.take_strays()
    if hasattr(config, "workeroutput"):
        config.workeroutput["connectors_strays"] = strays
    if strays and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)  # It is pytest-xdist's.
def pytest_testnodedown(node: object) -> None:
    config, told = node.config, getattr(node, "workeroutput", {})  # type: ignore[attr-defined]
    config.stash.setdefault(_STRAYS, []).extend(told.get("connectors_strays", ()))


def pytest_terminal_summary(
    terminalreporter: "pytest.TerminalReporter", config: pytest.Config
) -> None:
    reports = chain.from_iterable(terminalreporter.stats.values())
    told = [getattr(report, _TOLD) for report in reports if hasattr(report, _TOLD)]
    strays = config.stash.setdefault(_STRAYS, [])
    if told or strays:
        from connectors._pytest_plugin._summary import summarize  # noqa: PLC0415 - the same.

        summarize(terminalreporter, told, strays)


def _error_of(check: Callable[[], None]) -> AssertionError | None:
    try:
        check()
    except AssertionError as error:
        return error.with_traceback(None)
    return None


def _no_hint(_: BaseException) -> None:
    return None


def _record_mode(config: pytest.Config) -> str:
    given: str | None = config.getoption("connectors_record")
    return given or os.environ.get("BASE44_RECORD_MODE") or _MODES[0]


def _one_of(values: Sequence[str], name: str, value: str) -> None:
    if value not in values:
        raise pytest.UsageError(f"{name} must be one of {', '.join(values)}, not {value!r}")

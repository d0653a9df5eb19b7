"""What the guard makes of each event, called by hand: a hook of Python's own is never traced."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connectors._pytest_plugin._guard import Guard, RealConnectionError, _heard
from connectors._pytest_plugin._hosts import Hosts

ROOT = str(Path(__file__).parents[2])
STREAM = SimpleNamespace(family=socket.AF_INET)
STREAM_6 = SimpleNamespace(family=socket.AF_INET6)
UNIX = SimpleNamespace(family=socket.AF_UNIX)
FOREIGN = ("192.0.2.1", 443)


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard(Hosts(), ROOT)
    guard.begin("test_a", is_open=False)
    with guard.on():
        yield guard


@pytest.mark.parametrize(
    ("event", "arguments", "told"),
    [
        ("socket.connect", (STREAM, FOREIGN), "connects to 192.0.2.1 port 443"),
        ("socket.connect", (STREAM_6, ("2001:db8::1", 80, 0, 0)), "connects to 2001:db8::1 port"),
        ("socket.connect", (STREAM, ("a.example", 80)), "connects to a.example port 80"),
        ("socket.sendto", (STREAM, FOREIGN), "connects to 192.0.2.1"),
        ("socket.sendmsg", (STREAM, FOREIGN), "connects to 192.0.2.1"),
        ("socket.getaddrinfo", ("a.example", 80, 0, 0, 0), "looks up the name a.example"),
        ("socket.getaddrinfo", (b"a.example", 80, 0, 0, 0), "looks up the name a.example"),
        ("socket.getaddrinfo", (b"\xe9.example", 80, 0, 0, 0), "looks up the name"),
        ("socket.gethostbyname", ("a.example",), "looks up the name a.example"),
        ("socket.gethostbyaddr", ("a.example",), "looks up the name a.example"),
    ],
)
def test_what_leads_to_another_machine_is_refused_and_remembered(
    guard: Guard, event: str, arguments: Any, told: str
) -> None:
    with pytest.raises(RealConnectionError) as caught:
        _heard(event, arguments)
    assert str(caught.value).startswith(f"test_a {told}")
    taken = guard.take()
    assert taken is not None
    assert str(taken).startswith(f"test_a {told}")
    assert guard.take() is None


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", (STREAM, ("127.0.0.1", 80))),
        ("socket.connect", (STREAM, (b"127.0.0.1", 80))),
        ("socket.connect", (STREAM, (bytearray(b"localhost"), 80))),
        ("socket.connect", (STREAM_6, ("::1", 80, 0, 0))),
        ("socket.connect", (UNIX, "/run/a")),
        ("socket.connect", (UNIX, FOREIGN)),
        ("socket.sendmsg", (STREAM, None)),
        ("socket.getaddrinfo", (None, 80, 0, 0, 0)),
        ("socket.getaddrinfo", ("192.0.2.1", 80, 0, 0, 0)),
        ("socket.gethostbyaddr", ("127.0.0.1",)),
        ("socket.bind", (STREAM, FOREIGN)),
        ("open", ("a", "r", 0)),
    ],
)
def test_all_else_passes(guard: Guard, event: str, arguments: Any) -> None:
    _heard(event, arguments)
    assert guard.take() is None


def test_a_guard_that_is_open_or_off_lets_all_pass() -> None:
    guard = Guard(Hosts(), ROOT)
    with guard.on():
        guard.begin("test_a", is_open=True)
        _heard("socket.connect", (STREAM, FOREIGN))
    guard.begin("test_a", is_open=False)
    _heard("socket.connect", (STREAM, FOREIGN))
    assert guard.take() is None


def test_a_session_inside_of_another_has_a_guard_of_its_own(guard: Guard) -> None:
    inner = Guard(Hosts(["192.0.2.1"]), ROOT)
    with inner.on():
        _heard("socket.connect", (STREAM, FOREIGN))
    with pytest.raises(RealConnectionError):
        _heard("socket.connect", (STREAM, FOREIGN))


def connect() -> None:
    with pytest.raises(RealConnectionError):
        _heard("socket.connect", (STREAM, FOREIGN))


def test_the_same_attempt_is_told_once_and_each_other_too(guard: Guard) -> None:
    for _ in range(3):
        connect()
    with pytest.raises(RealConnectionError):
        _heard("socket.connect", (STREAM, ("198.51.100.1", 1)))
    assert str(guard.take()).count(" connects to ") == 2


def test_the_place_and_the_thread_are_told(guard: Guard) -> None:
    thread = threading.Thread(target=connect, name="mine")
    thread.start()
    thread.join()
    told = str(guard.take())
    assert " at tests/plugin/test_guard_checks.py:" in told
    assert " in the thread 'mine'." in told
    elsewhere = Guard(Hosts(), f"{ROOT}/elsewhere")
    elsewhere.begin("test_b", is_open=False)
    with elsewhere.on():
        connect()
    assert str(elsewhere.take()).startswith("test_b connects to 192.0.2.1 port 443.\n")


def test_a_place_is_in_the_project_and_not_beside_it(guard: Guard) -> None:
    beside = Guard(Hosts(), ROOT[:-1])
    with beside.on():
        connect()
    assert str(beside.take()).startswith(
        "Before the first test something connects to 192.0.2.1 port 443.\n"
    )


def test_what_comes_after_a_test_is_not_told_of_the_next(guard: Guard) -> None:
    guard.end()
    connect()
    guard.begin("test_b", is_open=False)
    assert guard.take() is None
    guard.end()
    with pytest.raises(RealConnectionError):
        _heard("socket.getaddrinfo", ("a.example", 80, 0, 0, 0))
    first, second = guard.take_strays()
    assert first.startswith("After test_a something connects to 192.0.2.1 port 443")
    assert second.startswith("After test_b something looks up the name a.example")
    assert guard.take_strays() == []

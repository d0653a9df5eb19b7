"""Which hosts a test may reach."""

import socket
from contextlib import suppress

import pytest

from connectors._pytest_plugin._hosts import Hosts


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "::",
        "localhost",
        "LocalHost.",
        "app.localhost",
        socket.gethostname(),
    ],
)
def test_this_machine_may_be_reached_however_it_is_called(host: str) -> None:
    assert Hosts().may_connect(host)
    assert Hosts().may_look_up(host)


@pytest.mark.parametrize(
    "host",
    [
        "192.0.2.1",
        "2001:db8::1",
        "::ffff:192.0.2.1",
        "fe80::1%eth0",
        "<broadcast>",
        "255.255.255.255",
        "224.0.0.1",
        "service.example",
        "localhost.example",
        "notlocalhost",
    ],
)
def test_no_other_may_be_reached(host: str) -> None:
    assert not Hosts().may_connect(host)


def test_an_address_of_this_machine_itself_may_be_reached() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, suppress(OSError):
        # Nothing is sent: the system only says from which address it would be.
        sock.connect(("198.51.100.1", 9))
        assert Hosts().may_connect(sock.getsockname()[0])


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "127.1", "0x7f.1"])
def test_a_number_is_looked_up_nowhere(host: str) -> None:
    assert Hosts().may_look_up(host)


@pytest.mark.parametrize("host", ["service.example", "localhost.example", "256.256.256.256"])
def test_a_name_of_another_machine_is_not_looked_up(host: str) -> None:
    assert not Hosts().may_look_up(host)


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.0/24", "192.0.2.77"),
        ("192.0.2.5/24", "192.0.2.77"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("2001:db8::/32", "2001:db8::7"),
        ("Service.Example", "service.example."),
        ("my_service", "my_service"),
    ],
)
def test_what_a_project_allows_may_be_reached(allowed: str, host: str) -> None:
    hosts = Hosts([allowed])
    assert hosts.may_connect(host)
    assert hosts.may_look_up(host)
    assert not hosts.may_connect("198.51.100.1")


def test_the_addresses_of_an_allowed_name_may_be_reached() -> None:
    # A name to us, and the system knows its address without asking anybody.
    hosts = Hosts(["no-such-name.invalid", "3221225985"])
    assert hosts.may_connect("192.0.2.1")
    assert not hosts.may_connect("198.51.100.1")


@pytest.mark.parametrize(
    "wrong", ["https://a.example", "a.example:443", "192.0.2.1:80", "", "*.example", "a b"]
)
def test_what_is_no_host_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="no host name, address or network"):
        Hosts([wrong])

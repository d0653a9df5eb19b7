"""Which hosts a test may reach: this machine, and those that its project allows.

A number needs no look-up, so none is refused there: it is refused when it is connected to. A name
is refused when it is looked up, before the question leaves the machine. The addresses of an allowed
name are only known by looking it up, which is done when something connects to one that is unknown.
"""

import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias, final

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_NAME: Final = re.compile(r"[\w.-]+")
_IPV4: Final = 4
_EVERYBODY: Final = IPv4Address("255.255.255.255")
_LOCAL_NAMES: Final = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})


@final
class Hosts:
    """Tells which hosts may be reached.

    Args:
        allowed: Names, addresses and networks besides this machine.

    Raises:
        ValueError: One of them is none of the three.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._names: set[str] = set()
        self._networks: list[Network] = []
        for host in allowed:
            self._allow(host)

    def may_look_up(self, name: str) -> bool:
        """May this be looked up?"""
        plain = _plain(name)
        return _is_number(plain) or _is_local(plain) or plain in self._names

    def may_connect(self, host: str) -> bool:
        """May a connection be made to this name or address?"""
        address = _address(_plain(host))
        if address is None:
            return self.may_look_up(host)
        return _is_here(address) or self._is_allowed(address) or self._is_allowed_name(address)

    def _allow(self, host: str) -> None:
        try:
            self._networks.append(ip_network(host, strict=False))
        except ValueError:
            plain = _plain(host)
            if not _NAME.fullmatch(plain):
                raise ValueError(
                    f"{host!r} is no host name, address or network; leave out scheme and port"
                ) from None
            self._names.add(plain)

    def _is_allowed(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def _is_allowed_name(self, address: Address) -> bool:
        return any(address in _addresses_of(name) for name in self._names)


def _plain(host: str) -> str:
    return host.rstrip(".").lower()


def _address(host: str) -> Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_number(host: str) -> bool:
    """Is it one in any of the spellings that the system takes, such as `127.1`?"""
    if _address(host) is not None:
        return True
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


def _is_here(address: Address) -> bool:
    # What is unspecified leads to this machine, too.
    return address.is_loopback or address.is_unspecified or _is_ours(address)


def _is_ours(address: Address) -> bool:
    """Is it one of this machine's own? To no other a socket can be bound."""
    if address.is_multicast or address == _EVERYBODY:
        return False
    family = socket.AF_INET if address.version == _IPV4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as sock, suppress(OSError):
        sock.bind((str(address), 0))
        return True
    return False


def _is_local(name: str) -> bool:
    # RFC 6761, section 6.3. Servers look up the machine's own name when they start.
    here = name in _LOCAL_NAMES or name.endswith(".localhost")
    return not name or here or name == _plain(socket.gethostname())


def _addresses_of(name: str) -> Iterator[Address]:
    # There may be none now, and a system without IPv6 gives what is no address.
    with suppress(OSError, ValueError):
        for *_, (host, *_) in socket.getaddrinfo(name, None):
            yield ip_address(host)

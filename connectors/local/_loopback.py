"""Which hosts are this machine, and how a URL has them."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Is this a name or address that only this machine can reach?"""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def in_url(host: str) -> str:
    """A host as a URL has it: an IPv6 address stands in brackets."""
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
